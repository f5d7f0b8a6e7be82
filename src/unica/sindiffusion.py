"""SinDiffusion's recipe (Wang et al. 2022): one denoiser with a patch's field of view, at a single scale.

A chain of 1000 steps, of which a run may take few. The multi-scale baseline of its ablation (Table 3) has a denoiser
and a chain for each level of a pyramid instead.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from unica.diffusion import Axes, Level, Update, ddim, ddpm, dpm
from unica.errors import UnicaError
from unica.networks import NetworkConfig
from unica.pyramid import Size
from unica.recipe import Output, Recipe, spread
from unica.schedule import Discrete, linear
from unica.sinddm import Pixels, authors_blur, start_step

_UPDATES: dict[str, Update] = {
    "sde-dpm++": dpm(eta=1.0, bound=1.0),
    "dpm++": dpm(bound=1.0),
    "ddim": ddim(bound=1.0),
    "ddpm": ddpm("large", bound=1.0),
}


@dataclass(frozen=True, kw_only=True)
class SinDiffusionRecipe(Recipe):
    chain: int = 1000
    steps: int = 25  # of a run, at the coarsest level; others have their share
    sampler: str = "sde-dpm++"

    engine = "sindiffusion"
    words = ("steps", "sampler")

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= self.chain:
            raise UnicaError(f"steps must lie between 1 and {self.chain}, not {self.steps}")
        if self.sampler not in _UPDATES:
            raise UnicaError(f"sampler must be {', '.join(list(_UPDATES)[:-1])} or ddpm, not {self.sampler}")

    @cached_property
    def schedule(self) -> Discrete:  # pyright: ignore[reportIncompatibleMethodOverride]
        return linear(self.chain)

    def levels(self, sizes: Sequence[Size], wrap: Axes = "") -> list[Level]:
        """Levels above the coarsest begin with the noise of their start, and end in as many steps as that has of T."""
        update = _UPDATES[self.sampler]
        return [
            Level(index, size, self.times(start), update, wrap=wrap)
            for index, (size, start) in enumerate(zip(sizes, self.starts, strict=True))
        ]

    def times(self, start: int) -> tuple[float, ...]:
        """From `start` to 0 in as many steps as were asked for: even ones of log(sigma / alpha) from `start` to 1, as
        far as whole numbers allow."""
        count = min(max(math.ceil(self.steps * start / self.chain), 1), start)
        noise = [math.log(self.schedule.sigma(t) / self.schedule.alpha(t)) for t in range(1, start + 1)]
        times = [0]
        for i in range(1, count + 1):
            share = (i - 1) / (count - 1) if count > 1 else 1.0
            nearest = 1 + bisect_left(noise, noise[0] + share * (noise[-1] - noise[0]))
            times.append(min(max(nearest, times[-1] + 1), start - (count - i)))
        return tuple(map(float, reversed(times)))


def make_recipe(
    network: NetworkConfig, levels: Sequence[Pixels], output: Output = "eps", chain: int = 1000
) -> SinDiffusionRecipe:
    """For a source at one size, or at several, whose chains then start where SinDDM's authors would."""
    schedule = linear(chain)
    starts = [start_step(schedule, authors_blur(sharp, coarse), "authors") for coarse, sharp in zip(levels, levels[1:])]
    return SinDiffusionRecipe(
        network=network,
        sizes=tuple((x.shape[-2], x.shape[-1]) for x in levels),
        starts=(chain, *starts),
        output=output,
        spread=spread(levels[-1]),
        chain=chain,
    )
