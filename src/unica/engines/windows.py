"""Networks on pictures of any size: in overlapping windows, and across the edges of a torus.

The result is the same as on the whole picture at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from unica.torus import Axes, wrap_pad

LARGEST = 2**20  # pixels of a window, over all pictures of a batch


def windowed(
    local: Callable[[Tensor], Tensor],
    x: Float[Tensor, "b c h w"],
    margin: int,
    wrap: Axes = "",
    largest: int = LARGEST,
    grid: int = 4,
    feather: int = 0,
) -> Float[Tensor, "b k h w"]:
    """local(x), where each output pixel depends on the input up to `margin` pixels away.

    Windows begin at multiples of `grid`, so that a network that folds pixels folds them as in the whole picture. A
    network with norms depends a little on the whole window; its windows fade into each other over 2 `feather` pixels.
    """
    margin = -(-margin // grid) * grid
    across, down = (margin if axis in wrap else 0 for axis in "xy")
    if across or down:
        x = wrap_pad(x, across, across, down, down)
    out = _windows(local, x, margin, largest, grid, min(feather, margin))
    return out[..., down : out.shape[-2] - down, across : out.shape[-1] - across]


def _windows(
    local: Callable[[Tensor], Tensor], x: Float[Tensor, "b c h w"], margin: int, largest: int, grid: int, feather: int
) -> Float[Tensor, "b k h w"]:
    batch, _, height, width = x.shape
    if batch * height * width <= largest:
        return local(x)
    side = max(int((largest / batch) ** 0.5) - 2 * margin, 2 * feather, grid) // grid * grid
    out: Tensor | None = None  # `local` decides how many channels there are
    for top in range(0, height, side):
        for left in range(0, width, side):
            rows = slice(max(top - margin, 0), min(top + side + margin, height))
            columns = slice(max(left - margin, 0), min(left + side + margin, width))
            down, across = _share(rows, top, side, height, feather), _share(columns, left, side, width, feather)
            part = local(x[..., rows, columns])
            out = part.new_zeros(*part.shape[:2], height, width) if out is None else out
            out[..., rows, columns] += part * (down[:, None] * across).to(part)
    assert out is not None, "a canvas has a window"
    return out


def _share(window: slice, start: int, side: int, length: int, feather: int) -> Float[Tensor, " n"]:
    """The weight of each row (or column) of a window. The weights of neighbouring windows add up to 1."""
    middles = torch.arange(window.start, window.stop) + 0.5

    def after(edge: int) -> Float[Tensor, " n"]:
        if edge in (0, length):
            return (middles > edge).float()
        return ((middles - edge) / max(2 * feather, 1e-3) + 0.5).clamp(0, 1)

    return after(start) - after(min(start + side, length))
