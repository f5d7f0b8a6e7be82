"""SinDDM's recipe (Kulikov et al., ICML 2023): one denoiser over a pyramid, noise and blur together.

Sizes, start steps and blur, and how they are found for a source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Axes, Level, ddim, ddpm, upsample
from unica.image import resize
from unica.networks import NetworkConfig
from unica.pyramid import Size
from unica.recipe import Output, Recipe, spread
from unica.schedule import Discrete, Ramp, cosine, matching, no_blur

Rule = Literal["measured", "authors"]
CEILING = 0.55  # of gamma when sampling (supplement, D.2)


@dataclass(frozen=True, kw_only=True)
class SinDDMRecipe(Recipe):
    """`blur` has an entry for each level; the coarsest's is 0. `starts` are T[s]."""

    blur: tuple[float, ...]  # how far each level is from its blurred version, by `rule`; all 0 for no blur
    rule: Rule = "measured"
    blend: bool = True  # whether a run takes away blur, too

    engine = "sinddm"
    words = ("start_steps", "blend")

    @cached_property
    def schedule(self) -> Discrete:  # pyright: ignore[reportIncompatibleMethodOverride]
        return cosine(self.chain)

    @property
    def blurred(self) -> bool:
        """The ablation of Fig. 5 is not."""
        return any(self.blur)

    def gamma(self, index: int, ceiling: float = 1.0) -> Callable[[float], float]:
        return Ramp(self.schedule, self.blur[index], ceiling) if self.blur[index] else no_blur

    def levels(self, sizes: Sequence[Size], wrap: Axes = "") -> list[Level]:
        """Alg. 2. Without the blend: only denoising, by DDPM on every level (App. H and E.1).

        The authors give the upsampled picture the noise of one step more than they then take away; `authors` models
        do so too.
        """
        blend = self.blend and self.blurred
        early = 1 if self.rule == "authors" else 0
        levels = []
        for index, (size, start) in enumerate(zip(sizes, self.starts, strict=True)):
            times = tuple(float(t) for t in range(start, -1, -1))
            update = ddim(bound=1.0) if blend and index else ddpm(bound=1.0)
            gamma = self.gamma(index, CEILING) if blend else no_blur
            entry = float(min(start + early, self.chain)) if index else None
            levels.append(Level(index, size, times, update, gamma, wrap, entry))
        return levels


Pixels = Float[Tensor, "c _ _"]


class Pair(NamedTuple):
    """A level of the source, and what upsampling the coarser level leaves of it."""

    sharp: Float[Tensor, "1 c _ _"]
    blurred: Float[Tensor, "1 c _ _"] | None  # of the coarsest level: None


def pairs(levels: Sequence[Pixels]) -> list[Pair]:
    sharp = [level[None] for level in levels]
    sizes = [(x.shape[-2], x.shape[-1]) for x in sharp]
    return [Pair(sharp[0], None), *(Pair(x, upsample(sharp[i], sizes[i + 1])) for i, x in enumerate(sharp[1:]))]


def measured_blur(sharp: Pixels, coarser: Pixels) -> float:
    """||x - x~|| as a root mean square (supplement, Eq. 3 and 5)."""
    blurred = upsample(coarser[None], (sharp.shape[-2], sharp.shape[-1]))[0]
    return (sharp - blurred).square().mean().sqrt().item()


def authors_blur(sharp: Pixels, coarser: Pixels) -> float:
    """What the authors' code computes: bytes are subtracted without a sign, so that -1 is 255, and the norm is divided
    by the number of values rather than by its root. The number says little of the picture; their start steps and
    gamma, and so their results, come from it."""
    blurred = resize(coarser[None], (sharp.shape[-2], sharp.shape[-1]), "bilinear8")[0]
    minuend, subtrahend = (((x + 1) * 127.5).round().clamp(0, 255).int() for x in (sharp, blurred))
    return ((minuend - subtrahend) % 256).double().square().sum().sqrt().item() / sharp.numel()


def make_recipe(
    network: NetworkConfig,
    levels: Sequence[Pixels],
    rule: Rule = "measured",
    output: Output = "eps",
    with_blur: bool = True,
    share: float = 1.0,
    hidden: float = 0.0,
    chain: int = 100,
) -> SinDDMRecipe:
    """The recipe that a source at several sizes asks for.

    Levels start from a `share` of the rule's steps, but no later than where noise hides `hidden` times the blur, noise
    and blur both compared to the contrast that they are in: what is lost to the coarser level must be made anew.
    """
    distance, schedule, contrast = _DISTANCES[rule], cosine(chain), spread(levels[-1])
    blur, starts = [0.0], [chain]
    for coarser, sharp in zip(levels, levels[1:]):
        blur.append(distance(sharp, coarser))
        least = matching(schedule, hidden * measured_blur(sharp, coarser) / contrast)
        starts.append(max(round(share * start_step(schedule, blur[-1], rule)), least))
    return SinDDMRecipe(
        network=network,
        sizes=tuple((x.shape[-2], x.shape[-1]) for x in levels),
        blur=tuple(blur) if with_blur else (0.0,) * len(levels),
        starts=tuple(starts),
        rule=rule,
        output=output,
        spread=contrast,
        chain=chain,
    )


_DISTANCES = {"measured": measured_blur, "authors": authors_blur}


def start_step(schedule: Discrete, blur: float, rule: Rule) -> int:
    """T[s] (supplement, Eq. 3). The authors number noisy states from 0, and start one below the step they find."""
    found = matching(schedule, blur)
    return max(found - 1, 1) if rule == "authors" else found
