"""An engine in one file, as another package would bring it: every pixel becomes a mean of the source's colours.

For a noisy pixel x the posterior mean over the colours y_j of the source is sum_j w_j y_j with
w_j ~ exp(-|x - y_j|^2 / 2 sigma^2): the optimal denoiser whose receptive field is a single pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch

from unica.declare import Param, Whole
from unica.devices import find_device
from unica.diffusion import Level, Prediction, ddpm, eps_of
from unica.engines.base import Engine, Model, Run
from unica.image import Picture, load
from unica.schedule import Blend, Exploding


@dataclass(frozen=True)
class Knobs:
    colours: Annotated[int, Param("How many colours of the source are used.", Whole(2, 4096))] = 64


@dataclass(frozen=True)
class ToyModel(Model):
    picture: Picture
    colours: int
    device: torch.device
    dtype: torch.dtype = torch.float32

    engine = "toy"
    differentiable = True

    @property
    def settings(self) -> dict[str, Any]:
        return {"colours": self.colours}

    def run(self, size: tuple[int, int], wrap: Any = "") -> Run:
        times = tuple(4 * 0.6**step for step in range(12))
        return Run([Level(0, size, (*times, 0.0), Exploding(), ddpm(), wrap=wrap)])

    def denoiser(self, seeds: Sequence[int]) -> "ToyDenoiser":
        pixels = self.picture.pixels.flatten(1).T
        chosen = torch.linspace(0, len(pixels) - 1, min(self.colours, len(pixels))).long()
        return ToyDenoiser(pixels[chosen].to(self.device))

    def to(self, device: Any) -> "ToyModel":
        return replace(self, device=find_device(str(device)))


@dataclass(frozen=True)
class ToyDenoiser:
    palette: torch.Tensor

    def __call__(self, x_t: torch.Tensor, t: float, level: Level, blend: Blend) -> Prediction:
        distances = (x_t.movedim(1, -1)[..., None, :] - self.palette).square().sum(-1)
        x0 = ((-distances / (2 * t**2)).softmax(-1) @ self.palette).movedim(-1, 1)
        return Prediction(x0, eps_of(x_t, x0, t, level.schedule))


class ToyEngine(Engine):
    name = "toy"
    summary = "mixes the colours of the source"
    rank = 50
    opens_pictures = True
    knobs = Knobs

    def open(
        self, image: Any, device: str = "auto", precision: str = "auto", report: Any = None, **knobs: Any
    ) -> ToyModel:
        return ToyModel(load(image), Knobs(**self.check_knobs(knobs)).colours, find_device(device))


engine = ToyEngine()
