"""Local functions on pictures of any size: in windows that share what each pixel looks at, and over the edge of a
torus. The result is that of the whole picture at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Axes

LARGEST = 2**20  # pixels that are worked on at once, over all pictures of a batch


def windowed(
    local: Callable[[Tensor], Tensor],
    x: Float[Tensor, "b c h w"],
    margin: int,
    wrap: Axes = "",
    largest: int = LARGEST,
    grid: int = 4,
) -> Float[Tensor, "b c h w"]:
    """local(x), where each output pixel depends on `margin` input pixels around it.

    Windows begin at multiples of `grid`: a network that folds pixels sees them folded as in the whole picture.
    """
    margin = -(-margin // grid) * grid
    across, down = (margin if axis in wrap else 0 for axis in "xy")
    if across or down:
        x = _torus(x, across, down)
    out = _windows(local, x, margin, largest, grid)
    return out[..., down : out.shape[-2] - down, across : out.shape[-1] - across]


def _torus(x: Float[Tensor, "b c h w"], across: int, down: int) -> Float[Tensor, "b c H W"]:
    """Circular padding, also by more than the picture."""
    height, width = x.shape[-2:]
    rows = torch.arange(-down, height + down, device=x.device) % height
    columns = torch.arange(-across, width + across, device=x.device) % width
    return x[..., rows[:, None], columns]


def _windows(
    local: Callable[[Tensor], Tensor], x: Float[Tensor, "b c h w"], margin: int, largest: int, grid: int
) -> Float[Tensor, "b c h w"]:
    batch, _, height, width = x.shape
    if batch * height * width <= largest:
        return local(x)
    side = max(int((largest / batch) ** 0.5) - 2 * margin, grid) // grid * grid
    out = torch.empty_like(x)
    for top in range(0, height, side):
        for left in range(0, width, side):
            y, x_ = max(top - margin, 0), max(left - margin, 0)
            seen = local(x[..., y : top + side + margin, x_ : left + side + margin])
            bottom, right = min(top + side, height), min(left + side, width)
            out[..., top:bottom, left:right] = seen[..., top - y : bottom - y, left - x_ : right - x_]
    return out
