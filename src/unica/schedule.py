"""Noise schedules, and the blend of a level with its coarser result. Pure functions of time.

Everywhere in unica `x_t = alpha(t) * mean_t + sigma(t) * eps`, and **t counts the noise in the picture**: t = 0 is
clean. Code that numbers its T noisy states 0 .. T-1, as both papers' does, means t + 1 here.

A time is a number, or a tensor with a time for each picture of a batch ("b 1 1 1"): sampling uses numbers and training
uses tensors, and both go through the same functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import mul
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

Time = Any  # float | Tensor, and what comes out is of the same kind: a number for a number, a tensor for a tensor


@runtime_checkable
class Schedule(Protocol):
    """How much picture and how much noise there is at time t."""

    def alpha(self, t: Time) -> Time: ...

    def sigma(self, t: Time) -> Time: ...

    def when(self, noise: float) -> float:
        """The first time with this much noise, as a multiple of the picture: sigma / alpha."""
        ...


@dataclass(frozen=True)
class Discrete:
    """A variance-preserving chain with whole-numbered times: alpha_t^2 = alpha_bar[t], sigma_t^2 = 1 - alpha_bar[t]."""

    alpha_bar: tuple[float, ...]  # alpha_bar[0] = 1: t = 0 is clean

    def alpha(self, t: Time) -> Time:
        return _root(self._at(t))

    def sigma(self, t: Time) -> Time:
        return _root(1 - self._at(t))

    def when(self, noise: float) -> int:
        clean = 1 / (1 + noise**2)  # alpha^2
        return next((t for t, share in enumerate(self.alpha_bar) if share <= clean), self.steps)

    @property
    def steps(self) -> int:
        return len(self.alpha_bar) - 1

    def _at(self, t: Time) -> Time:
        return self._table[t.long()] if isinstance(t, Tensor) else self.alpha_bar[int(t)]

    @cached_property
    def _table(self) -> Float[Tensor, " times"]:
        return torch.tensor(self.alpha_bar, dtype=torch.float64)


def _root(value: Time) -> Time:
    return value.sqrt() if isinstance(value, Tensor) else math.sqrt(value)


@dataclass(frozen=True)
class Exploding:
    """Noise is added and nothing is scaled: alpha = 1, sigma = t (Karras et al. 2022)."""

    def alpha(self, t: Time) -> float:
        return 1.0

    def sigma(self, t: Time) -> Time:
        return t

    def when(self, noise: float) -> float:
        return noise


@dataclass(frozen=True)
class Flow:
    """The straight path from picture to noise: alpha = 1 - t, sigma = t."""

    def alpha(self, t: Time) -> Time:
        return 1.0 - t

    def sigma(self, t: Time) -> Time:
        return t

    def when(self, noise: float) -> float:
        return noise / (1 + noise)


def from_betas(betas: list[float]) -> Discrete:
    """alpha_bar[t] is the product of the first t values of 1 - beta (Ho et al. 2020)."""
    return Discrete(tuple(accumulate((1 - beta for beta in betas), mul, initial=1.0)))


def cosine(steps: int = 100, offset: float = 0.008, largest_beta: float = 0.999) -> Discrete:
    """SinDDM's schedule: alpha_bar follows cos^2 (Nichol & Dhariwal 2021), with betas clipped."""

    def squared_cosine(t: int) -> float:
        return math.cos((t / steps + offset) / (1 + offset) * math.pi / 2) ** 2

    ratios = (squared_cosine(t + 1) / squared_cosine(t) for t in range(steps))
    return from_betas([min(max(1 - ratio, 0.0), largest_beta) for ratio in ratios])


def linear(steps: int = 1000) -> Discrete:
    """SinDiffusion's schedule: betas from 1e-4 to 0.02 for 1000 steps, scaled to keep the total for other lengths."""
    scale = 1000 / steps
    low, high = 1e-4 * scale, 0.02 * scale
    return from_betas([low + (high - low) * i / max(steps - 1, 1) for i in range(steps)])


Gamma = Callable[[Time], Time]


def no_blur(t: Time) -> float:
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

    def __call__(self, t: Time) -> Time:
        gamma = self.schedule.sigma(t) / self.schedule.alpha(t) / max(self.blur, 1e-6)
        return gamma.clamp(max=self.ceiling) if isinstance(gamma, Tensor) else min(gamma, self.ceiling)


def matching(schedule: Discrete, blur: float) -> int:
    """The first time whose noise hides the blur: T[s] of SinDDM (supplement, Eq. 3)."""
    times = range(1, schedule.steps + 1)
    return next((t for t in times if schedule.sigma(t) / schedule.alpha(t) > blur), schedule.steps)


@dataclass(frozen=True)
class Blend:
    """SinDDM's blur as a time-dependent mean (Eq. 1): mean_t = gamma(t) * coarse + (1 - gamma(t)) * x0.

    `coarse` is the upsampled result of the coarser level. Nothing else in the sampler knows about blur.
    """

    coarse: Float[Tensor, "#b c h w"] | None = None
    gamma: Gamma = no_blur

    def mix(self, x0: Float[Tensor, "b c h w"], t: Time) -> Float[Tensor, "b c h w"]:
        if self.coarse is None or self.gamma is no_blur:
            return x0
        gamma = like(self.gamma(t), x0)
        return gamma * self.coarse + (1 - gamma) * x0

    def unmix(self, mean: Float[Tensor, "b c h w"], t: Time) -> Float[Tensor, "b c h w"]:
        """The x0 from which `mix` made `mean`; gamma must be below 1 (Alg. 2, line 7)."""
        if self.coarse is None or self.gamma is no_blur:
            return mean
        gamma = like(self.gamma(t), mean)
        return (mean - gamma * self.coarse) / (1 - gamma)


def like(value: Time, x: Tensor) -> Time:
    """A schedule's value in the precision and on the device of the pictures that it multiplies."""
    return value.to(x) if isinstance(value, Tensor) else value
