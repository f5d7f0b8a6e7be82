"""Everything about a training but the picture, and what it makes of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unica import sinddm, sindiffusion
from unica.image import Picture
from unica.muon import Muon, is_matrix
from unica.networks import NetworkConfig
from unica.pyramid import field_sizes, pyramid
from unica.recipe import Output, Recipe
from unica.sinddm import Rule


@dataclass(frozen=True)
class Plan:
    """Everything about a training but the picture. The functions in `presets` make them."""

    preset: str
    engine: str
    network: NetworkConfig  # of as many channels as the picture has
    output: Output
    steps: int | None  # None: as many as a budget has time for
    images: int | None  # in a batch ...
    pixels: int | None  # ... or as many as have about so many pixels
    loss: Literal["l1", "l2"]
    optimizer: Literal["adam", "muon"]
    rate: float
    halvings: tuple[int, ...] | None  # steps at which the rate is halved; None: it falls to 0 on a line
    ema: float  # what the average keeps of itself in an update
    ema_from: int  # steps for which the average is a copy
    ema_every: int
    rule: Rule = "authors"  # sinddm: what start steps and blur follow from
    blur: bool = True  # sinddm: whether there is any
    share: float = 1.0  # sinddm: of the rule's start steps, that levels start from ...
    hidden: float = 0.0  # ... at least: earlier where noise does not hide so many times the blur
    multiscale: bool = False  # sindiffusion: a network for each level of a pyramid
    sampled: float = 0.0  # share of the times that are drawn among those a run visits
    lean: float = 1.0  # times are drawn as T u^lean for an even u: above 1, more of them have little noise
    clip: float | None = None  # largest norm of the gradient
    warmup: int = 0  # steps in which the rate rises
    stretch: float = 0.0  # how much larger or smaller, at most, a side of the source is shown
    enlarge: bool = False  # also beyond the size that the source has
    frugal: bool = False  # backward passes compute again what they would have to keep
    largest: int = 50_000  # pixels; larger sources are shrunk

    def levels(self, picture: Picture) -> list[Float[Tensor, "c _ _"]]:
        """The source at each size, in bytes as the authors have them; transparency is one channel more."""
        width, height = picture.size
        sizes = field_sizes((height, width), largest_area=self.largest)
        sizes = sizes if self.engine == "sinddm" or self.multiscale else sizes[-1:]
        scales = pyramid(picture.pixels, picture.alpha, sizes, "lanczos8" if picture.bits == 8 else "lanczos")
        return [s.pixels if s.alpha is None else torch.cat([s.pixels * s.visible, s.alpha * 2 - 1]) for s in scales]

    def recipe(self, levels: list[Float[Tensor, "c _ _"]]) -> Recipe:
        network = replace(self.network, channels=len(levels[0]))
        if self.engine == "sinddm":
            return sinddm.make_recipe(network, levels, self.rule, self.output, self.blur, self.share, self.hidden)
        if self.multiscale:
            network = replace(network, levels=len(levels))
        return sindiffusion.make_recipe(network, levels, self.output)

    def optimizers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        weights = list(network.parameters())
        if self.optimizer == "adam":
            return [torch.optim.Adam(weights, self.rate)]
        matrices = [weight for weight in weights if is_matrix(weight)]
        others = [weight for weight in weights if not is_matrix(weight)]
        return [Muon(matrices, self.rate), torch.optim.Adam(others, self.rate, betas=(0.9, 0.99))]
