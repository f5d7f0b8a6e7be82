"""A guide towards pictures that are symmetric."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Level
from unica.torus import Axes


class Mirror:
    """Replaces the second half of x0 along each axis by the mirrored first half.

    `signs` of an axis is what each channel is multiplied by when it is mirrored.
    """

    def __init__(self, axes: Axes, signs: Mapping[str, Float[Tensor, " c"]] = {}) -> None:
        self.axes = [(dim, signs.get(name)) for name, dim in (("x", -1), ("y", -2)) if name in axes]

    def __call__(self, x0: Float[Tensor, "b c h w"], t: float, level: Level) -> Float[Tensor, "b c h w"]:
        for dim, signs in self.axes:
            x0 = x0.clone()
            half = x0.shape[dim] // 2
            first = x0.narrow(dim, 0, half).flip(dim)
            first = first if signs is None else first * signs.to(first)[:, None, None]
            x0.narrow(dim, x0.shape[dim] - half, half).copy_(first)
        return x0
