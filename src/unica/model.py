"""What every engine gives the tasks: a model of one picture. Nothing of a run is kept on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Axes, Denoiser, Level
from unica.guides import Known
from unica.image import Picture
from unica.pyramid import Size
from unica.regions import Mask

TRAINED = ("sinddm", "sindiffusion")  # engines that draw from a trained model, and not from a picture as it is


@runtime_checkable
class Model(Protocol):
    """An engine on one source picture. Tasks edit its levels and never look inside."""

    @property
    def engine(self) -> str: ...

    @property
    def picture(self) -> Picture: ...

    @property
    def source(self) -> bool:
        """Whether the picture's pixels are there, or only its size."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the pixels, besides the task's own words."""
        ...

    @property
    def summary(self) -> str: ...

    @property
    def batch(self) -> int:
        """How many pictures are best drawn together on this device."""
        ...

    @property
    def channels(self) -> int:
        """Of the pictures that are drawn: colours, and transparency where the network makes that too."""
        ...

    @property
    def traces(self) -> bool:
        """Whether a run knows by itself where its pixels come from."""
        ...

    def without(self, hidden: Mask) -> Model:
        """A model that does not draw from these pixels of its picture, as far as the engine can."""
        ...

    def closer(self) -> Model:
        """A model that follows shapes it does not know more closely, as far as the engine can."""
        ...

    def pliant(self) -> Model:
        """A model whose runs give way to guides that ask for what it does not know, as far as the engine can."""
        ...

    def denoiser(self, seeds: Sequence[int], known: Known | None = None) -> Denoiser:
        """A fresh one for the pictures of these seeds, in which some of the canvas may be known."""
        ...

    def levels(self, size: Size, wrap: Axes = "") -> list[Level]: ...

    def initial(self, level: Level) -> Float[Tensor, "1 c h w"] | None:
        """What the coarsest level starts from: None is pure noise."""
        ...

    def work(self, level: Level, t: float) -> float:
        """Roughly how long a step of a level takes, for progress bars."""
        ...

    def alpha(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Float[Tensor, "1 h w"] | None:
        """The transparency of a finished picture, the denoiser's `row`th."""
        ...

    def origins(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Int[Tensor, "h w 2"]:
        """Row and column in the source of each pixel of a finished picture."""
        ...
