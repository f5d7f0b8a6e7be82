"""SinDiffusion's process: a chain of 1000 steps at a single size, of which a run may take few.

The multi-scale baseline of the paper's ablation (Table 3) has a network and a chain for each level of a pyramid.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from unica.declare import Whole
from unica.diffusion import Level, Update, ddim, ddpm, dpm
from unica.engines.blur_rules import Pixels, authors_blur, start_step
from unica.engines.sindiffusion import SAMPLERS
from unica.errors import one_of, whole
from unica.networks import NetworkConfig
from unica.process import Output, Process, std_of
from unica.pyramid import Size
from unica.schedule import Discrete, linear
from unica.torus import Axes

_UPDATES: dict[str, Update] = {
    "sde-dpm++": dpm(eta=1.0, bound=1.0),
    "dpm++": dpm(bound=1.0),
    "ddim": ddim(bound=1.0),
    "ddpm": ddpm("large", bound=1.0),
}


@dataclass(frozen=True, kw_only=True)
class SinDiffusionProcess(Process):
    """A level above the coarsest starts at the noise of its start step; its run has that fraction of the steps."""

    chain: Annotated[int, Whole(21, 1000)] = 1000  # with 20, betas would reach 1
    steps: int = 25  # of a run, at the coarsest level
    sampler: str = "sde-dpm++"

    engine = "sindiffusion"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("steps", self.steps, 1, self.chain)
        one_of("sampler", self.sampler, SAMPLERS)

    @cached_property
    def schedule(self) -> Discrete:  # pyright: ignore[reportIncompatibleMethodOverride]
        return linear(self.chain)

    @property
    def settings(self) -> dict[str, Any]:
        return {"steps": self.steps, "sampler": self.sampler, "detail": self.detail}

    def levels(self, sizes: Sequence[Size], wrap: Axes = "") -> list[Level]:
        update = _UPDATES[self.sampler]
        return [
            Level(index, size, self.times(start), self.schedule, update, wrap=wrap)
            for index, (size, start) in enumerate(zip(sizes, self.starts, strict=True))
        ]

    def times(self, start: int) -> tuple[float, ...]:
        """The times of a run from `start` to 0.

        From `start` to 1 they are evenly spaced in log(sigma / alpha), as far as whole numbers allow.
        """
        count = min(max(math.ceil(self.steps * start / self.chain), 1), start)
        noise = [math.log(self.schedule.sigma(t) / self.schedule.alpha(t)) for t in range(1, start + 1)]
        times = [0]
        for i in range(1, count + 1):
            share = (i - 1) / (count - 1) if count > 1 else 1.0
            nearest = 1 + bisect_left(noise, noise[0] + share * (noise[-1] - noise[0]))
            times.append(min(max(nearest, times[-1] + 1), start - (count - i)))
        return tuple(map(float, reversed(times)))


def make_process(
    network: NetworkConfig, levels: Sequence[Pixels], output: Output = "eps", chain: int = 1000
) -> SinDiffusionProcess:
    """The process for a source at one size, or at several from coarse to fine.

    With several, the chains of finer levels start where SinDDM's authors would start them.
    """
    schedule = linear(chain)
    starts = [start_step(schedule, authors_blur(sharp, coarse), "authors") for coarse, sharp in zip(levels, levels[1:])]
    return SinDiffusionProcess(
        network=network,
        sizes=tuple((x.shape[-2], x.shape[-1]) for x in levels),
        starts=(chain, *starts),
        output=output,
        pixel_std=std_of(levels[-1]),
        chain=chain,
    )
