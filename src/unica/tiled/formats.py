"""Which format a name means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unica.errors import UnicaError, as_path, listed
from unica.tiled import ENDINGS
from unica.tiled.base import Destination, TiledPicture, TileWriter, Tiling
from unica.tiled.deepzoom import deepzoom_writer, open_deepzoom
from unica.tiled.tiff import open_tiff, tiff_writer
from unica.tiled.working import place
from unica.tiled.zarr import open_zarr, zarr_writer

_WRITERS: dict[str, Callable[[Destination, Tiling], Any]] = {
    ".zarr": zarr_writer,
    ".dzi": deepzoom_writer,
    ".tif": tiff_writer,
    ".tiff": tiff_writer,
}
_READERS: dict[str, Callable[[Destination], Any]] = {
    ".zarr": open_zarr,
    ".dzi": open_deepzoom,
    ".tif": open_tiff,
    ".tiff": open_tiff,
}


def writer(destination: Destination, tiling: Tiling) -> TileWriter:
    """A writer of the format that the name's ending says: OME-Zarr, DeepZoom or TIFF. OME-Zarr also takes a URL.

    If tiles were written before, they are still there. A picture that is finished is not overwritten.
    """
    return _WRITERS[_ending(destination)](destination, tiling)


def open_tiled(path: Destination) -> TiledPicture:
    """A finished picture, to be read tile by tile."""
    return _READERS[_ending(path)](path)


def _ending(destination: Destination) -> str:
    as_path("a tiled picture", destination)
    there = place(destination)
    ending = Path(there).suffix.lower()
    if ending not in ENDINGS:
        raise UnicaError(f"{destination} must end in {listed(ENDINGS)} to be a tiled picture")
    if isinstance(there, str) and ending != ".zarr":
        raise UnicaError(f"{destination} cannot be: only .zarr is written to and read from URLs")
    return ending
