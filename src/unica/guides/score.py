"""Climbing a score: the text guidance of SinDDM (§3.3, supplement E.1) and of SinDiffusion (Eq. 5), for any
differentiable function of a picture."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Denoiser, Level, Prediction
from unica.errors import UnicaError
from unica.guides.reference import low_pass
from unica.schedule import Blend, Schedule

Picture = Float[Tensor, "b c h w"]
Score = Callable[[Picture], Float[Tensor, " b"]]  # of pictures in [0, 1]; more is better
Step = tuple[int, float]  # a level's index, and a time


class Ascent:
    """Moves x0 along the score's gradient, inside a mask (Eq. 8 and 9). It remembers: make a fresh one for each run.

    The mask is where the first gradient is among the strongest `fill` of its picture; it is carried up the levels.
    A step is `strength` times as long as x0 inside the mask. Inside it, `momentum` is how much of the denoiser's answer
    is taken, and the rest is kept from the step before: the denoiser would undo the guidance. Steps that are not among
    `steps` are left alone. The first gradient is the authors': shortened by the length that the mask was cut at.

    An engine that draws with the source's own patches alone would, in steps that are left alone, undo all of it. With
    `hold`, those that follow keep what is larger than so many pixels of what was gained.
    """

    def __init__(
        self, score: Score, steps: Collection[Step], fill: float, strength: float, momentum: float,
        hold: float | None = None,
    ) -> None:  # fmt: skip
        self.score, self.steps, self.fill, self.strength, self.momentum = score, steps, fill, strength, momentum
        self.hold = hold
        self.mask: Float[Tensor, "b 1 h w"] | None = None  # where it acts, from the first step on
        self.scores: list[Float[Tensor, " b"]] = []  # of x0 at each step, before it is moved
        self._before: Picture | None = None

    def __call__(self, x0: Picture, t: float, level: Level) -> Picture:
        climbs = (level.index, t) in self.steps
        if self.mask is not None and self._before is not None:
            self.mask, self._before = (_fit(x, level.size) for x in (self.mask, self._before))
            if climbs:
                x0 = x0.clamp(-1, 1)
                x0 = x0.lerp(self._before, self.mask * (1 - self.momentum))
            elif self.hold is not None:
                kept = (1 - self.momentum) * self.mask * (self._before - x0)
                return (x0 + low_pass(kept, self.hold)).clamp(-1, 1)
        if not climbs:
            return x0
        x0 = x0.clamp(-1, 1)
        score, gradient = slope(self.score, x0)
        self.scores.append(score)
        if self.mask is None:
            gradient, self.mask = _strongest(gradient, self.fill)
        self._before = _moved(x0, gradient * self.mask, self.strength, self.mask)
        return self._before


class Held:
    """Keeps what is larger than `size` pixels of pictures that were climbed before the run; nothing without a size."""

    def __init__(
        self, target: Picture, mask: Float[Tensor, "b 1 h w"], scores: list[Float[Tensor, " b"]], size: float | None
    ) -> None:
        self.target, self.mask, self.scores, self.size = target, mask, scores, size

    def __call__(self, x0: Picture, t: float, level: Level) -> Picture:
        if self.size is None:
            return x0
        return (x0 + low_pass(self.mask * (self.target - x0), self.size)).clamp(-1, 1)


class Steered:
    """A denoiser whose mean is moved by s times the gradient of the score with respect to x_t, through the network
    (SinDiffusion, Eq. 5). It is written for x0 and eps: eps - s sigma_t grad, as classifiers guide DDIM (Dhariwal &
    Nichol 2021, Alg. 2), so that it serves every update."""

    def __init__(self, denoiser: Denoiser, score: Score, scale: float, steps: Collection[Step]) -> None:
        self.denoiser, self.score, self.scale, self.steps = denoiser, score, scale, steps
        self.scores: list[Float[Tensor, " b"]] = []

    @property
    def schedule(self) -> Schedule:
        return self.denoiser.schedule

    def __call__(self, x_t: Picture, t: float, level: Level, blend: Blend) -> Prediction:
        if (level.index, t) not in self.steps:
            return self.denoiser(x_t, t, level, blend)
        with torch.enable_grad():
            x_t = x_t.detach().requires_grad_()
            seen = self.denoiser(x_t, t, level, blend)
            score = self.score(seen.x0.clamp(-1, 1) * 0.5 + 0.5)
            gradient = _checked(torch.autograd.grad(score.sum(), x_t)[0])
        self.scores.append(score.detach())
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        eps = seen.eps.detach() - self.scale * sigma * gradient
        return Prediction(seen.x0.detach() + self.scale * sigma**2 / alpha * gradient, eps)


def climb(score: Score, pictures: Picture, steps: int, strength: float) -> tuple[Picture, list[Float[Tensor, " b"]]]:
    """Plain steps along the gradient, each `strength` times as long as the pictures, and the scores before them."""
    scores = []
    for _ in range(steps):
        value, gradient = slope(score, pictures)
        scores.append(value)
        pictures = _moved(pictures, gradient, strength, torch.ones_like(pictures[:, :1]))
    return pictures, scores


def slope(score: Score, x0: Picture) -> tuple[Float[Tensor, " b"], Picture]:
    """Score and gradient of pictures in [-1, 1]."""
    with torch.enable_grad():
        x0 = x0.detach().requires_grad_()
        value = score(x0 * 0.5 + 0.5)
        return value.detach(), _checked(torch.autograd.grad(value.sum(), x0)[0])


def _checked(gradient: Picture) -> Picture:
    if not gradient.isfinite().all():
        raise UnicaError("the score has no gradient here: it is not a finite number everywhere")
    return gradient


def _moved(x0: Picture, gradient: Picture, strength: float, mask: Float[Tensor, "b 1 h w"]) -> Picture:
    """A step whose length is a share of that of x0 inside the mask: the adaptive delta of Eq. 3."""
    delta = _norm(x0 * mask) / _norm(gradient).clamp_min(1e-12)
    return (x0 + strength * delta * gradient).clamp(-1, 1)


def _strongest(gradient: Picture, fill: float) -> tuple[Picture, Float[Tensor, "b 1 h w"]]:
    """The gradient, shortened by the length that a share `fill` of the pixels exceeds; and where something is left."""
    length = gradient.norm(dim=1, keepdim=True)
    if (length.flatten(1).amax(1) == 0).any():
        raise UnicaError("the score does not change with the picture: there is no way up")
    limit = torch.quantile(length.flatten(1), 1 - fill, dim=1, interpolation="nearest").view(-1, 1, 1, 1)
    most = length.flatten(1).amax(1).view(-1, 1, 1, 1)
    limit = limit * ((limit < most) & (fill < 1))  # no limit where all are wanted, or all are alike
    excess = (length - limit).clamp_min(0)
    return excess * gradient / length.clamp_min(1e-12), (excess > 0).to(gradient)


def _norm(x: Picture) -> Float[Tensor, "b 1 1 1"]:
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)


def _fit(x: Picture, size: tuple[int, int]) -> Float[Tensor, "b c y x"]:
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear")
