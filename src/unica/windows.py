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
    feather: int = 0,
) -> Float[Tensor, "b c h w"]:
    """local(x), where each output pixel depends on `margin` input pixels around it.

    Windows begin at multiples of `grid`: a network that folds pixels sees them folded as in the whole picture. Where
    windows agree only nearly (norms tell of the rest of a window), one fades into the next over 2 `feather` pixels.
    """
    margin = -(-margin // grid) * grid
    across, down = (margin if axis in wrap else 0 for axis in "xy")
    if across or down:
        x = _torus(x, across, down)
    out = _windows(local, x, margin, largest, grid, min(feather, margin))
    return out[..., down : out.shape[-2] - down, across : out.shape[-1] - across]


def _torus(x: Float[Tensor, "b c h w"], across: int, down: int) -> Float[Tensor, "b c H W"]:
    """Circular padding, also by more than the picture."""
    height, width = x.shape[-2:]
    rows = torch.arange(-down, height + down, device=x.device) % height
    columns = torch.arange(-across, width + across, device=x.device) % width
    return x[..., rows[:, None], columns]


def _windows(
    local: Callable[[Tensor], Tensor], x: Float[Tensor, "b c h w"], margin: int, largest: int, grid: int, feather: int
) -> Float[Tensor, "b c h w"]:
    batch, _, height, width = x.shape
    if batch * height * width <= largest:
        return local(x)
    side = max(int((largest / batch) ** 0.5) - 2 * margin, 2 * feather, grid) // grid * grid
    out = torch.zeros_like(x)
    for top in range(0, height, side):
        for left in range(0, width, side):
            rows = slice(max(top - margin, 0), min(top + side + margin, height))
            columns = slice(max(left - margin, 0), min(left + side + margin, width))
            down, across = _share(rows, top, side, height, feather), _share(columns, left, side, width, feather)
            out[..., rows, columns] += local(x[..., rows, columns]) * (down[:, None] * across).to(x)
    return out


def _share(window: slice, start: int, side: int, length: int, feather: int) -> Float[Tensor, " n"]:
    """How much each row of a window counts: the shares of neighbours add up to 1."""
    middles = torch.arange(window.start, window.stop) + 0.5

    def after(edge: int) -> Float[Tensor, " n"]:
        if edge in (0, length):
            return (middles > edge).float()
        return ((middles - edge) / max(2 * feather, 1e-3) + 0.5).clamp(0, 1)

    return after(start) - after(min(start + side, length))
