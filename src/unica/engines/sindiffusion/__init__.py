"""SinDiffusion (Wang et al. 2022): one U-Net whose receptive field is a patch, at a single size."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Choice, Number, Param, Whole
from unica.engines.base import Checkpoint, DetailKnob, Engine
from unica.errors import one_of

if TYPE_CHECKING:
    import torch

    from unica.engines.files import StoredModel
    from unica.engines.sindiffusion.presets import SinDiffusionTraining
    from unica.engines.trained import TrainedModel
    from unica.image import Picture

SAMPLERS = ("sde-dpm++", "dpm++", "ddim", "ddpm")


@dataclass(frozen=True)
class Knobs:
    """What a user can set when drawing."""

    steps: Annotated[int | None, Param("Steps of a run (default: 25).", Whole(1, 1000))] = None
    sampler: Annotated[
        str | None,
        Param("How a step is made (default: sde-dpm++); ddpm is the paper's.", Choice(*SAMPLERS), advanced=True),
    ] = None
    detail: DetailKnob = None


@dataclass(frozen=True)
class TrainingKnobs:
    """What a user can set when training."""

    receptive_field: Annotated[
        float | None,
        Param(
            "Side of what one pixel depends on, as a fraction of the picture's side: the larger, the more of the"
            " layout is kept (the paper tries 0.07, 0.17, 0.36 and 0.74).",
            Number(0, 2, above=True),
        ),
    ] = None


class SinDiffusionEngine(Engine):
    name = "sindiffusion"
    summary = "a U-Net that sees patches at a single size, trained on the picture in minutes"
    rank = 20
    knobs = Knobs
    training_knobs = TrainingKnobs
    presets = {  # noqa: RUF012
        "fast": "good pictures after minutes of training",
        "paper": "the published settings: 50,000 steps",
        "paper-large": "the enhanced network of the paper's Fig. 7, for one large picture",
        "multi-scale": "the baseline of the paper's Table 3: a network for each level of a pyramid",
    }
    defaults = {  # noqa: RUF012
        "retarget": {"strength": 0.95},
    }

    def config(
        self, preset: str, picture: "Picture", receptive_field: float | None = None, **knobs: Any
    ) -> "SinDiffusionTraining":
        from unica.engines.sindiffusion.presets import PRESETS

        config = PRESETS[one_of("preset", preset, list(self.presets))]()
        return config if receptive_field is None else config.with_receptive_field(receptive_field, picture)

    def read(self, stored: "StoredModel", device: "torch.device", dtype: "torch.dtype", **knobs: Any) -> "TrainedModel":
        from unica.engines.sindiffusion.process import SinDiffusionProcess
        from unica.engines.trained import read_trained

        return read_trained(stored, SinDiffusionProcess, device, dtype, **knobs)

    def import_checkpoint(self, checkpoint: Checkpoint) -> "TrainedModel | None":
        from unica.engines.sindiffusion.checkpoint import read_checkpoint

        return read_checkpoint(checkpoint)


engine = SinDiffusionEngine()
