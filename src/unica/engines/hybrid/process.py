"""The hybrid engine's process: one small network that draws a layout, and patches that take over from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

from unica.declare import Number, Odd, Whole
from unica.diffusion import Level, dpm
from unica.errors import whole
from unica.patches import PatchSettings
from unica.process import TAKEN_OVER, Detail, Process
from unica.pyramid import Size
from unica.schedule import Discrete, cosine
from unica.torus import Axes

# At the highest diversity:
_WILDEST = 5  # side of the narrowest patches
_WILDEST_TAKEN_OVER = 0.55
# At the lowest diversity:
_LEAST_NOISE = 0.1  # the time at which the source enters, as a fraction of the chain
_LAST_TAKEN_OVER = 0.9


@dataclass(frozen=True, kw_only=True)
class HybridProcess(Process):
    detail: Detail = "patches"
    diversity: Annotated[float, Number(0, 1)] = 0.5
    patch: Annotated[int, Odd(3, 31)] = 7
    order: Annotated[float, Number(0, 1)] = 1.0  # as measured in the source, or as the user wants it
    steps: int = 25  # of a layout
    chain: Annotated[int, Whole(20, 1000)] = 100

    engine = "hybrid"
    needs_source = True

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("steps", self.steps, 1, self.chain // 2)  # a run may take few of them, each at a time of its own

    @cached_property
    def schedule(self) -> Discrete:  # pyright: ignore[reportIncompatibleMethodOverride]
        return cosine(self.chain)

    @property
    def settings(self) -> dict[str, Any]:
        return {"diversity": self.diversity, "patch": self.patch, "order": round(self.order, 3)}

    @property
    def patch_settings(self) -> PatchSettings:
        settings = replace(super().patch_settings, patch=self.patch, order=self.order)
        wild = max(2 * self.diversity - 1, 0.0)
        narrowest = round(settings.narrowest + (_WILDEST - settings.narrowest) * wild) | 1
        return replace(settings, narrowest=narrowest)

    @property
    def taken_over(self) -> float:
        """Late at low and at high diversity: what takes over late changes little of a near-copy or a wild layout."""
        if self.diversity > 0.5:
            return TAKEN_OVER + (_WILDEST_TAKEN_OVER - TAKEN_OVER) * (2 * self.diversity - 1)
        return _LAST_TAKEN_OVER + (TAKEN_OVER - _LAST_TAKEN_OVER) * 2 * self.diversity

    def levels(self, sizes: Sequence[Size], wrap: Axes = "") -> list[Level]:
        """The layout, in few steps of a second-order solver. Low diversity starts from the source with less noise."""
        first = self.chain * (_LEAST_NOISE + (1 - _LEAST_NOISE) * min(2 * self.diversity, 1.0))
        steps = math.ceil(self.steps * first / self.chain)
        times = tuple(float(round(first * (1 - n / steps))) for n in range(steps + 1))
        return [Level(0, sizes[0], times, self.schedule, dpm(eta=1.0, bound=1.0), wrap=wrap)]
