"""Climbing a score: SinDDM's text guidance (§3.3, supplement E.1) for any differentiable function of a picture."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Level

Score = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, " b"]]  # of pictures in [0, 1]; more is better


class Ascent:
    """Moves x0 along the score's gradient, inside a mask (Eq. 8 and 9). It remembers: make a fresh one for each run.

    The mask is where the first gradient is among the strongest `fill` of its picture; it is carried up the levels.
    A step is `strength` times as long as x0 inside the mask. Inside it, `momentum` is how much of the denoiser's answer
    is taken, and the rest is kept from the step before: the denoiser would undo the guidance. The finest level's last
    `free` steps are left alone. The first gradient is the authors': shortened by the length that the mask was cut at.
    """

    def __init__(
        self, score: Score, levels: Collection[int], finest: int, fill: float, strength: float, momentum: float,
        free: int = 3,
    ) -> None:  # fmt: skip
        self.score, self.levels, self.finest, self.free = score, levels, finest, free
        self.fill, self.strength, self.momentum = fill, strength, momentum
        self._mask: Tensor | None = None
        self._before: Tensor | None = None

    def __call__(self, x0: Float[Tensor, "b c h w"], t: float, level: Level) -> Float[Tensor, "b c h w"]:
        if level.index not in self.levels or (level.index == self.finest and t <= self.free):
            return x0
        x0 = x0.clamp(-1, 1)
        if self._mask is not None and self._before is not None:
            self._mask, self._before = (_fit(x, level.size) for x in (self._mask, self._before))
            x0 = x0.lerp(self._before, self._mask * (1 - self.momentum))
        gradient = self._gradient(x0)
        if self._mask is None:
            gradient, self._mask = _strongest(gradient, self.fill)
        delta = _norm(x0 * self._mask) / _norm(gradient * self._mask).clamp_min(1e-12)
        self._before = (x0 + self.strength * delta * self._mask * gradient).clamp(-1, 1)
        return self._before

    def _gradient(self, x0: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        with torch.enable_grad():
            x0 = x0.detach().requires_grad_()
            return torch.autograd.grad(self.score(x0 * 0.5 + 0.5).sum(), x0)[0]


def _strongest(
    gradient: Float[Tensor, "b c h w"], fill: float
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b 1 h w"]]:
    """The gradient, shortened by the length that a share `fill` of the pixels exceeds; and where something is left."""
    length = gradient.norm(dim=1, keepdim=True)
    limit = torch.quantile(length.flatten(1), 1 - fill, dim=1, interpolation="nearest").view(-1, 1, 1, 1)
    excess = (length - limit).clamp_min(0)
    return excess * gradient / length.clamp_min(1e-12), (excess > 0).to(gradient)


def _norm(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 1 1"]:
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)


def _fit(x: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c y x"]:
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear")
