"""DeepZoom: a descriptor, and a folder of JPEG or PNG tiles that web pages show at any size.

DeepZoom is for looking: 16 bits become 8, and opaque pictures are JPEGs, which are lossy. A coarser tile is made from
the finer ones as they were stored. So it loses a little more than they do, but always the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from unica.errors import UnicaError, reason
from unica.files import write_text
from unica.tiled.base import Destination, Tiling
from unica.tiled.coarser import halved
from unica.tiled.store import Folder
from unica.tiled.tile_files import Picture, Writer, clean_text
from unica.tiled.working import begin, check_finished, place, working_folder

_TEXT = "unica.json"
_FINISHING = "finishing"  # a file in the working folder: the tiles may be at their final place already
_SPACE = "http://schemas.microsoft.com/deepzoom/2008"
_LONGEST = 10_000  # bytes of a descriptor


def deepzoom_writer(destination: Destination, tiling: Tiling) -> DeepZoomWriter:
    path, stored = Path(place(destination)), replace(tiling, bits=8)
    _undo_interrupted_finish(path)
    working = begin(destination, stored, [path, _tiles_of(path)])
    kind = "png" if tiling.channels in (2, 4) else "jpg"
    return DeepZoomWriter(stored, Folder(Path(str(working)) / "tiles"), DeepZoomCoding(stored, kind), working, path)


def open_deepzoom(source: Destination) -> Picture:
    from unica.image.writing import tile_pixels

    path = Path(place(source))
    check_finished(source, path.exists())
    files = Folder(_tiles_of(path))
    width, height, tile, kind = _descriptor(path)
    smallest = f"0/0_0.{kind}"
    try:
        channels = tile_pixels(files.read(smallest), (1, 1)).shape[2]
    except ValueError:
        raise UnicaError(f"{files}/{smallest} is damaged: the picture must be made again") from None
    tiling = Tiling((width, height), channels, 8, tile)
    try:
        text = clean_text(json.loads(files.read(_TEXT))) if files.has(_TEXT) else {}
    except ValueError:
        text = {}
    return Picture(tiling, files, DeepZoomCoding(tiling, kind), text)


@dataclass(frozen=True)
class DeepZoomCoding:
    """DeepZoom counts levels from the other end: its level 0 is one pixel. Names have the column first."""

    tiling: Tiling
    kind: str

    @property
    def deepest(self) -> int:
        """DeepZoom's number of the whole picture."""
        return (max(self.tiling.size) - 1).bit_length()

    def name(self, level: int, row: int, column: int) -> str:
        return f"{self.deepest - level}/{column}_{row}.{self.kind}"

    def encoded(self, pixels: np.ndarray) -> bytes:
        from unica.image.writing import tile_bytes

        return tile_bytes(pixels, self.kind)

    def decoded(self, data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        from unica.image.writing import tile_pixels

        pixels = tile_pixels(data, (shape[1], shape[0]))
        if pixels.shape != shape:
            raise ValueError(f"expected {shape}, got {pixels.shape}")
        return pixels


@dataclass(frozen=True)
class DeepZoomWriter(Writer):
    """Writes JPEG or PNG tiles; the descriptor comes last."""

    path: Path

    def write(self, level: int, row: int, column: int, pixels: np.ndarray) -> None:
        super().write(level, row, column, _eight_bits(pixels))

    def publish(self, text: Mapping[str, str]) -> None:
        assert isinstance(self.files, Folder) and isinstance(self.coding, DeepZoomCoding)
        last = len(self.tiling.sizes) - 1
        pixels = self.read(last, 0, 0)
        for level in range(last + 1, self.coding.deepest + 1):  # DeepZoom wants levels down to one pixel
            pixels = halved(pixels)
            self.files.write(self.coding.name(level, 0, 0), self.coding.encoded(pixels))
        self.files.write(_TEXT, json.dumps(dict(text)).encode())
        self.working.write(_FINISHING, b"")
        self.files.publish(_tiles_of(self.path))
        (width, height), kind, tile = self.tiling.size, self.coding.kind, self.tiling.tile
        write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<Image xmlns="{_SPACE}" Format="{kind}" Overlap="0" TileSize="{tile}">\n'
            f'  <Size Width="{width}" Height="{height}"/>\n'
            "</Image>\n",
            self.path,
        )


def _undo_interrupted_finish(path: Path) -> None:
    """Put the tiles back into the working folder if a process ended before it wrote the descriptor."""
    working, tiles = Path(working_folder(path)), _tiles_of(path)
    if (working / _FINISHING).exists() and tiles.exists() and not path.exists():
        try:
            os.rename(tiles, working / "tiles")
        except OSError as error:
            raise UnicaError(f"{tiles} cannot be moved: {reason(error)}") from error


def _tiles_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}_files")


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def _descriptor(path: Path) -> tuple[int, int, int, str]:
    """Width, height, side of a tile and kind of file, as the descriptor says."""
    try:
        with open(path, "rb") as file:
            image = ElementTree.fromstring(file.read(_LONGEST))
        (size,) = (part for part in image if part.tag.endswith("Size"))
        width, height, tile, overlap = (
            int(part.attrib[name])
            for part, name in ((size, "Width"), (size, "Height"), (image, "TileSize"), (image, "Overlap"))
        )
        kind = image.attrib["Format"]
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from error
    except (ElementTree.ParseError, ValueError, KeyError):
        raise UnicaError(f"{path} is damaged, or no DeepZoom descriptor") from None
    if overlap or kind not in ("jpg", "jpeg", "png"):
        raise UnicaError(f"{path} has tiles that overlap or are no JPEG or PNG: only unica's can be read")
    return width, height, tile, kind
