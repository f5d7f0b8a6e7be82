"""The sampler: one step, one level, a cascade of levels. Both papers, and the instant engine, are settings of it.

A denoiser looks at `x_t = alpha_t * mean_t + sigma_t * eps` and estimates the clean picture x0 and the noise eps.
Every update is then the same line with another `keep` and `std`:

    x_s = alpha_s * mix_s(x0) + keep * eps + std * noise,    s < t

- SinDDM (Alg. 2): the coarsest level with `ddpm()`, finer levels with `ddim()` and a `Blend`.
- SinDiffusion: one level with `ddpm(variance="large")`, or with `dpm()` in few steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.schedule import Blend, Gamma, Schedule, no_blur

Image = Float[Tensor, "b c h w"]
Noise = Callable[[Sequence[int]], Tensor]
Axes = Literal["", "x", "y", "xy"]


class Prediction(NamedTuple):
    """What a denoiser says of a noisy picture."""

    x0: Image
    eps: Image


class State(NamedTuple):
    """Where a run stands after a step: everything a progress bar, a preview or a video needs."""

    level: int
    levels: int
    step: int  # of this level; 1 after the first
    steps: int
    x: Image  # the picture with the noise that is left in it
    x0: Image  # the present estimate of the clean picture

    @property
    def last(self) -> bool:
        return self.step == self.steps and self.level == self.levels - 1


@dataclass(frozen=True)
class Update:
    """A generalised DDIM step (Song et al. 2021, Eq. 12); eta = 1 is DDPM (Ho et al. 2020).

    `variance` is the noise DDPM adds: "small" is the posterior's, "large" the forward chain's beta_t.
    `rederive` recomputes eps from an x0 that guides have changed; SinDDM's blended update keeps the network's own.
    `bound` is the range of pictures: the mean, which is one, is kept within [-bound, bound].
    `order` 2 goes on from x0 as it changed since the step before, half a step ahead: with `rederive` that is
    DPM-Solver++(2M) (Lu et al. 2022, Alg. 2), and with eta = 1 the one for the SDE (App. A).
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
        noise: Noise,
        before: tuple[float, Image] | None = None,
    ) -> Image:
        """The picture at time s < t; `before` are the time and x0 of the step before."""
        if self.order == 2 and before is not None:
            seen = seen._replace(x0=_ahead(seen.x0, t, s, schedule, *before))
        alpha_t, sigma_t = schedule.alpha(t), schedule.sigma(t)
        alpha_s, sigma_s = schedule.alpha(s), schedule.sigma(s)
        added = max(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2, 0.0)  # variance of x_t given x_s
        posterior = added * (sigma_s / sigma_t) ** 2
        keep = math.sqrt(max(sigma_s**2 - self.eta**2 * posterior, 0.0))
        std = self.eta * math.sqrt(added if self.variance == "large" else posterior)
        eps = (x_t - alpha_t * self._mean(seen.x0, t, blend)) / sigma_t if self.rederive else seen.eps
        x_s = alpha_s * self._mean(seen.x0, s, blend) + keep * eps
        return x_s + std * noise(x_s.shape) if std > 0 and sigma_s > 0 else x_s

    def _mean(self, x0: Image, t: float, blend: Blend) -> Image:
        mean = blend.mix(x0, t)
        return mean if self.bound == math.inf else mean.clamp(-self.bound, self.bound)


def _ahead(x0: Image, t: float, s: float, schedule: Schedule, r: float, x0_r: Image) -> Image:
    """x0 in the middle of the step from t to s, on the line through x0 at r > t and t over log(alpha / sigma)."""
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


@dataclass(frozen=True)
class Level:
    """One rung of the cascade. `index` picks the scale the denoiser works at, `size` the canvas: pairing them
    differently changes the size of objects. `times` falls from the start step to 0; `entry` is the time whose noise
    the coarser result is given first, where it is not the start step."""

    index: int
    size: tuple[int, int]  # height, width
    times: tuple[float, ...]
    update: Update = Update()
    gamma: Gamma = no_blur
    wrap: Axes = ""  # axes along which the canvas is a torus
    entry: float | None = None

    @property
    def start(self) -> float:
        return self.times[0]


