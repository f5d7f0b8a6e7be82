"""Square blocks of tiles that are written together, with the coarser tiles that lie in them, up to a single one."""

from __future__ import annotations

import numpy as np

from unica.tiled.base import TileWriter, Tiling
from unica.tiled.coarser import halved

_SIDE = 2048  # pixels of a block, about


class Blocks:
    """The blocks of a picture. They are named by row and column, as are the tiles of `level`, one for each block."""

    def __init__(self, tiling: Tiling) -> None:
        self.tiling, self.level = tiling, 0
        while tiling.tile * 2 ** (self.level + 1) <= _SIDE and self.level + 1 < len(tiling.sizes):
            self.level += 1

    def missing(self, out: TileWriter) -> list[tuple[int, int]]:
        """Rows and columns of blocks that are not written. The coarsest tile of a block is written last."""
        return sorted(out.missing(self.level))

    def window(self, row: int, column: int) -> tuple[slice, slice]:
        """The rows and columns of pixels of a block."""
        side, (width, height) = self.tiling.tile * 2**self.level, self.tiling.size
        top, left = row * side, column * side
        return slice(top, min(top + side, height)), slice(left, min(left + side, width))

    def area(self, row: int | None = None, column: int | None = None) -> int:
        """The pixels of a block; without a name, of all."""
        if row is None or column is None:
            return self.tiling.size[0] * self.tiling.size[1]
        rows, columns = self.window(row, column)
        return (rows.stop - rows.start) * (columns.stop - columns.start)

    def write(self, out: TileWriter, row: int, column: int, pixels: np.ndarray) -> None:
        """Write the tiles of a block."""
        tile = self.tiling.tile
        for level in range(self.level + 1):
            side = 2 ** (self.level - level)
            for i, top in enumerate(range(0, pixels.shape[0], tile)):
                for j, left in enumerate(range(0, pixels.shape[1], tile)):
                    part = pixels[top : top + tile, left : left + tile]
                    out.write(level, row * side + i, column * side + j, part)
            pixels = halved(pixels) if level < self.level else pixels
