"""Guides towards a picture that is given: a part of it as it is, or what is coarse in it (SinDiffusion, Eq. 6 and 7).

The paper replaces parts of x_{t-1} by the noised reference. A guide does so with x0; the update, which derives the
noise from what it was guided to, makes the same of it, and the noise stays one that the chain has seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from unica.diffusion import Level
from unica.image import resize
from unica.pyramid import Size

Picture = Float[Tensor, "b c h w"]
Mask = Bool[Tensor, "1 1 h w"]


class Known:
    """Eq. 6: outside the `free` mask x0 is the picture's. Pixels of coarser levels are free if any part of them is."""

    def __init__(self, picture: Picture, free: Float[Tensor, "1 1 h w"]) -> None:
        known = (free <= 0).to(picture)
        self._finest = (picture * known, known)
        self._sizes: dict[Size, tuple[Picture, Mask]] = {}

    def at(self, size: Size, device: torch.device) -> tuple[Picture, Mask]:
        """The picture at this size, and where it is known."""
        if size not in self._sizes:
            picture, share = (_shrunk(x.to(device), size) for x in self._finest)
            self._sizes[size] = ((picture / share.clamp_min(1e-6)).clamp(-1, 1), share >= 1 - 1e-4)
        return self._sizes[size]

    def __call__(self, x0: Picture, t: float, level: Level) -> Picture:
        picture, known = self.at(level.size, x0.device)
        return picture.to(x0).where(known, x0)


class LowPass:
    """Eq. 7: what a filter of `size` pixels leaves of x0 is replaced by what it leaves of the picture.

    `levels` are those of the run. It acts in the first `share` of all steps; those that follow make detail of it. The
    size is of the finest level; on coarser ones it is smaller by as much as they are.
    """

    def __init__(self, picture: Picture, levels: Sequence[Level], size: float = 8, share: float = 0.8) -> None:
        self.picture, self.size, self.finest = picture, size, levels[-1].size
        times = [(level.index, t) for level in levels for t in level.times[:-1]]
        self.guided = set(times[: round(share * len(times))])

    def __call__(self, x0: Picture, t: float, level: Level) -> Picture:
        if (level.index, t) not in self.guided:
            return x0
        height, width = level.size
        size = self.size * (height * width / (self.finest[0] * self.finest[1])) ** 0.5
        picture = resize(self.picture, level.size, "bicubic").to(x0)
        return x0 + low_pass(picture - x0, max(size, 1.0))


def low_pass(x: Picture, size: float) -> Picture:
    """Linear: down by `size` and up again (Choi et al. 2021)."""
    height, width = x.shape[-2:]
    small = (max(round(height / size), 1), max(round(width / size), 1))
    if small == (height, width):
        return x
    return resize(resize(x, small, "bicubic"), (height, width), "bicubic")


def _shrunk(x: Picture, size: tuple[int, int]) -> Float[Tensor, "b c y x"]:
    return F.interpolate(x, size, mode="area") if x.shape[-2:] != size else x
