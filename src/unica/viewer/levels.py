"""The levels and tiles of a page's picture, numbered as DeepZoom numbers them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Levels:
    """A picture at several sizes, each cut into square tiles.

    Level 0 has one pixel. Each next level has twice the size; the last one is the whole picture. Sizes are rounded up:
    level l has ceil(size / 2^(last - l)) pixels.
    """

    size: tuple[int, int]  # width and height of the picture
    tile: int  # pixels of a tile's side

    @property
    def last(self) -> int:
        """The level that is the whole picture."""
        return (max(self.size) - 1).bit_length()

    @property
    def first(self) -> int:
        """The largest level that fits into one tile: a page needs none below it."""
        return next(level for level in range(self.last, -1, -1) if max(self.size_of(level)) <= self.tile)

    def size_of(self, level: int) -> tuple[int, int]:
        """Width and height of a level."""
        shrink = 2 ** (self.last - level)
        return -(-self.size[0] // shrink), -(-self.size[1] // shrink)

    def grid(self, level: int) -> tuple[int, int]:
        """The number of rows and of columns of a level's tiles."""
        width, height = self.size_of(level)
        return -(-height // self.tile), -(-width // self.tile)

    def has(self, level: int, row: int, column: int) -> bool:
        """Whether there is such a tile."""
        if not 0 <= level <= self.last:
            return False
        rows, columns = self.grid(level)
        return 0 <= row < rows and 0 <= column < columns

    def part(self, level: int, row: int, column: int) -> tuple[slice, slice]:
        """The rows and columns of a level's pixels that a tile covers."""
        width, height = self.size_of(level)
        top, left = row * self.tile, column * self.tile
        return slice(top, min(top + self.tile, height)), slice(left, min(left + self.tile, width))
