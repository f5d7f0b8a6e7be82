"""Noise schedules and the blend of a level with its coarser result. Pure functions of time.

Everywhere in unica `x_t = alpha(t) * mean_t + sigma(t) * eps`, and **t counts the noise that is in the picture**:
t = 0 is clean. Code that numbers its T noisy states 0 .. T-1 (as both papers' does) means t + 1 here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Schedule(Protocol):
    """How much picture and how much noise there is at time t."""

    def alpha(self, t: float) -> float: ...

    def sigma(self, t: float) -> float: ...


@dataclass(frozen=True)
class Discrete:
    """A variance-preserving chain with whole-numbered times: alpha_t^2 = alpha_bar[t], sigma_t^2 = 1 - alpha_bar[t]."""

    alpha_bar: tuple[float, ...]  # alpha_bar[0] = 1: t = 0 is clean

    def alpha(self, t: float) -> float:
        return math.sqrt(self.alpha_bar[int(t)])

    def sigma(self, t: float) -> float:
        return math.sqrt(1 - self.alpha_bar[int(t)])

    @property
    def steps(self) -> int:
        return len(self.alpha_bar) - 1


@dataclass(frozen=True)
class Exploding:
    """Noise is added and nothing is scaled: alpha = 1, sigma = t (Karras et al. 2022)."""

    def alpha(self, t: float) -> float:
        return 1.0

    def sigma(self, t: float) -> float:
        return t


@dataclass(frozen=True)
class Flow:
    """The straight path from picture to noise: alpha = 1 - t, sigma = t."""

    def alpha(self, t: float) -> float:
        return 1.0 - t

    def sigma(self, t: float) -> float:
        return t


def from_betas(betas: list[float]) -> Discrete:
    """alpha_bar[t] is the product of the first t values of 1 - beta (Ho et al. 2020)."""
    return Discrete(tuple(accumulate((1 - beta for beta in betas), mul, initial=1.0)))


def cosine(steps: int = 100, offset: float = 0.008, largest_beta: float = 0.999) -> Discrete:
    """SinDDM's schedule: alpha_bar follows cos^2 (Nichol & Dhariwal 2021), betas clipped."""

    def squared_cosine(t: int) -> float:
        return math.cos((t / steps + offset) / (1 + offset) * math.pi / 2) ** 2

    ratios = (squared_cosine(t + 1) / squared_cosine(t) for t in range(steps))
    return from_betas([min(max(1 - ratio, 0.0), largest_beta) for ratio in ratios])


def linear(steps: int = 1000) -> Discrete:
    """SinDiffusion's schedule: betas from 1e-4 to 0.02 for 1000 steps, scaled to keep the total for others."""
    scale = 1000 / steps
    low, high = 1e-4 * scale, 0.02 * scale
    return from_betas([low + (high - low) * i / max(steps - 1, 1) for i in range(steps)])


Gamma = Callable[[float], float]


def no_blur(t: float) -> float:
    """The gamma of a level that has nothing coarser to blend with."""
    return 0.0


@dataclass(frozen=True)
class Ramp:
    """SinDDM's gamma: as much blur as there is noise (supplement, Eq. 5), up to `ceiling`.

    `blur` is the distance between a level and its blurred version.
    """

    schedule: Schedule
    blur: float
    ceiling: float = 1.0

    def __call__(self, t: float) -> float:
        return min(self.schedule.sigma(t) / self.schedule.alpha(t) / max(self.blur, 1e-6), self.ceiling)


def matching(schedule: Discrete, blur: float) -> int:
    """The first time whose noise hides the blur: T[s] of SinDDM (supplement, Eq. 3)."""
    times = range(1, schedule.steps + 1)
    return next((t for t in times if schedule.sigma(t) / schedule.alpha(t) > blur), schedule.steps)


@dataclass(frozen=True)
class Blend:
    """SinDDM's blur as a time-dependent mean (Eq. 1): mean_t = gamma(t) * coarse + (1 - gamma(t)) * x0.

    `coarse` is the upsampled result of the coarser level. Nothing else in the sampler knows about blur.
    """

    coarse: Float[Tensor, "b c h w"] | None = None
    gamma: Gamma = no_blur

    def mix(self, x0: Float[Tensor, "b c h w"], t: float) -> Float[Tensor, "b c h w"]:
        gamma = self.gamma(t)
        if self.coarse is None or gamma == 0:
            return x0
        return gamma * self.coarse + (1 - gamma) * x0

    def unmix(self, mean: Float[Tensor, "b c h w"], t: float) -> Float[Tensor, "b c h w"]:
        """The x0 that `mix` made `mean` of; gamma must be below 1 (Alg. 2, line 7)."""
        gamma = self.gamma(t)
        if self.coarse is None or gamma == 0:
            return mean
        return (mean - gamma * self.coarse) / (1 - gamma)
