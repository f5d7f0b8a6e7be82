"""The hybrid engine: a small network draws what is large, and patches of the source draw what is fine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Number, Odd, Param, Whole
from unica.engines.base import Engine, OrderKnob, Report
from unica.errors import UnicaError, one_of

if TYPE_CHECKING:
    import torch

    from unica.engines.files import StoredModel
    from unica.engines.hybrid.presets import HybridTraining
    from unica.engines.trained import TrainedModel
    from unica.image import Picture


@dataclass(frozen=True)
class Knobs:
    """What a user can set when drawing."""

    diversity: Annotated[
        float | None,
        Param(
            "0 gives near-copies, 0.5 new layouts of the same scene, 1 wild mixtures (default: 0.5).",
            Number(0, 1),
        ),
    ] = None
    patch: Annotated[
        int | None,
        Param(
            "Side of the patches that make fine detail (default: 7); larger ones copy more.", Odd(3, 31), advanced=True
        ),
    ] = None
    order: OrderKnob = None
    max_side: Annotated[
        int | None,
        Param(
            "Larger pictures are shrunk to this many pixels a side before they are learned.",
            Whole(32, 10**6),
            advanced=True,
        ),
    ] = None


class HybridEngine(Engine):
    name = "hybrid"
    summary = "a small network draws what is large, patches what is fine; less than a minute of training"
    offer = "draws layouts that bend instead of tearing; it learns a picture in less than a minute, once"
    rank = 5
    opens_pictures = True
    knobs = Knobs
    presets = {"fast": "good pictures after less than a minute of training"}  # noqa: RUF012
    defaults = {  # noqa: RUF012
        "retarget": {"strength": 0.6},
        "text": {"from_level": 0, "prefer": 2.0},  # the layout follows
        "follow": {"from_level": 0, "prefer": 2.0},
    }

    def open(
        self, image: Any, device: str = "auto", precision: str = "auto", report: Report | None = None, **knobs: Any
    ) -> "TrainedModel":
        from unica.engines.hybrid.model import open_picture

        return open_picture(image, device, precision, report, **self.check_knobs(knobs))

    def config(self, preset: str, picture: "Picture", **knobs: Any) -> "HybridTraining":
        from unica.engines.hybrid.presets import PRESETS

        return PRESETS[one_of("preset", preset, list(self.presets))]()

    def read(self, stored: "StoredModel", device: "torch.device", dtype: "torch.dtype", **knobs: Any) -> "TrainedModel":
        if knobs.pop("max_side", None) is not None:
            raise UnicaError("max_side is for pictures that are yet to be learned: this is a model already")
        from unica.engines.hybrid.process import HybridProcess
        from unica.engines.trained import read_trained

        return read_trained(stored, HybridProcess, device, dtype, **knobs)


engine = HybridEngine()
