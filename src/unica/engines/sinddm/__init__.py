"""SinDDM (Kulikov et al., ICML 2023): one small network over a pyramid of sizes takes away noise and blur together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Flag, Numbers, Param
from unica.engines.base import Checkpoint, DetailKnob, Engine
from unica.errors import one_of

if TYPE_CHECKING:
    import torch

    from unica.engines.files import StoredModel
    from unica.engines.sinddm.presets import SinDDMTraining
    from unica.engines.trained import TrainedModel
    from unica.image import Picture


@dataclass(frozen=True)
class Knobs:
    """What a user can set when drawing."""

    start_steps: Annotated[
        tuple[int, ...] | None,
        Param(
            "Steps of each level above the coarsest; more steps change more of what the coarser level drew.",
            Numbers(metavar="T,T,...", example="52,41,31,22"),
            advanced=True,
        ),
    ] = None
    blend: Annotated[
        bool,
        Param(
            "Levels take away the blur of the coarser level as well as noise.",
            Flag(),
            off="Levels take away noise only, by DDPM, and not the blur of the coarser level.",
        ),
    ] = True
    detail: DetailKnob = None


class SinDDMEngine(Engine):
    name = "sinddm"
    summary = "a small network over a pyramid of sizes, trained on the picture in minutes"
    rank = 10
    knobs = Knobs
    presets = {  # noqa: RUF012
        "fast": "good pictures after minutes of training",
        "paper": "the published settings: 120,000 steps",
        "paper-small-gpu": "the published settings for small GPUs: half the batch, four times the steps",
        "no-blur": "the ablation of the paper's Fig. 5: noise without blur",
    }
    defaults = {  # noqa: RUF012
        "style": {"strength": 0.45},
        "analogy": {"strength": 0.5},
        "retarget": {"strength": 0.75},
    }

    def config(self, preset: str, picture: "Picture", **knobs: Any) -> "SinDDMTraining":
        from unica.engines.sinddm.presets import PRESETS

        return PRESETS[one_of("preset", preset, list(self.presets))]()

    def read(self, stored: "StoredModel", device: "torch.device", dtype: "torch.dtype", **knobs: Any) -> "TrainedModel":
        from unica.engines.sinddm.process import SinDDMProcess
        from unica.engines.trained import read_trained

        return read_trained(stored, SinDDMProcess, device, dtype, **knobs)

    def import_checkpoint(self, checkpoint: Checkpoint) -> "TrainedModel | None":
        from unica.engines.sinddm.checkpoint import read_checkpoint

        return read_checkpoint(checkpoint)


engine = SinDDMEngine()
