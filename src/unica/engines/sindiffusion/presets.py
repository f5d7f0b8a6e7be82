"""How SinDiffusion is trained: its own settings, and functions that return them. Measured in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from unica.engines.blur_rules import Pixels
from unica.engines.sindiffusion.process import SinDiffusionProcess, make_process
from unica.engines.trained import TrainedModelConfig
from unica.image import Picture
from unica.networks import UNetConfig, with_receptive_field
from unica.pyramid import Size, receptive_field_sizes
from unica.training.presets import FAST


@dataclass(frozen=True, kw_only=True)
class SinDiffusionTraining(TrainedModelConfig):
    network: UNetConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    multiscale: bool = False  # a network for each level of a pyramid

    engine = "sindiffusion"

    def sizes(self, picture: Picture) -> list[Size]:
        width, height = picture.size
        sizes = receptive_field_sizes((height, width), largest_area=self.largest_area)
        return sizes if self.multiscale else sizes[-1:]

    def process(self, levels: list[Pixels]) -> SinDiffusionProcess:
        network = replace(self.network, channels=len(levels[0]))
        if self.multiscale:
            network = replace(network, levels=len(levels))
        return replace(make_process(network, levels, self.output), detail=self.detail)

    def with_receptive_field(self, fraction: float, picture: Picture) -> SinDiffusionTraining:
        """These settings, with the network whose receptive field is nearest to a fraction of the picture's side.

        The side is the square root of the area on which the network is trained.
        """
        area = min(picture.size[0] * picture.size[1], self.largest_area)
        return replace(self, network=with_receptive_field(self.network, fraction * area**0.5))


def paper() -> SinDiffusionTraining:
    """SinDiffusion as published. Batch, learning rate and sizes are those of the authors' code.

    That code has AdamW without weight decay, which is Adam.
    """
    return SinDiffusionTraining(
        preset="paper",
        network=UNetConfig(),
        output="eps",
        steps=50_000,  # the paper does not say
        batch_images=16,
        loss="l2",
        optimizer="adam",
        learning_rate=5e-4,
        halved_at=(),
        ema=0.9999,
        random_resize=0.25,
        enlarge=True,
    )


def paper_large() -> SinDiffusionTraining:
    """The enhanced network for one large picture (Fig. 7: 486x741)."""
    network = UNetConfig(multipliers=(1, 2, 4, 8), blocks=2)
    return replace(paper(), preset="paper-large", network=network, checkpointing=True, largest_area=400_000)


def multi_scale() -> SinDiffusionTraining:
    """The baseline of the ablation (Table 3): a diffusion model for each level of a pyramid."""
    return replace(paper(), preset="multi-scale", multiscale=True)


def fast() -> SinDiffusionTraining:
    """Good pictures after minutes of training; docs/notes/training.md tells how the values were found.

    At 128 pixels of height, on one core and two pictures: coherence 1.4 to 1.6 times that of the closed form after 5
    minutes and 1.3 after 15.
    """
    return SinDiffusionTraining(
        **FAST,
        network=UNetConfig(width=48, multipliers=(1, 1), fold=2, norm=False),
        batch_pixels=72_000,
        time_power=2.0,
    )


PRESETS: dict[str, Callable[[], SinDiffusionTraining]] = {
    "fast": fast,
    "paper": paper,
    "paper-large": paper_large,
    "multi-scale": multi_scale,
}
