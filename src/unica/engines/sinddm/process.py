"""SinDDM's process: sizes, start steps and blur, and how they are found for a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, cast

from unica.declare import Number
from unica.diffusion import Level, ddim, ddpm
from unica.engines.blur_rules import Pixels, Rule, blur_of, measured_blur, start_step
from unica.errors import UnicaError, whole
from unica.networks import NetworkConfig
from unica.process import Output, Process, std_of
from unica.pyramid import Size
from unica.schedule import Discrete, Gamma, Ramp, cosine, matching, no_blur
from unica.torus import Axes

CEILING = 0.55  # of gamma when drawing (supplement, D.2)


@dataclass(frozen=True, kw_only=True)
class SinDDMProcess(Process):
    """`starts` are T[s] of the paper. `blur` has an entry for each level; the coarsest has 0."""

    blur: tuple[
        Annotated[float, Number(0, 255)], ...
    ]  # the distance of each level to its blurred version, by `rule`; all 0: without blur
    rule: Rule = "measured"
    blend: bool = True  # whether a run takes away blur, too

    engine = "sinddm"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.blur) != len(self.sizes) or self.blur[0]:
            raise UnicaError(f"blur must be {len(self.sizes)} numbers, of which the first is 0")

    @cached_property
    def schedule(self) -> Discrete:  # pyright: ignore[reportIncompatibleMethodOverride]
        return cosine(self.chain)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "start_steps": ",".join(map(str, self.starts[1:])),
            "blend": self.blend,
            "detail": self.detail,
        }

    @property
    def details(self) -> dict[str, str]:
        return {"blur": ", ".join(f"{blur:.3f}" for blur in self.blur[1:]) + f" ({self.rule})"}

    @property
    def blurred(self) -> bool:
        """Whether there is any blur. The ablation of Fig. 5 has none."""
        return any(self.blur)

    def gamma(self, index: int, ceiling: float = 1.0) -> Gamma:
        return Ramp(self.schedule, self.blur[index], ceiling) if self.blur[index] else no_blur

    def levels(self, sizes: Sequence[Size], wrap: Axes = "") -> list[Level]:
        """The levels of Alg. 2. Without the blend, every level only denoises, by DDPM (App. H and E.1).

        The authors' code gives the upsampled picture the noise of one step more than it then takes away. Models of the
        rule "authors" do the same.
        """
        blend = self.blend and self.blurred
        early = 1 if self.rule == "authors" else 0
        levels = []
        for index, (size, start) in enumerate(zip(sizes, self.starts, strict=True)):
            times = tuple(float(t) for t in range(start, -1, -1))
            update = ddim(bound=1.0) if blend and index else ddpm(bound=1.0)
            gamma = self.gamma(index, CEILING) if blend else no_blur
            entry = float(min(start + early, self.chain)) if index else None
            levels.append(Level(index, size, times, self.schedule, update, gamma, wrap, entry))
        return levels

    def tuned(self, **knobs: Any) -> SinDDMProcess:
        """The process with other values of knobs. `start_steps` are those of all levels above the coarsest."""
        start_steps = knobs.pop("start_steps", None)
        starts = None if start_steps is None else (self.chain, *self._checked(start_steps))
        return cast(SinDDMProcess, super().tuned(starts=starts, **knobs))

    def for_guidance(self) -> SinDDMProcess:
        """The authors' guided runs have no blend, and DDPM on all levels."""
        return self.tuned(blend=False)

    def _checked(self, start_steps: Sequence[int]) -> tuple[int, ...]:
        finer = len(self.sizes) - 1
        if len(start_steps) != finer:
            raise UnicaError(
                f"start_steps must be {finer} numbers, one for each level above the coarsest, not {len(start_steps)}"
            )
        return tuple(whole("start_steps", start, 1, self.chain) for start in start_steps)


def make_process(
    network: NetworkConfig,
    levels: Sequence[Pixels],
    rule: Rule = "measured",
    output: Output = "eps",
    with_blur: bool = True,
    start_fraction: float = 1.0,
    least_noise: float = 0.0,
    chain: int = 100,
) -> SinDDMProcess:
    """The process for a source at several sizes, from coarse to fine.

    A level starts from a fraction of the rule's start step, but not below the step whose noise is `least_noise` times
    its blur. For that, noise and blur are both measured relative to the contrast of the pictures that they are in. The
    noise must hide the blur: what is lost in the coarser level has to be made anew.
    """
    schedule, contrast = cosine(chain), std_of(levels[-1])
    blur, starts = [0.0], [chain]
    for coarser, sharp in zip(levels, levels[1:]):
        blur.append(blur_of(sharp, coarser, rule))
        least = matching(schedule, least_noise * measured_blur(sharp, coarser) / contrast)
        starts.append(max(round(start_fraction * start_step(schedule, blur[-1], rule)), least))
    return SinDDMProcess(
        network=network,
        sizes=tuple((x.shape[-2], x.shape[-1]) for x in levels),
        blur=tuple(blur) if with_blur else (0.0,) * len(levels),
        starts=tuple(starts),
        rule=rule,
        output=output,
        pixel_std=contrast,
        chain=chain,
    )
