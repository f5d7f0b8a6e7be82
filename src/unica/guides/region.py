"""Guides towards given contents at chosen places (SinDDM §3.3, Eq. 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Level


class Placed(NamedTuple):
    """A content, and where its top left corner lies on a level's canvas."""

    content: Float[Tensor, "b c h w"]
    top: int
    left: int


class Places:
    """Moves x0 towards contents: x0 + pull * (content - x0). `at` gives those of a level and a time, if any."""

    def __init__(self, at: Callable[[Level, float], Sequence[Placed]], pull: float) -> None:
        self.at, self.pull = at, pull

    def __call__(self, x0: Float[Tensor, "b c H W"], t: float, level: Level) -> Float[Tensor, "b c H W"]:
        x0 = x0.clone()
        for content, top, left in self.at(level, t):
            height, width = content.shape[-2:]
            x0[..., top : top + height, left : left + width].lerp_(content.to(x0), self.pull)
        return x0
