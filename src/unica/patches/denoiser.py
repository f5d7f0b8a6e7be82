"""The instant engine: the closed-form patch posterior as a denoiser, coarse to fine, and the levels it runs on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Level, Prediction, ddim, ddpm, eps_of
from unica.guides import Known
from unica.image import resize
from unica.patches.exact import Edges, posterior
from unica.patches.match import match
from unica.patches.search import average, heal, refine, upscale
from unica.pyramid import Scale, Size
from unica.schedule import Blend, Exploding, no_blur


@dataclass(frozen=True)
class Recipe:
    """How the instant engine works. The defaults' measured results are in docs/benchmarks.md."""

    # The coarsest level decides the layout: an exact, stochastic chain whose patches shrink with the noise.
    coarsest_area: int = 3072
    steps: int = 28
    high: float = 8.0  # sigma at which the chain starts ...
    low: float = 0.03  # ... and ends
    widest: int = 19  # patch at the start ...
    narrowest: int = 9  # ... and at the end
    edges: Edges = field(default=Edges(rows=3.0, columns=0.0, outside=20.0))
    balance: int = 4  # rounds that even out the use of source patches, an exact step
    # Finer levels add detail by search; a few steps of hardly any noise.
    patch: int = 7
    start: float = 0.03
    fine_steps: int = 2
    deblur: bool = True  # finer levels begin with the blur of the coarser one
    window: float = 1.5  # std of the averaging window of the first step; the last one commits to single patches
    passes: int = 2
    jitter: int = 0  # random candidates: seams get fewer pixels of error, and more of them
    reach: int = 2
    decay: float = 0.1  # seams are healed over about 1 / sqrt(decay) pixels
    exact_until: float = 0.3  # sigma below which choices are made, and the coarsest level is searched as well
    exact_levels: int = 1  # levels, from the coarsest, on which every patch is looked at
    doubt: float = 0.2  # sigma with which patches are compared where the canvas is known

    def coarse_times(self) -> tuple[float, ...]:
        ratio = math.log(self.low / self.high) / max(self.steps - 1, 1)
        return (*(self.high * math.exp(ratio * n) for n in range(self.steps)), 0.0)

    def fine_times(self) -> tuple[float, ...]:
        return tuple(self.start * (1 - n / self.fine_steps) for n in range(self.fine_steps + 1))

    def width(self, level: Level, sigma: float) -> int:
        """The patch of a step: on the coarsest level it falls with the logarithm of the noise."""
        if level.index > 0:
            return self.patch
        share = math.log(max(sigma, self.low) / self.low) / math.log(self.high / self.low)
        return round(self.narrowest + (self.widest - self.narrowest) * min(share, 1.0)) | 1

    def is_exact(self, level: Level, sigma: float) -> bool:
        """Whether a step looks at every patch: where layout is decided, and on all steps of further exact levels."""
        return level.index < self.exact_levels and (level.index > 0 or sigma >= self.exact_until)

    def levels(self, sizes: list[Size]) -> list[Level]:
        """The coarsest level is ancestral, finer ones deterministic, deblurring as SinDDM's."""
        first = Level(0, sizes[0], self.coarse_times(), ddpm())
        blur = partial(_fade, self.start) if self.deblur else no_blur
        return [first, *(Level(i, s, self.fine_times(), ddim(), blur) for i, s in enumerate(sizes[1:], start=1))]


def _fade(start: float, t: float) -> float:
    """A gamma that falls linearly from 1."""
    return t / start


@dataclass
class _Memory:
    """What the run of one picture remembers between steps."""

    seed: int
    level: int = -1
    step: int = 0
    field: Int[Tensor, "h w 2"] | None = None
    prior: Float[Tensor, "hs ws"] | None = None


