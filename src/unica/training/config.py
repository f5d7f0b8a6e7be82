"""Everything that decides a training, besides the picture and the seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unica.image import Picture, shrink
from unica.networks import NetworkConfig
from unica.process import Output, Process
from unica.pyramid import Size, pyramid
from unica.training.muon import Muon, is_matrix

if TYPE_CHECKING:
    from unica.engines.base import Model


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(ABC):
    """The settings that all engines share. Each engine has a subclass with its own settings and with the methods."""

    preset: str
    network: NetworkConfig  # `process` sets its channels to those of the picture
    output: Output
    steps: int | None  # None: as many as the budget has time for
    batch_images: int | None = None  # pictures in a batch; without it ...
    batch_pixels: int | None = None  # ... as many as have about this many pixels
    loss: Literal["l1", "l2"]
    optimizer: Literal["adam", "muon"]
    learning_rate: float
    halved_at: tuple[int, ...] | None  # steps at which the learning rate is halved; None: it falls linearly to 0
    ema: float  # decay of the average of the weights
    ema_from: int = 0  # the average is a copy of the weights until this step
    ema_every: int = 1  # steps between two updates of the average
    visited_times: float = 0.0  # fraction of the batches that take only times which a run visits
    time_power: float = 1.0  # times are T u^power with u uniform: above 1, more of them have little noise
    clip_norm: float | None = None  # largest norm of the gradient
    warmup: int = 0  # steps in which the learning rate rises from 0
    random_resize: float = 0.0  # each side of the source is resized by a factor that differs from 1 by at most this
    random_crop: tuple[float, float] = (0.0, 0.0)  # at most this fraction of rows and of columns is cut off
    enlarge: bool = False  # whether that factor may make the source larger than it is
    checkpointing: bool = False  # compute features again in the backward pass instead of keeping them in memory
    threads: int | None = None  # of a CPU, at most; None: torch's own number
    largest_area: int = 50_000  # pixels; larger sources are shrunk

    engine: ClassVar[str]

    @abstractmethod
    def sizes(self, picture: Picture) -> list[Size]:
        """The sizes at which the network sees the picture, from coarse to fine."""

    @abstractmethod
    def process(self, levels: list[Float[Tensor, "c _ _"]]) -> Process:
        """The process for a source that has these levels."""

    @abstractmethod
    def model(
        self,
        process: Process,
        network: nn.Module,
        picture: Picture,
        training: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype,
    ) -> Model:
        """A model that draws with the trained network, and has a method `save(path, source)`."""

    def source(self, picture: Picture, levels: list[Float[Tensor, "c _ _"]]) -> Picture:
        """The picture that the model keeps: as large as the network sees it."""
        return shrink(picture, (levels[-1].shape[-2], levels[-1].shape[-1]))

    def levels(self, picture: Picture) -> list[Float[Tensor, "c _ _"]]:
        """The source at each size. Transparency is one more channel.

        Sources of 8 bits are rounded to 8 bits at every size, as the authors' code does.
        """
        how = "lanczos8" if picture.bits == 8 else "lanczos"
        scales = pyramid(picture.pixels, picture.alpha, self.sizes(picture), how)
        return [s.pixels if s.alpha is None else torch.cat([s.pixels * s.visible, s.alpha * 2 - 1]) for s in scales]

    def optimizers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        """The optimizers that together train all weights."""
        weights = list(network.parameters())
        if self.optimizer == "adam":
            return [torch.optim.Adam(weights, self.learning_rate)]
        matrices = [weight for weight in weights if is_matrix(weight)]
        others = [weight for weight in weights if not is_matrix(weight)]
        return [Muon(matrices, self.learning_rate), torch.optim.Adam(others, self.learning_rate, betas=(0.9, 0.99))]
