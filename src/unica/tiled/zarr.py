"""OME-Zarr: a folder or URL with a file for each tile. OME-NGFF 0.4 (https://ngff.openmicroscopy.org/0.4), zarr v2."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unica.errors import UnicaError
from unica.tiled.base import Destination, Tiling
from unica.tiled.store import Files, Folder, Remote
from unica.tiled.tile_files import Picture, Writer, clean_text, inflated
from unica.tiled.working import begin, check_finished, place

_EFFORT = 1  # of zlib; 6 takes three times as long, for files that are 3% smaller
_GROUP, _ABOUT, _ARRAY = ".zgroup", ".zattrs", ".zarray"
_LABELS = {1: ("gray",), 2: ("gray", "alpha"), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}
_COLOURS = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}  # viewers show the other channels in white


def zarr_writer(destination: Destination, tiling: Tiling) -> ZarrWriter:
    there = place(destination)
    if isinstance(there, Path):
        working = begin(destination, tiling, [there])
        return ZarrWriter(tiling, Folder(Path(str(working)) / "tiles"), ZarrCoding(tiling), working, there)
    files = Remote.at(there)
    if files.has(_ABOUT):
        raise UnicaError(f"{there} exists already: remove it or choose another name")
    return ZarrWriter(tiling, files, ZarrCoding(tiling), begin(destination, tiling), None)


def open_zarr(source: Destination) -> Picture:
    there = place(source)
    files = Folder(there) if isinstance(there, Path) else Remote.at(there)
    check_finished(source, files.has(_ABOUT))
    try:
        about, first = _json(files, _ABOUT), _json(files, f"0/{_ARRAY}")
        channels, height, width = first["shape"]
        bits = 8 * np.dtype(first["dtype"]).itemsize
        tiling = Tiling((width, height), channels, bits, first["chunks"][1])
        levels = len(about["multiscales"][0]["datasets"])
        same = levels == len(tiling.sizes) and all(
            _json(files, f"{level}/{_ARRAY}") == _array(tiling, level) for level in range(levels)
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        same, about, tiling = False, {}, None
    if not same or tiling is None:
        raise UnicaError(f"{source} is damaged, or is an OME-Zarr of another program: only unica's can be read")
    own = about.get("unica")
    return Picture(tiling, files, ZarrCoding(tiling), clean_text(own.get("text") if isinstance(own, dict) else {}))


@dataclass(frozen=True)
class ZarrCoding:
    """A chunk has the planes of the channels one after the other. Border chunks are filled up with zeros."""

    tiling: Tiling

    def name(self, level: int, row: int, column: int) -> str:
        return f"{level}/0/{row}/{column}"

    def encoded(self, pixels: np.ndarray) -> bytes:
        height, width, _ = pixels.shape
        chunk = np.zeros(self._shape, self._dtype)
        chunk[:, :height, :width] = pixels.transpose(2, 0, 1)
        return zlib.compress(chunk.tobytes(), _EFFORT)

    def decoded(self, data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        size = int(np.prod(self._shape)) * self._dtype.itemsize
        chunk = np.frombuffer(inflated(data, size), self._dtype).reshape(self._shape)
        planes = chunk[:, : shape[0], : shape[1]]
        return planes.transpose(1, 2, 0).astype(self.tiling.dtype, order="C")

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.tiling.channels, self.tiling.tile, self.tiling.tile

    @property
    def _dtype(self) -> np.dtype:
        return self.tiling.dtype.newbyteorder("<")


@dataclass(frozen=True)
class ZarrWriter(Writer):
    """Writes chunks. What makes an OME-Zarr of them is written last."""

    folder: Path | None  # where the result belongs; None if the chunks are there already, at a URL

    def publish(self, text: Mapping[str, str]) -> None:
        for level in range(len(self.tiling.sizes)):
            self._write(f"{level}/{_ARRAY}", _array(self.tiling, level))
        self._write(_GROUP, {"zarr_format": 2})
        self._write(_ABOUT, _about(self.tiling, text))
        if self.folder is not None and isinstance(self.files, Folder):
            self.files.publish(self.folder)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        self.files.write(name, json.dumps(content, indent=2).encode())


def _array(tiling: Tiling, level: int) -> dict[str, Any]:
    """What zarr must know of a level."""
    width, height = tiling.sizes[level]
    return {
        "zarr_format": 2,
        "shape": [tiling.channels, height, width],
        "chunks": [tiling.channels, tiling.tile, tiling.tile],
        "dtype": tiling.dtype.newbyteorder("<").str,
        "compressor": {"id": "zlib", "level": _EFFORT},
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "dimension_separator": "/",
    }


def _about(tiling: Tiling, text: Mapping[str, str]) -> dict[str, Any]:
    """What OME-NGFF and its viewers must know of the picture, and the text."""
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    levels = [{"path": str(n), "coordinateTransformations": _position(n)} for n in range(len(tiling.sizes))]
    top = 2**tiling.bits - 1
    window = {"min": 0, "max": top, "start": 0, "end": top}
    channels = [
        {"label": label, "color": _COLOURS.get(label, "FFFFFF"), "active": label != "alpha", "window": window}
        for label in _LABELS[tiling.channels]
    ]
    model = "color" if tiling.channels > 2 else "greyscale"
    return {
        "multiscales": [{"version": "0.4", "axes": axes, "datasets": levels, "type": "mean of 2 x 2 pixels"}],
        "omero": {"version": "0.4", "channels": channels, "rdefs": {"model": model}},
        "unica": {"text": dict(text)},
    }


def _position(level: int) -> list[dict[str, Any]]:
    """Where a level's pixels lie among those of level 0. Their centres are the centres of 2^level x 2^level pixels."""
    scale, shift = float(2**level), (2**level - 1) / 2
    moved = [{"type": "translation", "translation": [0.0, shift, shift]}] if level else []
    return [{"type": "scale", "scale": [1.0, scale, scale]}, *moved]


def _json(files: Files, name: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError if it is something else."""
    found = json.loads(files.read(name))
    if not isinstance(found, dict):
        raise ValueError(f"{name} is no JSON object")
    return found
