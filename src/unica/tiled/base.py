"""Where the tiles of a picture lie, and what reading and writing tiles means. Each format is a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from unica.errors import UnicaError, whole

_LONGEST = 2**31 - 1  # pixels of a side
_LARGEST_TILE = 2**13

Destination = str | Path  # a file or folder, or a URL such as s3://bucket/x.zarr


@dataclass(frozen=True)
class Tiling:
    """A picture at several sizes, each cut into square tiles.

    Level 0 is the whole picture. Each next level has half the size, rounded up. The last level fits into one tile.
    Tiles start at the left and top, so those at the right and bottom borders may be smaller.
    """

    size: tuple[int, int]  # width and height of level 0
    channels: int  # 1: gray, 2: gray and alpha, 3: RGB, 4: RGB and alpha
    bits: int  # of a channel: 8 or 16
    tile: int  # pixels of a tile's side; even, so that tiles can be halved one by one

    def __post_init__(self) -> None:
        for name, side in zip(("width", "height"), self.size, strict=True):
            whole(f"the {name} of a tiled picture", side, 1, _LONGEST)
        whole("the number of channels", self.channels, 1, 4)
        whole("the side of a tile", self.tile, 2, _LARGEST_TILE)
        if self.bits not in (8, 16):
            raise UnicaError(f"a tiled picture has 8 or 16 bits per channel, not {self.bits}")
        if self.tile % 2:
            raise UnicaError(f"the side of a tile must be an even number, not {self.tile}")

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of each level, from the whole picture to the coarsest level."""
        sizes = [self.size]
        while max(sizes[-1]) > self.tile:
            width, height = sizes[-1]
            sizes.append((-(-width // 2), -(-height // 2)))
        return tuple(sizes)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    def grid(self, level: int) -> tuple[int, int]:
        """The number of rows and of columns of a level's tiles."""
        width, height = self._size(level)
        return -(-height // self.tile), -(-width // self.tile)

    def tiles(self, level: int) -> int:
        """The number of a level's tiles."""
        rows, columns = self.grid(level)
        return rows * columns

    def part(self, level: int, row: int, column: int) -> tuple[slice, slice]:
        """The rows and columns of a level's pixels that a tile covers."""
        width, height = self._size(level)
        top, left = row * self.tile, column * self.tile
        if not (0 <= top < height and 0 <= left < width):
            raise UnicaError(f"level {level} has no tile at row {row}, column {column}")
        return slice(top, min(top + self.tile, height)), slice(left, min(left + self.tile, width))

    def shape(self, level: int, row: int, column: int) -> tuple[int, int, int]:
        """Height, width and channels of a tile."""
        rows, columns = self.part(level, row, column)
        return rows.stop - rows.start, columns.stop - columns.start, self.channels

    def _size(self, level: int) -> tuple[int, int]:
        sizes = self.sizes
        if not 0 <= level < len(sizes):
            raise UnicaError(f"the picture has no level {level}: its levels are 0 to {len(sizes) - 1}")
        return sizes[level]


@runtime_checkable
class TiledPicture(Protocol):
    """A finished picture whose tiles can be read. Threads and processes may share it."""

    @property
    def tiling(self) -> Tiling: ...

    @property
    def text(self) -> dict[str, str]:
        """The text that was saved with the picture, by key; empty if there is none."""
        ...

    def read(self, level: int, row: int, column: int) -> np.ndarray:
        """The pixels of a tile: height, width, channels; uint8 or uint16. Tiles at the border are smaller."""
        ...


@runtime_checkable
class TileWriter(Protocol):
    """Writes tiles in any order, from any number of threads and processes, and makes a picture of them at the end.

    The same tiles give the same files, whoever wrote them and when.
    """

    @property
    def tiling(self) -> Tiling:
        """What is stored. DeepZoom stores 8 bits even if 16 were asked for."""
        ...

    def has(self, level: int, row: int, column: int) -> bool:
        """Whether a tile is written."""
        ...

    def missing(self, level: int) -> list[tuple[int, int]]:
        """Rows and columns of the level's tiles that are not written. Much faster than asking for each."""
        ...

    def write(self, level: int, row: int, column: int, pixels: np.ndarray) -> None:
        """Write a tile, whole or not at all. It replaces one that is there."""
        ...

    def read(self, level: int, row: int, column: int) -> np.ndarray:
        """The pixels of a tile that is written. They may differ from what was given if the format is lossy."""
        ...

    def finish(self, text: Mapping[str, str]) -> None:
        """Make the picture, with a text by key. All tiles of all levels must be there. One process calls it, once."""
        ...
