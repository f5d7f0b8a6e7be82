"""The patch denoiser: exact steps on the coarsest level, and a search that is carried to finer levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Level, Prediction, eps_of
from unica.image import resize
from unica.patches.exact import Priors, posterior
from unica.patches.healing import heal
from unica.patches.match import match
from unica.patches.order import heights_of, row_prior
from unica.patches.search import average, nearest_visible, refine, upscale
from unica.patches.settings import PatchSettings
from unica.pyramid import Scale
from unica.schedule import Blend
from unica.torus import Axes


@dataclass
class _Memory:
    """What the run of one picture remembers between steps."""

    seed: int
    free: bool = False  # whether the run began with pure noise: no picture says where things are
    level: Level | None = None  # of the latest step
    step: int = 0
    origins: Int[Tensor, "h w 2"] | None = None
    priors: Priors | None = None


class PatchDenoiser:
    """The optimal denoiser whose receptive field is one patch of the source, with one picture for each seed.

    It remembers the search from step to step: make a fresh one for each run. `relevance` is a log prior of the coarsest
    source's pixels: where it is higher, more of the picture comes from there.
    """

    def __init__(
        self,
        scales: Sequence[Scale],
        settings: PatchSettings,
        seeds: Sequence[int] = (0,),
        dtype: torch.dtype = torch.float32,
        relevance: Float[Tensor, "hs ws"] | None = None,
    ):
        self.scales, self.settings, self.dtype, self.relevance = scales, settings, dtype, relevance
        self._memories = [_Memory(seed) for seed in seeds]
        self._nearest: dict[int, Int[Tensor, "hs ws 2"]] = {}  # of each level that hides something: `nearest_visible`

    def __call__(self, x_t: Float[Tensor, "b c h w"], t: float, level: Level, blend: Blend) -> Prediction:
        inputs, pixel_weight = self._with_kept(x_t, t, level)
        x0 = torch.stack(
            [
                self._estimate(x, pixel_weight, t, level, memory)
                for x, memory in zip(inputs, self._memories, strict=True)
            ]
        )
        return Prediction(x0, eps_of(x_t, blend.mix(x0, t), t, level.schedule))

    @property
    def began(self) -> bool:
        """Whether the origins of all pictures are known: from the first step on."""
        return all(memory.origins is not None for memory in self._memories)

    def continue_from(self, origins: Int[Tensor, "h w 2"], level: Level, steps: int, picture: int = 0) -> None:
        """Go on from where another run of the same picture stood after so many steps, the last of them of `level`."""
        memory = self._memories[picture]
        memory.origins, memory.level, memory.step = origins, level, steps

    def origins(self, picture: int = 0) -> Int[Tensor, "h w 2"]:
        """Row and column of each pixel of the latest estimate, in the source as it is at that level."""
        return _found(self._memories[picture].origins)

    def index(self, picture: int = 0) -> int:
        """The level of the latest estimate."""
        level = self._memories[picture].level
        return 0 if level is None else level.index

    def _with_kept(
        self, x_t: Float[Tensor, "b c h w"], t: float, level: Level
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "h w"] | None]:
        """x_t with the kept part of the canvas in it, without noise; and how much each pixel counts.

        Kept pixels count as if their noise had the std `kept_sigma`, so a patch at the border continues the kept part
        even while noise hides everything else.
        """
        if level.kept is None:
            return x_t, None
        picture, mask = level.kept.picture.to(x_t), level.kept.mask.to(x_t.device)
        weight = torch.where(mask[0, 0], (t / min(self.settings.kept_sigma, t)) ** 2, 1.0)
        return picture.where(mask, x_t), weight

    def _estimate(
        self, x: Float[Tensor, "c h w"], pixel_weight: Float[Tensor, "h w"] | None, t: float, level: Level,
        memory: _Memory,
    ) -> Float[Tensor, "c h w"]:  # fmt: skip
        memory.step += 1
        if memory.step == 1:
            memory.free = level.index == 0 and t >= self.settings.high
        exact = self.settings.is_exact(level, t) or (memory.origins is None and level.index == 0)
        x0 = self._exact(x, pixel_weight, t, level, memory) if exact else self._fast(x, t, level, memory)
        memory.level = level
        return x0

    def _exact(
        self, x: Float[Tensor, "c h w"], pixel_weight: Float[Tensor, "h w"] | None, t: float, level: Level,
        memory: _Memory,
    ) -> Float[Tensor, "c h w"]:  # fmt: skip
        """A step that compares all patches."""
        settings, scale = self.settings, self.scales[level.index]
        patch = settings.width(level, t)
        balance = settings.balance if level.index == 0 and settings.is_exact(level, t) else 0
        order = self._order(x, t, patch, level) if memory.free or level.heights is not None else None
        edges = settings.edges if order is None else settings.ordered_edges(level.order)
        found = posterior(
            x, scale, t, patch, edges,
            priors=memory.priors if balance else None, balance=balance, wrap=level.wrap, pixel_weight=pixel_weight,
            # A canvas that shows the source evenly needs all of it alike; a canvas of sky alone needs no ground.
            order=order, ordered_use=order is not None and level.heights is not None,
            relevance=self.relevance if level.index == 0 else None, dtype=self.dtype,
        )  # fmt: skip
        memory.priors, memory.origins = found.priors, found.origins
        return self._copy(found.x0, scale.pixels, level, memory) if _is_last(t, level) else found.x0

    def _order(self, x: Float[Tensor, "c h w"], t: float, patch: int, level: Level) -> Float[Tensor, "h hs"] | None:
        """The log prior of source rows. A torus has no top."""
        cost = self.settings.firmness * (self.settings.order * level.order) ** 2
        if cost == 0 or "y" in level.wrap:
            return None
        return row_prior(heights_of(level).to(x.device), self.scales[level.index].size[0], cost, t, patch)

    def _fast(self, x: Float[Tensor, "c h w"], t: float, level: Level, memory: _Memory) -> Float[Tensor, "c h w"]:
        """A step that searches near the origins found so far."""
        settings, scale = self.settings, self.scales[level.index]
        if memory.origins is None:  # the run starts here, from a given picture
            memory.origins = match(x, self.scales[: level.index + 1])
        elif memory.level is not None and (memory.level.size, memory.level.window) != (level.size, level.window):
            before = memory.level
            memory.origins = upscale(
                memory.origins, level.size, self.scales[before.index].size, scale.size, before.size, before.window,
                level.window,
            )  # fmt: skip
        keys = scale.pixels  # what x is compared with: the source, as blurred as x is
        gamma = level.gamma(t)
        if gamma > 0:
            blurred = resize(self.scales[level.index - 1].pixels[None], scale.size, "bilinear")[0]
            keys = gamma * blurred + (1 - gamma) * keys
        if _is_last(t, level):
            return self._copy(x, keys, level, memory)
        patch = settings.width(level, t)
        window_std = settings.window if level.index else patch / 2
        return average(self._search(x, keys, level, memory, patch), scale, patch, window_std, _wrap(level))

    def _copy(
        self, x: Float[Tensor, "c h w"], keys: Float[Tensor, "c hs ws"], level: Level, memory: _Memory
    ) -> Float[Tensor, "c h w"]:
        """The result of a level's last step: pixels copied from the source, with the seams healed."""
        origins = self._search(x, keys, level, memory, self.settings.patch)
        s = self.settings
        return heal(origins, self.scales[level.index], s.decay, s.edge, _wrap(level), level.kept)

    def _search(
        self, x: Float[Tensor, "c h w"], keys: Float[Tensor, "c hs ws"], level: Level, memory: _Memory, patch: int
    ) -> Int[Tensor, "h w 2"]:
        s, scale, origins = self.settings, self.scales[level.index], _found(memory.origins)
        if not scale.visible.all():  # an origin may be hidden: its coarse pixel was visible in part
            if level.index not in self._nearest:
                self._nearest[level.index] = nearest_visible(scale.visible)
            origins = self._nearest[level.index][origins[..., 0].long(), origins[..., 1].long()]
        memory.origins, _ = refine(
            x, keys, scale, origins, patch, s.passes, s.jitter, s.reach,
            seed=(memory.seed * 7919 + memory.step * 101) % 2**31, wrap=_wrap(level), corner=level.drawn[:2],
        )  # fmt: skip
        return memory.origins


def _wrap(level: Level) -> Axes:
    """The axes along which what is drawn wraps. A part of a torus has its neighbours around it, and does not."""
    return level.wrap if level.window is None else ""


def _is_last(t: float, level: Level) -> bool:
    return t == level.times[-2]


def _found(origins: Int[Tensor, "h w 2"] | None) -> Int[Tensor, "h w 2"]:
    if origins is None:
        raise ValueError("no origins are known before the first step")
    return origins
