"""A part of a canvas, and pictures at another size of which only a part is wanted: the same bits as of the whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int64, Shaped
    from torch import Tensor

    from unica.torus import Axes


class Window(NamedTuple):
    """A rectangle of pixels of a canvas. On a torus it may go on beyond the last row or column, or before the first."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Window:
        return cls(0, 0, *size)

    @classmethod
    def between(cls, rows: tuple[int, int], columns: tuple[int, int]) -> Window:
        """From first to last + 1."""
        return cls(rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def right(self) -> int:
        return self.left + self.width

    def grown(self, margin: int, size: tuple[int, int], wrap: Axes = "") -> Window:
        """The window and so many pixels around it, as far as the canvas goes: a torus has no end."""
        rows, columns = (self.top - margin, self.bottom + margin), (self.left - margin, self.right + margin)
        rows = rows if "y" in wrap else (max(rows[0], 0), min(rows[1], size[0]))
        columns = columns if "x" in wrap else (max(columns[0], 0), min(columns[1], size[1]))
        return Window.between(rows, columns)

    def of(self, x: Shaped[Tensor, "*b h w"], outer: Window) -> Shaped[Tensor, "*b y x"]:
        """The window's part of x, which is the part `outer` of the canvas."""
        top, left = self.top - outer.top, self.left - outer.left
        return x[..., top : top + self.height, left : left + self.width]

    def rolled(self, x: Shaped[Tensor, "*b h w"]) -> Shaped[Tensor, "*b y x"]:
        """The window's part of x, which is the whole canvas: a torus, if the window goes beyond it."""
        import torch

        height, width = x.shape[-2:]
        if self.top >= 0 and self.left >= 0 and self.bottom <= height and self.right <= width:
            return self.of(x, Window.whole((height, width)))
        rows = torch.arange(self.top, self.bottom, device=x.device) % height
        columns = torch.arange(self.left, self.right, device=x.device) % width
        return x[..., rows, :][..., columns]


class Taps(NamedTuple):
    """What each row (or column) of a picture is made of: weighted rows of the picture at another size."""

    at: Int64[np.ndarray, "n k"]
    weight: Float[np.ndarray, "n k"]


def linear_taps(first: int, count: int, size: int, of: int, wraps: bool) -> Taps:
    """Linear interpolation from `of` pixels to `size`, for pixels first ... first + count - 1.

    Where the new size is smaller the filter is as much wider, so there are no aliases.
    """
    ratio = of / size
    support = max(ratio, 1.0)
    turns, at = np.divmod(np.arange(first, first + count), size)
    where = (at + 0.5) * ratio - 0.5
    reach = math.ceil(support)
    index = np.floor(where).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    weight = np.maximum(1 - np.abs(index - where[:, None]) / support, 0)
    if not wraps:
        weight[(index < 0) | (index >= of)] = 0
        index = index.clip(0, of - 1)
    weight /= weight.sum(1, keepdims=True)
    return Taps(index + turns[:, None] * of, weight.astype(np.float32))


def area_taps(first: int, count: int, size: int, of: int) -> Taps:
    """The mean of all pixels that a larger pixel touches."""
    at = np.arange(first, first + count)
    start, stop = at * of // size, -((at + 1) * of // -size)
    index = start[:, None] + np.arange(int((stop - start).max()))
    inside = index < stop[:, None]
    return Taps(index.clip(max=of - 1), (inside / (stop - start)[:, None]).astype(np.float32))


def combined(
    x: Float[Tensor, "*b h w"], rows: Taps, columns: Taps, given: Window | None = None
) -> Float[Tensor, "*b y x"]:
    """The weighted sums of rows, then of columns. x is the part `given` of its canvas, or all of it: then it wraps."""
    for axis, taps, start in ((-2, rows, given and given.top), (-1, columns, given and given.left)):
        index = taps.at % x.shape[axis] if start is None else taps.at - start
        x = _summed(x, axis, index, taps.weight)
    return x


def _summed(x: Tensor, axis: int, index: Int64[np.ndarray, "n k"], weight: Float[np.ndarray, "n k"]) -> Tensor:
    import torch

    out = None
    for tap in range(index.shape[1]):
        by = torch.from_numpy(np.ascontiguousarray(weight[:, tap])).to(x)
        part = x.index_select(axis, torch.from_numpy(np.ascontiguousarray(index[:, tap])).to(x.device))
        part = part * (by[:, None] if axis == -2 else by)
        out = part if out is None else out + part
    assert out is not None, "there is a tap"
    return out


def needed(rows: Taps, columns: Taps) -> Window:
    """The part of the picture that the taps read."""
    return Window.between(
        (int(rows.at.min()), int(rows.at.max()) + 1), (int(columns.at.min()), int(columns.at.max()) + 1)
    )


def linear(part: Window, size: tuple[int, int], of: tuple[int, int], wrap: Axes = "") -> tuple[Taps, Taps]:
    """The taps of rows and of columns for a part of a canvas of this size, from one of another size."""
    return (
        linear_taps(part.top, part.height, size[0], of[0], "y" in wrap),
        linear_taps(part.left, part.width, size[1], of[1], "x" in wrap),
    )
