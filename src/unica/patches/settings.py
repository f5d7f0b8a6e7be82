"""The settings of the patch denoiser, and the levels it runs on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial

from unica.diffusion import Level, ddim, ddpm, late
from unica.patches.exact import Edges
from unica.pyramid import Size
from unica.schedule import Exploding, no_blur


@dataclass(frozen=True)
class PatchSettings:
    """How the patch denoiser works. docs/benchmarks.md has the measured results of the defaults."""

    # The coarsest level decides the layout, by exact, stochastic steps whose patches shrink with the noise.
    coarsest_area: int = 3072  # pixels
    steps: int = 28
    high: float = 8.0  # sigma of the first step
    low: float = 0.03  # sigma of the last step
    widest: int = 19  # patch size of the first step
    narrowest: int = 9  # patch size of the last step
    edges: Edges = field(default=Edges(rows=3.0, columns=0.0, outside=20.0))
    order: float = 0.0  # how firmly patches stay at their height in the picture, from 0 to 1
    firmness: float = 1.5  # cost of the firmest order: of a pixel that is off by the whole height of the picture
    balance: int = 4  # Sinkhorn rounds in each exact step: they even out how often source patches are used
    # Finer levels add detail by a fast search, in a few steps with hardly any noise.
    patch: int = 7
    start: float = 0.03  # sigma of the first step
    fine_steps: int = 2
    deblur: bool = True  # finer levels start from the blur of the coarser level
    window: float = 1.5  # std of the window that averages patches; the last step copies single patches instead
    passes: int = 2
    jitter: int = 0  # random candidates for each pixel; with them, seams have smaller errors, but there are more seams
    reach: int = 2  # pixels: how far random candidates are from the current one
    decay: float = 0.1  # healing spreads a seam over about 1 / sqrt(decay) pixels
    edge: float = 0.3  # larger jumps at seams stay edges; healing would make them glow
    exact_until: float = 0.3  # below this sigma the coarsest level is searched as well: the layout is settled
    settled_steps: int = 3  # so many searched steps follow on a larger canvas, where more would make use less even
    exact_levels: int = 1  # on so many levels, from the coarsest, a step compares all patches
    kept_sigma: float = 0.2  # sigma at which patches are compared where the canvas is already known

    def coarse_times(self) -> tuple[float, ...]:
        """Sigmas of the coarsest level: a geometric series, then 0."""
        ratio = math.log(self.low / self.high) / max(self.steps - 1, 1)
        return (*(self.high * math.exp(ratio * n) for n in range(self.steps)), 0.0)

    def fine_times(self) -> tuple[float, ...]:
        """Sigmas of finer levels, evenly spaced down to 0."""
        return tuple(self.start * (1 - n / self.fine_steps) for n in range(self.fine_steps + 1))

    def ordered_edges(self, held: float) -> Edges:
        """The edges where so much of the order holds: it does what the cost of crossing the first row is for."""
        return self.edges._replace(rows=self.edges.rows * (1 - self.order * held))

    def width(self, level: Level, sigma: float) -> int:
        """The patch size of a step. On the coarsest level it is linear in log(sigma)."""
        if level.index > 0:
            return self.patch
        share = math.log(max(sigma, self.low) / self.low) / math.log(self.high / self.low)
        return round(self.narrowest + (self.widest - self.narrowest) * min(share, 1.0)) | 1

    def is_exact(self, level: Level, sigma: float) -> bool:
        """Whether a step compares all patches. On the coarsest level only the noisy steps do."""
        return level.index < self.exact_levels and (level.index > 0 or sigma >= self.exact_until)

    def levels(self, sizes: list[Size], skipped: float = 0.0, larger: bool = False) -> list[Level]:
        """The coarsest level takes stochastic steps. Finer levels are deterministic and remove blur, as in SinDDM.

        `skipped` is the fraction of the coarsest level's steps that others have made. `larger` canvases than the source
        are made of several blocks.
        """
        first = late(Level(0, sizes[0], self.coarse_times(), Exploding(), ddpm()), skipped)
        if larger:
            searched = [t for t in first.times[:-1] if t < self.exact_until]
            few = tuple(t for t in first.times if t not in searched[: -self.settled_steps])
            first = replace(first, times=few)
        blur = partial(_linear, self.start) if self.deblur else no_blur
        return [
            first,
            *(Level(i, s, self.fine_times(), Exploding(), ddim(), blur) for i, s in enumerate(sizes[1:], start=1)),
        ]


def _linear(start: float, t: float) -> float:
    """A gamma that falls linearly from 1 at the start to 0."""
    return t / start
