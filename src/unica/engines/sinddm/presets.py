"""How SinDDM is trained: its own settings, and functions that return them. Measured in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from unica.engines.blur_rules import Pixels, Rule
from unica.engines.sinddm.process import SinDDMProcess, make_process
from unica.engines.trained import TrainedModelConfig
from unica.image import Picture
from unica.networks import FoldedConfig, SinDDMConfig
from unica.pyramid import Size, receptive_field_sizes
from unica.training.presets import FAST

_HALVED_AT = (20_000, 40_000, 70_000, 80_000, 90_000, 110_000)


@dataclass(frozen=True, kw_only=True)
class SinDDMTraining(TrainedModelConfig):
    """`start_fraction` and `least_noise`: see `process.make_process`."""

    rule: Rule = "authors"  # what start steps and blur follow from
    blur: bool = True  # whether there is any blur
    start_fraction: float = 1.0  # of the rule's start steps
    least_noise: float = 0.0  # a level starts where its noise is at least this many times its blur

    engine = "sinddm"

    def sizes(self, picture: Picture) -> list[Size]:
        width, height = picture.size
        return receptive_field_sizes((height, width), largest_area=self.largest_area)

    def process(self, levels: list[Pixels]) -> SinDDMProcess:
        network = replace(self.network, channels=len(levels[0]))
        made = make_process(network, levels, self.rule, self.output, self.blur, self.start_fraction, self.least_noise)
        return replace(made, detail=self.detail)


def paper() -> SinDDMTraining:
    """SinDDM as published (supplement C). Start steps, gamma and the average are those of the authors' code."""
    return SinDDMTraining(
        preset="paper",
        network=SinDDMConfig(dim=160),
        output="eps",
        steps=120_000,
        batch_images=32,
        loss="l1",
        optimizer="adam",
        learning_rate=1e-3,
        halved_at=_HALVED_AT,
        ema=0.995,
        ema_from=2000,
        ema_every=10,
    )


def paper_small_gpu() -> SinDDMTraining:
    """The paper's settings for small GPUs: half the batch, four times the steps."""
    halved_at = tuple(4 * step for step in _HALVED_AT)
    return replace(paper(), preset="paper-small-gpu", steps=480_000, batch_images=16, halved_at=halved_at)


def no_blur() -> SinDDMTraining:
    """The ablation of Fig. 5: noise without blur, which loses fine detail."""
    return replace(paper(), preset="no-blur", blur=False)


def fast() -> SinDDMTraining:
    """Good pictures after minutes of training; docs/notes/training.md tells how the values were found.

    At 128 pixels of height on two cores: coherence 1.6 to 1.7 times that of the closed form after 5 minutes and 1.5
    to 1.6 after 15, on three pictures; about 2 on gravel, where everything is random, and which still looks
    like its source.
    """
    return SinDDMTraining(
        **FAST,
        network=FoldedConfig(width=96, blocks=3, fold=2),
        batch_pixels=22_000,
        start_fraction=0.7,
        least_noise=3.4,
        visited_times=0.8,
    )


PRESETS: dict[str, Callable[[], SinDDMTraining]] = {
    "fast": fast,
    "paper": paper,
    "paper-small-gpu": paper_small_gpu,
    "no-blur": no_blur,
}