class PatchDenoiser:
    """The optimal denoiser whose receptive field is one patch of the source. Make a fresh one for each run: it carries
    the search from step to step, for one picture a seed."""

    schedule = Exploding()

    def __init__(
        self,
        scales: Sequence[Scale],
        recipe: Recipe,
        seeds: Sequence[int] = (0,),
        dtype: torch.dtype = torch.float32,
        known: Known | None = None,
    ):
        self.scales, self.recipe, self.dtype, self.known = scales, recipe, dtype, known
        self._memories = [_Memory(seed) for seed in seeds]

    def __call__(self, x_t: Float[Tensor, "b c h w"], t: float, level: Level, blend: Blend) -> Prediction:
        seen, certain = self._told(x_t, t, level)
        x0 = torch.stack(
            [self._estimate(x, certain, t, level, memory) for x, memory in zip(seen, self._memories, strict=True)]
        )
        return Prediction(x0, eps_of(x_t, x0, t, self.schedule, blend))

    def _told(
        self, x_t: Float[Tensor, "b c h w"], t: float, level: Level
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "h w"] | None]:
        """x_t without noise where it is known, and how often pixels count: a patch that lies half on what is known must
        go on from there, also while noise hides the rest."""
        if self.known is None:
            return x_t, None
        picture, known = self.known.at(level.size, x_t.device)
        certain = torch.where(known[0, 0], (t / min(self.recipe.doubt, t)) ** 2, 1.0)
        return picture.to(x_t).where(known, x_t), certain

    @property
    def began(self) -> bool:
        """Whether anything has been searched yet."""
        return all(memory.field is not None for memory in self._memories)

    def origins(self, picture: int = 0) -> Int[Tensor, "h w 2"]:
        """Where in the source each pixel of the latest estimate comes from: row and column."""
        return _known(self._memories[picture].field)

    def _estimate(
        self, x: Float[Tensor, "c h w"], certain: Float[Tensor, "h w"] | None, t: float, level: Level, memory: _Memory
    ) -> Float[Tensor, "c h w"]:
        memory.step += 1
        exact = self.recipe.is_exact(level, t) or (memory.field is None and level.index == 0)
        x0 = self._exact(x, certain, t, level, memory) if exact else self._fast(x, t, level, memory)
        memory.level = level.index
        return x0

    def _exact(
        self, x: Float[Tensor, "c h w"], certain: Float[Tensor, "h w"] | None, t: float, level: Level, memory: _Memory
    ) -> Float[Tensor, "c h w"]:
        recipe, scale = self.recipe, self.scales[level.index]
        patch = recipe.width(level, t)
        balance = recipe.balance if level.index == 0 and recipe.is_exact(level, t) else 0
        seen = posterior(
            x, scale, t, patch, recipe.edges,
            prior=memory.prior if balance else None, balance=balance, wrap=level.wrap, certain=certain,
            dtype=self.dtype,
        )  # fmt: skip
        memory.prior, memory.field = seen.prior, seen.field
        return self._commit(seen.x0, scale.pixels, level, memory) if _is_last(t, level) else seen.x0

    def _fast(self, x: Float[Tensor, "c h w"], t: float, level: Level, memory: _Memory) -> Float[Tensor, "c h w"]:
        recipe, scale = self.recipe, self.scales[level.index]
        if memory.field is None:  # a picture enters here
            memory.field = match(x, self.scales[: level.index + 1])
        elif memory.field.shape[:2] != level.size:
            coarser = self.scales[memory.level].size
            memory.field = upscale(memory.field, level.size, coarser, scale.size)
        keys = scale.pixels
        gamma = level.gamma(t)
        if gamma > 0:
            blurred = resize(self.scales[level.index - 1].pixels[None], scale.size, "bilinear")[0]
            keys = gamma * blurred + (1 - gamma) * keys
        if _is_last(t, level):
            return self._commit(x, keys, level, memory)
        patch = recipe.width(level, t)
        window = recipe.window if level.index else patch / 2
        return average(self._search(x, keys, level, memory, patch), scale, patch, window, level.wrap)

    def _commit(
        self, x: Float[Tensor, "c h w"], keys: Float[Tensor, "c hs ws"], level: Level, memory: _Memory
    ) -> Float[Tensor, "c h w"]:
        """The last word of a level: single patches, verbatim, healed where they meet."""
        field = self._search(x, keys, level, memory, self.recipe.patch)
        return heal(field, self.scales[level.index], self.recipe.decay, wrap=level.wrap)

    def _search(
        self, x: Float[Tensor, "c h w"], keys: Float[Tensor, "c hs ws"], level: Level, memory: _Memory, patch: int
    ) -> Int[Tensor, "h w 2"]:
        r = self.recipe
        memory.field, _ = refine(
            x, keys, self.scales[level.index], _known(memory.field), patch, r.passes, r.jitter, r.reach,
            seed=(memory.seed * 7919 + memory.step * 101) % 2**31, wrap=level.wrap,
        )  # fmt: skip
        return memory.field


def _is_last(t: float, level: Level) -> bool:
    return t == level.times[-2]


def _known(field: Int[Tensor, "h w 2"] | None) -> Int[Tensor, "h w 2"]:
    if field is None:
        raise ValueError("nothing has been searched yet: the first level must be an exact one")
    return field
