"""What a trained model is besides its weights and its source: sizes, noise, and how the network's output is read.

Training batches and the levels of a run follow from it. Each engine that trains has its own kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from unica.declare import Number, Whole
from unica.diffusion import Level
from unica.errors import UnicaError, whole
from unica.image import LARGEST
from unica.networks import NetworkConfig
from unica.patches import PatchSettings
from unica.pyramid import Size
from unica.schedule import Discrete, Gamma, like, no_blur
from unica.torus import Axes

SMALLEST = 4  # pixels of a side
MOST_LEVELS = 32
TAKEN_OVER = 0.35  # the noise then keeps a layout, and still snaps it to real patches
Output = Literal["eps", "residual"]
Detail = Literal["network", "patches"]
Times = Int[Tensor, "b 1 1 1"]  # a time for each picture of a batch, on the CPU


@dataclass(frozen=True, kw_only=True)
class Process(ABC):
    """A diffusion process and the network that reverses it.

    `starts` has the time at which each level begins; for the coarsest that is T. Subclasses add what a user can change
    when drawing: the fields that have the names of the engine's knobs. The annotations say what a file may hold.
    """

    network: NetworkConfig
    sizes: tuple[Size, ...]  # of the levels, from coarse to fine
    starts: tuple[Annotated[int, Whole(1, 1000)], ...]
    chain: Annotated[int, Whole(1, 1000)] = 100  # T: the time of pure noise
    output: Output = "eps"
    pixel_std: Annotated[float, Number(1e-4, 2)] = 1.0  # standard deviation of the source's pixels
    order: Annotated[float, Number(0, 1)] = 0.0  # how much an ordered network is told of where rows lie
    detail: Detail = "network"  # what draws all that is finer than the network's coarsest level

    engine: ClassVar[str]
    needs_source: ClassVar[bool] = False  # whether nothing can be drawn without the source's pixels

    def __post_init__(self) -> None:
        whole("the number of levels", len(self.sizes), 1, MOST_LEVELS)
        for coarser, (height, width) in zip([(SMALLEST, SMALLEST), *self.sizes], self.sizes):
            if height < coarser[0] or width < coarser[1] or height * width > LARGEST:
                raise UnicaError(
                    f"sizes must grow from coarse to fine, with sides of at least {SMALLEST} and at most {LARGEST:,}"
                    f" pixels, and one is {width}x{height}"
                )
        if len(self.starts) != len(self.sizes) or self.starts[0] != self.chain or max(self.starts) > self.chain:
            raise UnicaError(f"starts must be {len(self.sizes)} steps, of which the first is {self.chain} and the most")
        if self.network.levels not in (1, len(self.sizes)):
            raise UnicaError(f"network.levels must be 1 or {len(self.sizes)}, not {self.network.levels}")

    @property
    @abstractmethod
    def schedule(self) -> Discrete:
        """How much picture and how much noise there is at each time."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The present value of each knob."""

    @property
    def patch_settings(self) -> PatchSettings:
        """How patches draw detail: from half the size of a layout on, where large patches snap into place."""
        return PatchSettings(coarsest_area=768, widest=13)

    @property
    def taken_over(self) -> float:
        """The fraction of the coarsest level's steps that a layout of the network saves the patches."""
        return TAKEN_OVER

    @property
    def details(self) -> dict[str, str]:
        """What else `unica info` shows of a model."""
        return {}

    @abstractmethod
    def levels(self, sizes: Sequence[Size], wrap: Axes = "") -> list[Level]:
        """The levels that draw on a canvas; it has one of these sizes at each level."""

    def gamma(self, index: int) -> Gamma:
        """How much of the coarser result is blended into a level in training (SinDDM, Eq. 1)."""
        return no_blur

    def tuned(self, **knobs: Any) -> Process:
        """The process with other values of knobs. None leaves a value as it is."""
        return replace(self, **{name: value for name, value in knobs.items() if value is not None})

    def for_guidance(self) -> Process:
        """A process whose runs follow guides more readily, if the engine has one."""
        return self

    def eps(
        self,
        network: nn.Module,
        x: Float[Tensor, "b c h w"],
        t: Times,
        index: int,
        order: Float[Tensor, "b 2 h w"] | None = None,
    ) -> Float[Tensor, "b c h w"]:
        """The noise in x at times t, read from the network's output. `order` is for networks that are ordered.

        "eps": the output is the noise. "residual" (Karras et al. 2022, Table 1, for a variance-preserving chain): the
        output is the error of the optimal guess that looks at single pixels, scaled to unit variance like the input.
        """
        time = t.flatten().to(x.device) - 1  # networks count the noisy states from 0
        more = (torch.full_like(time, index),) if order is None else (torch.full_like(time, index), order)
        if self.output == "eps":
            return network(x, time, *more)
        alpha, sigma, scale = self._scales(x, t)
        output = network(x / scale, time, *more)
        return sigma / scale**2 * x - alpha * self.pixel_std / scale * output

    def loss_weight(self, x: Float[Tensor, "b c h w"], t: Times) -> Float[Tensor, "*b"]:
        """The factor that turns an error of eps into an error of the network's output."""
        if self.output == "eps":
            return torch.ones((), device=x.device)
        alpha, _, scale = self._scales(x, t)
        return scale / (alpha * self.pixel_std)

    def _scales(self, x: Tensor, t: Times) -> tuple[Tensor, Tensor, Tensor]:
        """alpha, sigma, and the standard deviation of x."""
        alpha, sigma = like(self.schedule.alpha(t), x), like(self.schedule.sigma(t), x)
        return alpha, sigma, (alpha**2 * self.pixel_std**2 + sigma**2).sqrt()


def std_of(pixels: Float[Tensor, "c h w"]) -> float:
    """The standard deviation of a picture's pixels, kept away from zero."""
    return max(pixels.std().item(), 1e-3)
