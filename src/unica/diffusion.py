"""The sampler: one step, one level, a cascade of levels. Both papers, and the closed-form engine, are settings of it.

A denoiser looks at `x_t = alpha_t * mean_t + sigma_t * eps` and estimates the clean picture x0 and the noise eps.
Every update is then the same line with another `keep` and `std`:

    x_s = alpha_s * mix_s(x0) + keep * eps + std * noise,    s < t

- SinDDM (Alg. 2): the coarsest level with `ddpm()`, finer levels with `ddim()` and a `Blend`.
- SinDiffusion: one level with `ddpm(variance="large")`, or with `dpm()` in few steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unica.noise import normal
from unica.schedule import Blend, Gamma, Schedule, Time, like, no_blur
from unica.torus import Axes
from unica.window import Window, combined, linear

Image = Float[Tensor, "b c h w"]


class Prediction(NamedTuple):
    """What a denoiser estimates of a noisy picture."""

    x0: Image
    eps: Image


class State(NamedTuple):
    """A run after one of its steps: everything that a progress bar, a preview or a video needs."""

    level: int
    levels: int
    step: int  # of this level; 1 after the first
    steps: int
    x: Image  # the picture, with the noise that is still in it
    x0: Image  # the current estimate of the clean picture

    @property
    def last(self) -> bool:
        return self.step == self.steps and self.level == self.levels - 1


@dataclass(frozen=True)
class Update:
    """A generalised DDIM step (Song et al. 2021, Eq. 12); eta = 1 is DDPM (Ho et al. 2020).

    `variance` is the noise that DDPM adds: "small" is the posterior's, "large" is the forward chain's beta_t.
    `rederive` computes eps again from the x0 that guides have changed; SinDDM's blended update keeps the network's eps.
    `bound` is the range of pictures: the mean is a picture, so it is clamped to [-bound, bound].
    `order` 2 extrapolates x0 by half a step, from its last two values. With `rederive` that is DPM-Solver++(2M)
    (Lu et al. 2022, Alg. 2); with eta = 1 as well, its version for the SDE (App. A).
    """

    eta: float = 0.0
    variance: Literal["small", "large"] = "small"
    rederive: bool = False
    bound: float = math.inf
    order: Literal[1, 2] = 1

    def __call__(
        self,
        x_t: Image,
        seen: Prediction,
        t: float,
        s: float,
        schedule: Schedule,
        blend: Blend,
        noise: Callable[[], Image],
        before: tuple[float, Image] | None = None,
    ) -> Image:
        """The picture at time s < t. `before` holds the time and the x0 of the previous step."""
        if self.order == 2 and before is not None:
            seen = seen._replace(x0=_extrapolated(seen.x0, t, s, schedule, *before))
        alpha_t, sigma_t = schedule.alpha(t), schedule.sigma(t)
        alpha_s, sigma_s = schedule.alpha(s), schedule.sigma(s)
        added = max(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2, 0.0)  # variance of x_t given x_s
        posterior = added * (sigma_s / sigma_t) ** 2
        keep = math.sqrt(max(sigma_s**2 - self.eta**2 * posterior, 0.0))
        std = self.eta * math.sqrt(added if self.variance == "large" else posterior)
        eps = eps_of(x_t, self._mean(seen.x0, t, blend), t, schedule) if self.rederive else seen.eps
        x_s = alpha_s * self._mean(seen.x0, s, blend) + keep * eps
        return x_s + std * noise() if std > 0 and sigma_s > 0 else x_s

    def _mean(self, x0: Image, t: float, blend: Blend) -> Image:
        mean = blend.mix(x0, t)
        return mean if self.bound == math.inf else mean.clamp(-self.bound, self.bound)


def _extrapolated(x0: Image, t: float, s: float, schedule: Schedule, r: float, x0_r: Image) -> Image:
    """x0 in the middle of the step from t to s: linear in log(alpha / sigma), through its values at r > t and at t."""
    if schedule.sigma(s) == 0 or schedule.sigma(r) == schedule.sigma(t):
        return x0
    at_r, at_t, at_s = (math.log(schedule.alpha(time) / schedule.sigma(time)) for time in (r, t, s))
    return x0 + (x0 - x0_r) * ((at_s - at_t) / (2 * (at_t - at_r)))


def ddim(eta: float = 0.0, bound: float = math.inf) -> Update:
    return Update(eta, bound=bound)


def ddpm(variance: Literal["small", "large"] = "small", bound: float = math.inf) -> Update:
    return Update(1.0, variance, rederive=True, bound=bound)


def dpm(eta: float = 0.0, bound: float = math.inf) -> Update:
    return Update(eta, rederive=True, bound=bound, order=2)


class Kept(NamedTuple):
    """The part of a level's canvas that is known and stays (SinDiffusion, Eq. 6)."""

    picture: Float[Tensor, "1 c h w"]
    mask: Bool[Tensor, "1 1 h w"]  # where the picture is kept


