"""A guide towards pictures that are symmetric."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Level
from unica.torus import Axes


class Mirror:
    """Replaces the second half of x0 along each axis by the mirrored first half."""

    def __init__(self, axes: Axes) -> None:
        self.dims = [dim for name, dim in (("x", -1), ("y", -2)) if name in axes]

    def __call__(self, x0: Float[Tensor, "b c h w"], t: float, level: Level) -> Float[Tensor, "b c h w"]:
        for dim in self.dims:
            x0 = x0.clone()
            half = x0.shape[dim] // 2
            x0.narrow(dim, x0.shape[dim] - half, half).copy_(x0.narrow(dim, 0, half).flip(dim))
        return x0
