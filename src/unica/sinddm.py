"""SinDDM's recipe (Kulikov et al., ICML 2023): one denoiser over a pyramid, noise and blur together.

What a model of this engine is besides its weights and its source: sizes, blur, start steps, and how the network's
output is read. The forward process, the levels of a run and the training batches follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from unica.diffusion import Axes, Level, ddim, ddpm, upsample
from unica.errors import UnicaError
from unica.image import resize
from unica.networks import NetworkConfig
from unica.pyramid import Size
from unica.schedule import Discrete, Ramp, cosine, matching, no_blur

Rule = Literal["measured", "authors"]
Output = Literal["eps", "residual"]
CEILING = 0.55  # of gamma when sampling (supplement, D.2)


@dataclass(frozen=True)
class Recipe:
    """`blur` and `starts` have an entry for each level; those of the coarsest are 0 and T."""

    network: NetworkConfig
    sizes: tuple[Size, ...]
    blur: tuple[float, ...]  # how far each level is from its blurred version, by `rule`; all 0 for no blur
    starts: tuple[int, ...]  # T[s]: steps that each level is denoised for
    rule: Rule = "measured"
    output: Output = "eps"
    spread: float = 1.0  # standard deviation of the source's pixels
    steps: int = 100  # T

    engine = "sinddm"

    @cached_property
    def schedule(self) -> Discrete:
        return cosine(self.steps)

    @property
    def blurred(self) -> bool:
        """Whether training mixed in blur; the ablation of Fig. 5 does not."""
        return any(self.blur)

    def gamma(self, index: int, ceiling: float = 1.0) -> Callable[[float], float]:
        return Ramp(self.schedule, self.blur[index], ceiling) if self.blur[index] else no_blur

    def levels(self, sizes: Sequence[Size], wrap: Axes = "", blend: bool = True) -> list[Level]:
        """Alg. 2. Without the blend: only denoising, by DDPM on every level (App. H and E.1).

        The authors give the upsampled picture the noise of one step more than they then take away; `authors` models
        do so too.
        """
        blend = blend and self.blurred
        early = 1 if self.rule == "authors" else 0
        levels = []
        for index, (size, start) in enumerate(zip(sizes, self.starts, strict=True)):
            times = tuple(float(t) for t in range(start, -1, -1))
            update = ddim(bound=1.0) if blend and index else ddpm(bound=1.0)
            gamma = self.gamma(index, CEILING) if blend else no_blur
            entry = float(min(start + early, self.steps)) if index else None
            levels.append(Level(index, size, times, update, gamma, wrap, entry))
        return levels

    def with_starts(self, starts: Sequence[int]) -> Recipe:
        """The `manual` rule (App. H): start steps of all finer levels, chosen by the user."""
        finer = len(self.sizes) - 1
        if len(starts) != finer:
            raise UnicaError(
                f"start-steps must be {finer} numbers, one for each level above the coarsest, not {len(starts)}"
            )
        if not all(1 <= start <= self.steps for start in starts):
            raise UnicaError(f"start-steps must lie between 1 and {self.steps}, not {','.join(map(str, starts))}")
        return replace(self, starts=(self.steps, *starts))

    def eps(
        self, network: nn.Module, x: Float[Tensor, "b c h w"], t: Int[Tensor, "b"], index: int
    ) -> Float[Tensor, "b c h w"]:
        """The noise in x at times t (on the CPU), read from the network's output.

        `eps`: the output is the noise. `residual` (Karras et al. 2022, Table 1, for a variance-preserving chain): what
        the best guess that looks at single pixels leaves to be said, at unit scale for input and output alike.
        """
        time = (t - 1).to(x.device)
        level = torch.full_like(time, index)
        if self.output == "eps":
            return network(x, time, level)
        alpha, sigma, scale = self._scales(x, t)
        output = network(x / scale, time, level)
        return sigma / scale**2 * x - alpha * self.spread / scale * output

    def loss_weight(self, x: Tensor, t: Tensor) -> Tensor:
        """What turns an error of eps into one of the network's output."""
        if self.output == "eps":
            return torch.ones((), device=x.device)
        alpha, _, scale = self._scales(x, t)
        return scale / (alpha * self.spread)

    def _scales(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        alpha, sigma = self.noise(x, t)
        return alpha, sigma, (alpha**2 * self.spread**2 + sigma**2).sqrt()

    def noise(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma at each picture's time, to multiply pictures with."""
        alpha, sigma = self._noise[:, t].view(2, -1, 1, 1, 1).to(x)
        return alpha, sigma

    @cached_property
    def _noise(self) -> Float[Tensor, "2 times"]:
        alpha_bar = torch.tensor(self.schedule.alpha_bar, dtype=torch.float64)
        return torch.stack([alpha_bar.sqrt(), (1 - alpha_bar).sqrt()])


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
    blur: bool = True,
    share: float = 1.0,
    steps: int = 100,
) -> Recipe:
    """The recipe that a source at several sizes asks for. Levels start from a `share` of the rule's steps."""
    distance = {"measured": measured_blur, "authors": authors_blur}[rule]
    distances = (0.0, *(distance(sharp, coarser) for coarser, sharp in zip(levels, levels[1:])))
    return Recipe(
        network=network,
        sizes=tuple((x.shape[-2], x.shape[-1]) for x in levels),
        blur=distances if blur else (0.0,) * len(levels),
        starts=(steps, *(max(round(share * start_step(cosine(steps), d, rule)), 1) for d in distances[1:])),
        rule=rule,
        output=output,
        spread=max(levels[-1].std().item(), 1e-3),
        steps=steps,
    )


def start_step(schedule: Discrete, blur: float, rule: Rule) -> int:
    """T[s] (supplement, Eq. 3). The authors number noisy states from 0, and start one below the step they find."""
    found = matching(schedule, blur)
    return max(found - 1, 1) if rule == "authors" else found