@dataclass(frozen=True)
class Level:
    """One level of the cascade.

    `index` selects the scale that the denoiser works at, and `size` is the canvas; pairing them differently changes the
    size of objects. `times` falls from the start step to 0, and `schedule` says how much noise a time means. `entry` is
    the time whose noise the coarser result gets, where that is not the start step. `kept` is what is already known of
    the canvas. `heights` says how far down the source the rows of the canvas lie: 0 at its top, 1 at its bottom, below
    0 and above 1 beyond it. They are given at even distances, as many as one likes; by default the rows go evenly from
    top to bottom. `order` is how much of the source's order from top to bottom holds there, from 0 to 1. Where a model
    has several denoisers, `part` names the one that draws the level. `window` is the part of the canvas that is drawn;
    None is all of it.
    """

    index: int
    size: tuple[int, int]  # height, width
    times: tuple[float, ...]
    schedule: Schedule
    update: Update = Update()
    gamma: Gamma = no_blur
    wrap: Axes = ""  # axes along which the canvas is a torus
    entry: float | None = None
    kept: Kept | None = field(default=None, repr=False, compare=False)
    heights: Float[Tensor, " n"] | None = field(default=None, repr=False, compare=False)
    order: float = 1.0
    part: str = ""
    window: Window | None = None

    @property
    def start(self) -> float:
        return self.times[0]

    @property
    def drawn(self) -> Window:
        """The part of the canvas that is drawn."""
        return Window.whole(self.size) if self.window is None else self.window


def late(level: Level, skipped: float) -> Level:
    """The level without this fraction of its first steps."""
    return replace(level, times=level.times[round(skipped * (len(level.times) - 1)) :])


@runtime_checkable
class Denoiser(Protocol):
    """Anything that estimates x0 and eps: a trained network, the closed-form patch posterior, a guided one."""

    def __call__(self, x_t: Image, t: float, level: Level, blend: Blend) -> Prediction: ...


@dataclass(frozen=True)
class Parts:
    """Several denoisers in one run. Each level is drawn by the one that its `part` names."""

    parts: Mapping[str, Denoiser]

    def __call__(self, x_t: Image, t: float, level: Level, blend: Blend) -> Prediction:
        return self.parts[level.part](x_t, t, level, blend)


Guide = Callable[[Image, float, Level], Image]


@dataclass(frozen=True)
class Guided:
    """A denoiser whose x0 passes through guides. Its eps stays as it was; the update decides what to do with it."""

    denoiser: Denoiser
    guides: tuple[Guide, ...]

    def __call__(self, x_t: Image, t: float, level: Level, blend: Blend) -> Prediction:
        seen = self.denoiser(x_t, t, level, blend)
        x0 = seen.x0
        for guide in self.guides:
            x0 = guide(x0, t, level)
        return seen._replace(x0=x0)


def guided(denoiser: Denoiser, *guides: Guide) -> Denoiser:
    return Guided(denoiser, guides) if guides else denoiser


def keep_known(x0: Image, t: float, level: Level) -> Image:
    """The guide of Eq. 6: where the canvas is kept, x0 is the known picture."""
    return x0 if level.kept is None else level.kept.picture.to(x0).where(level.kept.mask.to(x0.device), x0)


def noised(mean: Image, eps: Image, t: Time, schedule: Schedule) -> Image:
    """x_t = alpha_t mean + sigma_t eps, in sampling and in training."""
    return like(schedule.alpha(t), mean) * mean + like(schedule.sigma(t), mean) * eps


