"""How the layout network is trained. Measured in docs/benchmarks.md; what lost is in docs/notes/hybrid.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from unica.engines.hybrid.process import HybridProcess
from unica.engines.trained import TrainedModelConfig
from unica.image import Picture
from unica.networks import FoldedConfig
from unica.patches import PatchSettings, measure_order
from unica.process import std_of
from unica.pyramid import Scale, Size, level_sizes
from unica.training.presets import FAST


@dataclass(frozen=True, kw_only=True)
class HybridTraining(TrainedModelConfig):
    engine = "hybrid"

    def sizes(self, picture: Picture) -> list[Size]:
        """The size at which patches alone would decide the layout."""
        width, height = picture.size
        return level_sizes((height, width), PatchSettings().coarsest_area)[:1]

    def process(self, levels: list[Float[Tensor, "c _ _"]]) -> HybridProcess:
        (coarsest,) = levels
        size = (coarsest.shape[-2], coarsest.shape[-1])
        visible = torch.ones(size, dtype=torch.bool, device=coarsest.device)
        return HybridProcess(
            network=replace(self.network, channels=len(coarsest)),
            sizes=(size,),
            starts=(HybridProcess.chain,),
            output=self.output,
            pixel_std=std_of(coarsest),
            order=measure_order(Scale(coarsest, None, visible)),
        )

    def source(self, picture: Picture, levels: list[Float[Tensor, "c _ _"]]) -> Picture:
        """The whole picture: patches of all sizes are drawn from it."""
        return picture


def fast() -> HybridTraining:
    """Good pictures after less than a minute of training."""
    return HybridTraining(
        **{**FAST, "steps": 1500},
        network=FoldedConfig(width=48, blocks=3, fold=2, ordered=True),
        batch_pixels=6000,
        random_crop=(0.5, 0.5),
        threads=1,
    )


PRESETS: dict[str, Callable[[], HybridTraining]] = {"fast": fast}
