"""Where a page's tiles come from: a tiled picture, one in memory, or a canvas that is drawn where it is looked at.

Each of them gives the pixels of any tile of any level, as bytes of gray or RGB, with or without alpha.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from unica.errors import UnicaError
from unica.tiled import ENDINGS
from unica.tiled.base import TiledPicture, Tiling
from unica.tiled.coarser import halved
from unica.tiled.formats import open_tiled
from unica.viewer.levels import Levels
from unica.viewer.reading import eight_bits, read_pixels

TILE = 512  # pixels of a tile's side, where the picture has no tiles of its own
_SMALLEST, _LARGEST = 256, 1024  # sides of tiles that a page handles well
_ENOUGH = 0.8  # of a tile's size
_KEPT = 8  # stored tiles that are kept as pixels, for tiles of the page that need several


@runtime_checkable
class TileSource(Protocol):
    """What a page shows. Threads may share it."""

    levels: Levels
    channels: int  # 1: gray, 2: gray and alpha, 3: RGB, 4: RGB and alpha
    drawn: bool  # whether tiles are drawn when they are asked for, which takes a while

    def pixels(self, level: int, row: int, column: int) -> np.ndarray:
        """The pixels of a tile: height, width, channels; uint8."""
        ...


@runtime_checkable
class Grid(Protocol):
    """A level of a canvas. It can be read like an array of height, width and channels."""

    @property
    def shape(self) -> tuple[int, int, int]: ...

    def __getitem__(self, key: tuple[slice, slice], /) -> np.ndarray: ...


@runtime_checkable
class Canvas(Protocol):
    """What is drawn where it is looked at. Level 0 is the finest; `levels` counts it, too."""

    @property
    def levels(self) -> int: ...

    def level(self, coarser: int) -> Grid: ...


class Stored:
    """A tiled picture. Its levels are the page's upper ones; those below are made from the smallest."""

    drawn = False

    def __init__(self, picture: TiledPicture) -> None:
        self.picture, tiling = picture, picture.tiling
        self.channels = tiling.channels
        self.levels = Levels(tiling.size, tiling.tile if _SMALLEST <= tiling.tile <= _LARGEST else TILE)
        self._read = lru_cache(_KEPT)(picture.read)

    def pixels(self, level: int, row: int, column: int) -> np.ndarray:
        tiling, coarser = self.picture.tiling, self.levels.last - level
        stored = min(coarser, len(tiling.sizes) - 1)
        if stored == coarser:
            return eight_bits(self._part(stored, *self.levels.part(level, row, column)))
        width, height = tiling.sizes[stored]
        pixels = self._part(stored, slice(0, height), slice(0, width))
        for _ in range(coarser - stored):
            pixels = halved(pixels)
        rows, columns = self.levels.part(level, row, column)
        return eight_bits(pixels[rows, columns])

    def _part(self, stored: int, rows: slice, columns: slice) -> np.ndarray:
        """Pixels of a stored level, put together from the tiles that have them."""
        tiling, side = self.picture.tiling, self.picture.tiling.tile
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start, tiling.channels), tiling.dtype)
        for i in range(rows.start // side, -(-rows.stop // side)):
            for j in range(columns.start // side, -(-columns.stop // side)):
                there = tiling.part(stored, i, j)
                (into_y, from_y), (into_x, from_x) = (_shared(a, b) for a, b in zip((rows, columns), there))
                out[into_y, into_x] = self._read(stored, i, j)[from_y, from_x]
        return out


class InMemory:
    """A picture whose pixels are all there, as a tiled picture."""

    def __init__(self, pixels: np.ndarray) -> None:
        height, width, channels = pixels.shape
        self.tiling = Tiling((width, height), channels, 8 * pixels.itemsize, TILE)
        self.text: dict[str, str] = {}
        self._levels = [pixels]
        for _ in self.tiling.sizes[1:]:
            self._levels.append(_halved_in_bands(self._levels[-1]))

    def read(self, level: int, row: int, column: int) -> np.ndarray:
        return self._levels[level][self.tiling.part(level, row, column)]


class Drawn:
    """A canvas. A tile is made from the coarsest level that has nearly all that it can show, so an overview is quick.

    The page's levels and the canvas' shrink by different factors. Coarser levels may be enlarged a little, because the
    page shows them at less than their size; the finest is shown as it is.
    """

    drawn = True

    def __init__(self, canvas: Canvas, tile: int = TILE) -> None:
        self._grids = [canvas.level(coarser) for coarser in range(canvas.levels)]
        height, width, self.channels = self._grids[0].shape
        self.levels = Levels((width, height), tile)

    def pixels(self, level: int, row: int, column: int) -> np.ndarray:
        width, height = self.levels.size_of(level)
        grid = next((g for g in reversed(self._grids) if g.shape[0] >= _ENOUGH * height), self._grids[0])
        grid = self._grids[0] if level == self.levels.last else grid
        rows, columns = self.levels.part(level, row, column)
        if grid.shape[:2] == (height, width):
            return eight_bits(grid[rows, columns])
        return _resized(grid, (height, width), rows, columns)


def source_of(path: Path | str) -> TileSource:
    """The source of a file: a tiled picture, which may be at a URL, or any picture that fits into memory."""
    ending = Path(path).suffix.lower()
    try:
        if ending in ENDINGS:
            return Stored(open_tiled(path))
    except UnicaError as error:
        if ending in (".zarr", ".dzi"):
            raise
        try:
            return _loaded(Path(path))  # a TIFF of any other program
        except UnicaError:
            raise error from None
    return _loaded(Path(path))


def _loaded(path: Path) -> Stored:
    return Stored(InMemory(read_pixels(path)))


def _resized(grid: Grid, size: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    """A part of a level at another size (height, width). The part is as it would be in the whole: no tile ends in a
    seam. Colours count as much as their alpha."""
    import torch

    from unica.image import to_array
    from unica.window import Window, combined, linear, needed

    part = Window.between((rows.start, rows.stop), (columns.start, columns.stop))
    taps = linear(part, size, (grid.shape[0], grid.shape[1]))
    given = needed(*taps)
    pixels = eight_bits(grid[given.top : given.bottom, given.left : given.right])
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255
    if len(x) in (1, 3):
        return to_array(combined(x, *taps, given) * 2 - 1)
    x = combined(torch.cat([x[:-1] * x[-1:], x[-1:]]), *taps, given)
    return to_array(x[:-1] / x[-1:].clamp(min=1 / 255) * 2 - 1, x[-1:])


def _halved_in_bands(pixels: np.ndarray, band: int = 1024) -> np.ndarray:
    """`halved`, some rows at a time, because it works with larger numbers on the way."""
    return np.concatenate([halved(pixels[top : top + band]) for top in range(0, len(pixels), band)])


def _shared(a: slice, b: slice) -> tuple[slice, slice]:
    """What two ranges have in common, as a part of each."""
    start, stop = max(a.start, b.start), min(a.stop, b.stop)
    return slice(start - a.start, stop - a.start), slice(start - b.start, stop - b.start)
