"""The instant engine: it copies patches of the source, by a closed formula, and needs no training."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Number, Odd, Param, Whole
from unica.engines.base import MAX_SIDE, Engine, OrderKnob, Report

if TYPE_CHECKING:
    from unica.engines.instant.model import Instant


@dataclass(frozen=True)
class Knobs:
    """What a user can set."""

    diversity: Annotated[
        float, Param("0 gives near-copies, 0.5 new layouts of the same scene, 1 wild mixtures.", Number(0, 1))
    ] = 0.5
    order: OrderKnob = None
    patch: Annotated[
        int, Param("Side of the patches that make fine detail; larger ones copy more.", Odd(3, 31), advanced=True)
    ] = 7
    levels: Annotated[
        int | None, Param("How many sizes the picture is seen at (default: by its size).", Whole(1, 12), advanced=True)
    ] = None
    max_side: Annotated[
        int | None, Param("Larger sources are shrunk to this many pixels a side.", Whole(32, 10**6), advanced=True)
    ] = MAX_SIDE


class InstantEngine(Engine):
    name = "instant"
    summary = "copies patches of the picture, at once, with nothing to train"
    rank = 0
    opens_pictures = True
    knobs = Knobs
    defaults = {  # noqa: RUF012
        "retarget": {"strength": 0.65},
        "text": {"prefer": 4.0},
        "follow": {"prefer": 4.0},
    }

    def open(
        self, image: Any, device: str = "auto", precision: str = "auto", report: Report | None = None, **knobs: Any
    ) -> "Instant":
        from unica.engines.instant.model import open_picture

        return open_picture(image, Knobs(**self.check_knobs(knobs)), device, precision)


engine = InstantEngine()