@runtime_checkable
class Denoiser(Protocol):
    """Anything that estimates x0 and eps: a trained network, the closed-form patch posterior, a guided one."""

    @property
    def schedule(self) -> Schedule: ...

    def __call__(self, x_t: Image, t: float, level: Level, blend: Blend) -> Prediction: ...


Guide = Callable[[Image, float, Level], Image]


@dataclass(frozen=True)
class Guided:
    """A denoiser whose x0 passes through guides. eps stays what the denoiser said: the update decides about it."""

    denoiser: Denoiser
    guides: tuple[Guide, ...]

    @property
    def schedule(self) -> Schedule:
        return self.denoiser.schedule

    def __call__(self, x_t: Image, t: float, level: Level, blend: Blend) -> Prediction:
        seen = self.denoiser(x_t, t, level, blend)
        x0 = seen.x0
        for guide in self.guides:
            x0 = guide(x0, t, level)
        return seen._replace(x0=x0)


def guided(denoiser: Denoiser, *guides: Guide) -> Denoiser:
    return Guided(denoiser, guides) if guides else denoiser


def eps_of(x_t: Image, x0: Image, t: float, schedule: Schedule, blend: Blend) -> Image:
    """The noise that x0 leaves unexplained in x_t."""
    return (x_t - schedule.alpha(t) * blend.mix(x0, t)) / schedule.sigma(t)


def x0_of(x_t: Image, eps: Image, t: float, schedule: Schedule, blend: Blend) -> Image:
    """The clean picture that eps leaves of x_t (Alg. 2, lines 6 and 7)."""
    return blend.unmix((x_t - schedule.sigma(t) * eps) / schedule.alpha(t), t)


def seeded(seeds: Sequence[int], device: torch.device | str = "cpu") -> Noise:
    """Noise in which picture i depends on seeds[i] alone: never on the batch, nor on the device."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.stack([torch.randn(tuple(shape[1:]), generator=g) for g in generators]).to(device)

    return noise


def diffuse(denoiser: Denoiser, level: Level, x: Image, blend: Blend, noise: Noise) -> Iterator[State]:
    """Denoise x from level.times[0] down to level.times[-1], one state a step."""
    steps = len(level.times) - 1
    before = None
    for step, (t, s) in enumerate(zip(level.times, level.times[1:]), start=1):
        seen = denoiser(x, t, level, blend)
        x = level.update(x, seen, t, s, denoiser.schedule, blend, noise, before)
        before = (t, seen.x0)
        yield State(0, 1, step, steps, x, seen.x0)


def cascade(
    denoiser: Denoiser, levels: Sequence[Level], noise: Noise, shape: tuple[int, int], start: Image | None = None
) -> Iterator[State]:
    """Coarse to fine: each level noises the upsampled result of the one before and denoises it (Alg. 2).

    `shape` is (batch, channels). `start` stands for the result before the first level; None is pure noise.
    """
    coarse = start
    for position, level in enumerate(levels):
        z = noise((*shape, *level.size))
        if coarse is None:
            blend = Blend()
            x = denoiser.schedule.sigma(level.start) * z
        else:
            coarse = upsample(coarse, level.size, level.wrap)
            blend = Blend(coarse, level.gamma)
            entry = level.start if level.entry is None else level.entry
            x = denoiser.schedule.alpha(entry) * coarse + denoiser.schedule.sigma(entry) * z
        for state in diffuse(denoiser, level, x, blend, noise):
            x = state.x
            yield state._replace(level=position, levels=len(levels))
        coarse = x


def upsample(x: Image, size: tuple[int, int], wrap: Axes = "") -> Float[Tensor, "b c H W"]:
    """Bilinear, as SinDDM's; over the edge of a torus where the canvas is one."""
    if x.shape[-2:] == size:
        return x
    rows, columns = (3 if "y" in wrap else 1), (3 if "x" in wrap else 1)
    height, width = size
    x = F.interpolate(x.repeat(1, 1, rows, columns), (rows * height, columns * width), mode="bilinear")
    top, left = (rows // 2) * height, (columns // 2) * width
    return x[..., top : top + height, left : left + width]
