"""The coarser levels of a tiled picture, made tile by tile from the finer ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unica.tiled.base import TileWriter, Tiling


def halved(pixels: np.ndarray) -> np.ndarray:
    """The picture at half the size: means of 2 x 2 pixels, rounded half up. An odd last row or column is repeated.

    Colours count as much as their alpha: a transparent pixel does not darken its neighbours. Whole numbers
    throughout, so the result is the same on every machine. Blocks of even size can be halved one by one.
    """
    height, width, channels = pixels.shape
    pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    plain = (_sums(pixels) + 2) >> 2
    alpha = pixels[..., -1:]
    if channels in (1, 3) or (alpha == alpha[0, 0]).all():
        return plain.astype(pixels.dtype)
    wide = np.uint32 if pixels.dtype == np.uint8 else np.uint64  # holds the products below
    opacity = _sums(alpha).astype(wide)
    weighted = (2 * _sums(pixels[..., :-1].astype(wide) * alpha) + opacity) // np.maximum(2 * opacity, 1)
    colours = np.where(opacity > 0, weighted, plain[..., :-1])
    return np.concatenate([colours, plain[..., -1:]], axis=-1).astype(pixels.dtype)


def write_coarser_tile(writer: TileWriter, level: int, row: int, column: int) -> None:
    """Make a tile from the up to four tiles below it, which must be written."""
    tiling = writer.tiling
    rows, columns = tiling.grid(level - 1)
    below = [
        np.concatenate([writer.read(level - 1, i, j) for j in range(2 * column, min(2 * column + 2, columns))], axis=1)
        for i in range(2 * row, min(2 * row + 2, rows))
    ]
    writer.write(level, row, column, halved(np.concatenate(below)))


def write_coarser(
    writer: TileWriter, tiling: Tiling, first_level: int = 0, report: Callable[[int, int], None] | None = None
) -> None:
    """Write all levels above `first_level`, whose tiles must be written. Tiles that are there already are kept.

    No more than five tiles are in memory at a time. `report` is told how many tiles are done, and of how many.
    """
    levels = range(first_level + 1, len(tiling.sizes))
    total = sum(map(tiling.tiles, levels))
    done = 0
    for level in levels:
        missing = writer.missing(level)
        done += tiling.tiles(level) - len(missing)
        for row, column in missing:
            write_coarser_tile(writer, level, row, column)
            done += 1
            if report is not None:
                report(done, total)


def _sums(pixels: np.ndarray) -> np.ndarray:
    """Sums of 2 x 2 pixels, in numbers that are large enough."""
    wide = {1: np.uint16, 2: np.uint32}.get(pixels.itemsize, pixels.dtype)
    rows = np.add(pixels[0::2], pixels[1::2], dtype=wide)
    return rows[:, 0::2] + rows[:, 1::2]
