"""The instant engine: the closed-form patch posterior as a denoiser, coarse to fine, and the levels it runs on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Level, Prediction, ddim, ddpm, eps_of
from unica.image import resize
from unica.patches.exact import Edges, posterior
from unica.patches.search import average, gather, heal, refine, upscale
from unica.pyramid import Scale, Size
from unica.schedule import Blend, Exploding, no_blur


@dataclass(frozen=True)
class Recipe:
    """How the instant engine works. The defaults' measured results are in docs/benchmarks.md."""

    # The coarsest level decides the layout: an exact, stochastic chain whose patches shrink with the noise.
    coarsest_area: int = 3072
    steps: int = 24
    high: float = 8.0  # sigma at which the chain starts ...
    low: float = 0.03  # ... and ends
    widest: int = 21  # patch at the start ...
    narrowest: int = 9  # ... and at the end
    edges: Edges = Edges(rows=8.0, columns=0.0, outside=20.0)
    balance: int = 4  # rounds that even out the use of source patches, a step, while sigma is above ...
    balance_until: float = 0.1
    # Finer levels add detail by search; a few steps of hardly any noise.
    patch: int = 7
    start: float = 0.03
    fine_steps: int = 2
    window: float = 1.5  # std of the averaging window of the first step; the last one commits to single patches
    passes: int = 2
    jitter: int = 2
    reach: int = 2
    decay: float = 0.1  # seams are healed over about 1 / sqrt(decay) pixels
    exact_levels: int = 1  # levels, from the coarsest, on which every patch is looked at

    def coarse_times(self) -> tuple[float, ...]:
        ratio = math.log(self.low / self.high) / max(self.steps - 1, 1)
        return (*(self.high * math.exp(ratio * n) for n in range(self.steps)), 0.0)

    def fine_times(self) -> tuple[float, ...]:
        return tuple(self.start * (1 - n / self.fine_steps) for n in range(self.fine_steps + 1))

    def widths(self, sigma: float) -> int:
        """The patch of the coarsest level: falls with the logarithm of the noise."""
        share = math.log(max(sigma, self.low) / self.low) / math.log(self.high / self.low)
        return int(round(self.narrowest + (self.widest - self.narrowest) * min(share, 1.0))) | 1

    def levels(self, sizes: list[Size]) -> list[Level]:
        """The coarsest level is ancestral, finer ones deterministic, deblurring as SinDDM's."""
        first = Level(0, sizes[0], self.coarse_times(), ddpm())
        blur = partial(_fade, self.start)
        return [first, *(Level(i, s, self.fine_times(), ddim(), blur) for i, s in enumerate(sizes[1:], start=1))]


def _fade(start: float, t: float) -> float:
    """A gamma that falls linearly from 1."""
    return t / start


@dataclass
class _Memory:
    """What a run of one picture remembers between steps."""

    level: int = -1
    field: Int[Tensor, "h w 2"] | None = None
    prior: Float[Tensor, "h w"] | None = None
    step: int = 0


@dataclass
class PatchDenoiser:
    """The optimal denoiser whose receptive field is one patch of the source. Make a fresh one for each run: it carries
    the search from step to step."""

    scales: list[Scale]
    recipe: Recipe
    seed: int = 0
    dtype: torch.dtype = torch.float32
    schedule: Exploding = Exploding()
    _memories: list[_Memory] = field(default_factory=list)

    def __call__(
        self, x_t: Float[Tensor, "b c h w"], t: float, level: Level, blend: Blend
    ) -> Prediction:
        while len(self._memories) < len(x_t):
            self._memories.append(_Memory())
        x0 = torch.stack([self._estimate(x, t, level, memory) for x, memory in zip(x_t, self._memories)])
        return Prediction(x0, eps_of(x_t, x0, t, self.schedule, blend))

    def origins(self, picture: int = 0) -> Int[Tensor, "h w 2"]:
        """Where in the source each pixel of the latest estimate comes from: row and column."""
        found = self._memories[picture].field
        assert found is not None, "nothing has been denoised yet"
        return found

    def _estimate(
        self, x: Float[Tensor, "c h w"], t: float, level: Level, memory: _Memory
    ) -> Float[Tensor, "c h w"]:
        memory.step += 1
        entered = memory.level != level.index
        if level.index < self.recipe.exact_levels:
            x0 = self._exact(x, t, level, memory)
        else:
            x0 = self._fast(x, t, level, memory, entered)
        memory.level = level.index
        return x0

    def _exact(
        self, x: Float[Tensor, "c h w"], t: float, level: Level, memory: _Memory
    ) -> Float[Tensor, "c h w"]:
        recipe, scale = self.recipe, self.scales[level.index]
        if memory.prior is None or memory.prior.shape != scale.visible.shape:
            memory.prior = torch.zeros(scale.size, device=x.device)
        balance = recipe.balance if t > recipe.balance_until else 0
        seen = posterior(
            x, scale, t, recipe.widths(t) if level.index == 0 else recipe.patch, recipe.edges,
            prior=memory.prior if balance else None, balance=balance, wrap=level.wrap, dtype=self.dtype,
        )  # fmt: skip
        memory.prior = seen.prior
        memory.field = seen.field
        if t == level.times[-2]:
            return self._commit(seen.x0, level, memory)
        return seen.x0

    def _fast(
        self, x: Float[Tensor, "c h w"], t: float, level: Level, memory: _Memory, entered: bool
    ) -> Float[Tensor, "c h w"]:
        recipe, scale = self.recipe, self.scales[level.index]
        gamma = level.gamma(t)
        if entered:
            coarser = self.scales[memory.level]
            assert memory.field is not None, "the first level must be searched exactly"
            memory.field = upscale(memory.field, level.size, coarser.size, scale.size)
        keys = scale.pixels
        if gamma > 0:
            blurred = resize(self.scales[level.index - 1].pixels[None], scale.size, "bilinear")[0]
            keys = gamma * blurred + (1 - gamma) * keys
        self._search(x, keys, level, memory)
        if t == level.times[-2]:
            return heal(memory.field, scale, recipe.decay, wrap=level.wrap)
        return average(memory.field, scale, recipe.patch, recipe.window, level.wrap)

    def _commit(
        self, x0: Float[Tensor, "c h w"], level: Level, memory: _Memory
    ) -> Float[Tensor, "c h w"]:
        scale = self.scales[level.index]
        self._search(x0, scale.pixels, level, memory)
        return heal(memory.field, scale, self.recipe.decay, wrap=level.wrap)

    def _search(
        self, x: Float[Tensor, "c h w"], keys: Float[Tensor, "c hs ws"], level: Level, memory: _Memory
    ) -> None:
        r = self.recipe
        assert memory.field is not None
        memory.field, _ = refine(
            x, keys, self.scales[level.index], memory.field, r.patch, r.passes, r.jitter, r.reach,
            seed=self.seed * 7919 + memory.step * 101, wrap=level.wrap,
        )  # fmt: skip
