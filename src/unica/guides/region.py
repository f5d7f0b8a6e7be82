"""Guides towards contents at chosen places (SinDDM §3.3, Eq. 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Level


class Placed(NamedTuple):
    """What is wanted on a level's canvas, and where its corner is."""

    content: Float[Tensor, "b c h w"]
    top: int
    left: int


class Places:
    """Moves x0 by the share `eta` towards the contents that belong to a level and a time; there may be none."""

    def __init__(self, at: Callable[[Level, float], Sequence[Placed]], eta: float) -> None:
        self.at, self.eta = at, eta

    def __call__(self, x0: Float[Tensor, "b c H W"], t: float, level: Level) -> Float[Tensor, "b c H W"]:
        x0 = x0.clone()
        for content, top, left in self.at(level, t):
            height, width = content.shape[-2:]
            x0[..., top : top + height, left : left + width].lerp_(content.to(x0), self.eta)
        return x0
