"""TIFF: one file with all tiles and levels. BigTIFF; coarser levels are SubIFDs; deflate with differences.

Tiles are packed when they are written, as files in the working folder. `finish` puts them one after the other and
unpacks none. Until then they take as much room again as the result.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unica.errors import UnicaError, reason
from unica.tiled.base import Destination, Tiling
from unica.tiled.store import Folder
from unica.tiled.tile_files import Writer, clean_text, inflated
from unica.tiled.working import begin, check_finished, place

_EFFORT = 4  # of zlib; 6 takes four times as long, for files that are 5% smaller
_DEFLATE, _DIFFERENCES = 8, 2  # TIFF's numbers
_REDUCED = 1  # the kind of a page that is another one at a smaller size
_CLEAR = 2  # an extra channel is alpha, and colours are not multiplied by it


def tiff_writer(destination: Destination, tiling: Tiling) -> TiffWriter:
    _tifffile()
    if tiling.tile % 16:
        raise UnicaError(f"the side of a TIFF's tile must be a multiple of 16, not {tiling.tile}")
    path = Path(place(destination))
    working = begin(destination, tiling, [path])
    return TiffWriter(tiling, Folder(Path(str(working)) / "tiles"), TiffCoding(tiling), working, path)


def open_tiff(source: Destination) -> TiffPicture:
    tifffile, path = _tifffile(), Path(place(source))
    check_finished(source, path.exists())
    try:
        with _quiet(), tifffile.TiffFile(path) as file:
            first = file.pages[0]
            pages = [first, *(first.pages or ())]
            tiling, text = _tiling(first), _text(first.description)
            places = tuple(tuple(zip(page.dataoffsets, page.databytecounts)) for page in pages)
            known = file.byteorder == "<" and tiling is not None and _is_ours(tiling, pages, places)
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from error
    except Exception:  # tifffile meets damaged files with errors of many kinds
        raise UnicaError(f"{path} is damaged, or no TIFF") from None
    if tiling is None or not known:
        raise UnicaError(f"{path} is damaged, or a TIFF of another program: only unica's tiled ones can be read")
    return TiffPicture(tiling, text, path, places)


@dataclass(frozen=True)
class TiffPicture:
    """A finished TIFF. `places` has the position and the number of bytes of each tile, by level."""

    tiling: Tiling
    text: dict[str, str]
    path: Path
    places: tuple[tuple[tuple[int, int], ...], ...]

    def read(self, level: int, row: int, column: int) -> np.ndarray:
        shape = self.tiling.shape(level, row, column)
        start, length = self.places[level][row * self.tiling.grid(level)[1] + column]
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                data = file.read(length)
            return TiffCoding(self.tiling).decoded(data, shape)
        except OSError as error:
            raise UnicaError(f"{self.path} cannot be read: {reason(error)}") from error
        except ValueError:
            raise UnicaError(f"{self.path} is damaged: the picture must be made again") from None


@dataclass(frozen=True)
class TiffCoding:
    """Each pixel is stored as its difference to the one at its left. Border tiles repeat their last pixels."""

    tiling: Tiling

    def name(self, level: int, row: int, column: int) -> str:
        return f"{level}/{row}_{column}"

    def encoded(self, pixels: np.ndarray) -> bytes:
        missing = [(0, self.tiling.tile - side) for side in pixels.shape[:2]]
        whole = np.pad(pixels, (*missing, (0, 0)), mode="edge")
        differences = whole.astype(self._dtype)
        differences[:, 1:] -= whole[:, :-1]
        return zlib.compress(differences.tobytes(), _EFFORT)

    def decoded(self, data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        side, channels = self.tiling.tile, self.tiling.channels
        found = np.frombuffer(inflated(data, side * side * channels * self._dtype.itemsize), self._dtype)
        differences = found.reshape(side, side, channels)[: shape[0], : shape[1]]
        return np.cumsum(differences, axis=1, dtype=self.tiling.dtype)

    @property
    def _dtype(self) -> np.dtype:
        return self.tiling.dtype.newbyteorder("<")


@dataclass(frozen=True)
class TiffWriter(Writer):
    """Writes packed tiles; `finish` makes one file of them."""

    path: Path

    def publish(self, text: Mapping[str, str]) -> None:
        unfinished = Path(str(self.working)) / "whole.tif"
        levels = range(len(self.tiling.sizes))
        # Lone surrogates, from file names that are not UTF-8, stay readable in JSON but not in bytes.
        about = {
            "description": json.dumps(dict(text)),
            "software": text.get("Software", "unica").encode(errors="replace"),
        }
        try:
            with _tifffile().TiffWriter(unfinished, bigtiff=True, byteorder="<") as file:
                for level in levels:
                    more = (
                        {**about, "subifds": len(levels) - 1}
                        if level == 0
                        else {"subfiletype": _REDUCED, "software": False}
                    )
                    file.write(self._packed(level), **self._page(level), **more)
            os.replace(unfinished, self.path)
        except OSError as error:
            raise UnicaError(f"{self.path} cannot be written: {reason(error)}") from error

    def _packed(self, level: int) -> Iterator[bytes]:
        rows, columns = self.tiling.grid(level)
        return (self.files.read(self.coding.name(level, i, j)) for i in range(rows) for j in range(columns))

    def _page(self, level: int) -> dict[str, Any]:
        """What tifffile must know of a level. Without `metadata`, it would write a description of its own."""
        (width, height), channels = self.tiling.sizes[level], self.tiling.channels
        return {
            "shape": (height, width) if channels == 1 else (height, width, channels),
            "dtype": self.tiling.dtype,
            "tile": (self.tiling.tile, self.tiling.tile),
            "compression": _DEFLATE,
            "predictor": _DIFFERENCES,
            "photometric": "rgb" if channels > 2 else "minisblack",
            "planarconfig": "contig" if channels > 1 else None,
            "extrasamples": ["unassalpha"] if channels in (2, 4) else None,
            "metadata": None,
        }


def _tiling(page: Any) -> Tiling | None:
    """How the page of the whole picture is cut; None if unica would not cut it so."""
    try:
        return Tiling((page.imagewidth, page.imagelength), page.samplesperpixel, page.bitspersample, page.tilewidth)
    except UnicaError:
        return None


def _text(description: str) -> dict[str, str]:
    try:
        return clean_text(json.loads(description or "{}"))
    except ValueError:  # a description that another program wrote
        return {}


def _is_ours(tiling: Tiling, pages: Sequence[Any], places: Sequence[Sequence[Any]]) -> bool:
    """Whether all levels are there, as unica writes them."""
    forms = [_form(page) for page in pages] == [_expected(tiling, size) for size in tiling.sizes]
    return forms and [len(tiles) for tiles in places] == [tiling.tiles(level) for level in range(len(pages))]


def _expected(tiling: Tiling, size: tuple[int, int]) -> tuple[Any, ...]:
    """What `_form` says of a level that unica wrote."""
    extra = (_CLEAR,) if tiling.channels in (2, 4) else ()
    photometric = 2 if tiling.channels > 2 else 1
    form = (tiling.tile, tiling.tile, tiling.channels, tiling.bits, 1)  # 1: whole numbers without a sign
    return (*size, *form, photometric, 1, _DEFLATE, _DIFFERENCES, extra)


def _form(page: Any) -> tuple[Any, ...]:
    """All that decides how a page's tiles are read."""
    form = (page.tilewidth, page.tilelength, page.samplesperpixel, page.bitspersample, page.sampleformat)
    packing = (page.photometric, page.planarconfig, page.compression, page.predictor, tuple(page.extrasamples))
    return (page.imagewidth, page.imagelength, *form, *packing)


def _tifffile() -> Any:
    try:
        import tifffile
    except ImportError:
        raise UnicaError("large TIFF pictures need tifffile: pip install 'unica[large]'") from None
    return tifffile


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tifffile from printing warnings: what is wrong with a file becomes one sentence."""
    log, nothing = logging.getLogger("tifffile"), lambda _: False
    log.addFilter(nothing)
    try:
        yield
    finally:
        log.removeFilter(nothing)