def mean_of(x_t: Image, eps: Image, t: float, schedule: Schedule) -> Image:
    """The mean that is left of x_t without its noise (Alg. 2, line 6)."""
    return (x_t - schedule.sigma(t) * eps) / schedule.alpha(t)


def eps_of(x_t: Image, mean: Image, t: float, schedule: Schedule) -> Image:
    """The noise that is left of x_t without its mean: the inverse of `noised`."""
    return (x_t - schedule.alpha(t) * mean) / schedule.sigma(t)


def x0_of(x_t: Image, eps: Image, t: float, schedule: Schedule, blend: Blend) -> Image:
    """The clean picture that is left of x_t without its noise (Alg. 2, lines 6 and 7)."""
    return blend.unmix(mean_of(x_t, eps, t, schedule), t)


Noise = Callable[[int, int, Level], Image]  # of a level's position in the run, a step of it, and the level


def seeded(seeds: Sequence[int], channels: int, device: torch.device | str = "cpu") -> Noise:
    """A source of noise. Picture i's depends on seeds[i] alone: not on the batch, and not on the device.

    Each pixel's depends on its place: a part of a canvas has the noise that it has in the whole.
    """

    def noise(position: int, step: int, level: Level) -> Image:
        (height, width), part = level.size, level.drawn
        rows, columns = np.arange(part.top, part.bottom) % height, np.arange(part.left, part.right) % width
        return torch.stack([normal(seed, position, step, rows, columns, channels) for seed in seeds]).to(device)

    return noise


def diffuse(
    denoiser: Denoiser, level: Level, x: Image, blend: Blend, noise: Noise, position: int = 0
) -> Iterator[State]:
    """Denoise x from level.times[0] down to level.times[-1]; one state for each step."""
    steps = len(level.times) - 1
    before = None
    for step, (t, s) in enumerate(zip(level.times, level.times[1:]), start=1):
        seen = denoiser(x, t, level, blend)
        x = level.update(x, seen, t, s, level.schedule, blend, partial(noise, position, step, level), before)
        before = (t, seen.x0)
        yield State(0, 1, step, steps, x, seen.x0)


def cascade(
    denoiser: Denoiser,
    levels: Sequence[Level],
    noise: Noise,
    start: Image | None = None,
    first: int = 0,
    coarser: Level | None = None,
) -> Iterator[State]:
    """Coarse to fine: each level adds noise to the upsampled result of the level before, and removes it (Alg. 2).

    `start` takes the place of a result before the first level; None is pure noise. A run may go on from another's
    result: `first` is then the position of its first level, and `coarser` the level that made `start`.
    """
    coarse = start
    for position, level in enumerate(levels, first):
        z = noise(position, 0, level)
        if coarse is None:
            blend = Blend()
            x = level.schedule.sigma(level.start) * z
        else:
            coarse = _onto(level, coarse, coarser)
            blend = Blend(coarse, level.gamma)
            entry = level.start if level.entry is None else level.entry
            x = noised(coarse, z, entry, level.schedule)
        for state in diffuse(denoiser, level, x, blend, noise, position):
            x = state.x
            yield state._replace(level=position, levels=first + len(levels))
        coarse, coarser = x, level


def upsample(x: Image, size: tuple[int, int], wrap: Axes = "") -> Float[Tensor, "b c H W"]:
    """Bilinear, as in SinDDM, without aliases where the new size is smaller, and without an edge on a torus."""
    if x.shape[-2:] == size:
        return x
    return combined(x, *linear(Window.whole(size), size, (x.shape[-2], x.shape[-1]), wrap))


def _onto(level: Level, coarse: Image, coarser: Level | None) -> Float[Tensor, "b c H W"]:
    """A coarser result on what is drawn of a level. It is all of a canvas, or what is drawn of the level `coarser`."""
    if level.window is None:
        return upsample(coarse, level.size, level.wrap)
    if coarser is None or coarser.window is None:
        size, given = (coarse.shape[-2], coarse.shape[-1]), None
    else:
        size, given = coarser.size, coarser.window
    if size == level.size:
        return level.window.rolled(coarse) if given is None else level.window.of(coarse, given)
    return combined(coarse, *linear(level.window, level.size, size, level.wrap), given)
