"""What a training can be told, by a command line or by a form."""

from typing import Annotated

from unica.declare import Choice, Param, Text, Whole
from unica.engines.base import engines
from unica.jobs.options import Option, options_of

TRAINED = [engine for engine in engines().values() if engine.presets]
_PRESETS = "; ".join(f"{engine.name}: {', '.join(engine.presets)}" for engine in TRAINED)

EngineName = Annotated[
    str | None, Param(f"Which engine (default: {TRAINED[0].name}).", Choice(*(engine.name for engine in TRAINED)))
]
Preset = Annotated[str | None, Param(f"How. {_PRESETS} (default: the first).", Text("NAME"))]
Budget = Annotated[
    str | None, Param("How long: 90s, 10m or 1h30m (default: 10m, unless the preset has steps).", Text("TIME"))
]
Steps = Annotated[
    int | None,
    Param("How many steps, instead of a budget (default: the preset's).", Whole(1, 10**9), advanced=True),
]
TrainSeed = Annotated[int, Param("Seed of everything random in the training.", Whole(0, 2**62), advanced=True)]
MaxSide = Annotated[
    int, Param("Larger sources are shrunk to this many pixels a side.", Whole(32, 10**6), advanced=True)
]


def knob_options() -> list[Option]:
    """The training knobs of each engine, in a panel of its own."""
    return [o for engine in TRAINED for o in options_of(engine.training_knobs, f"Engine: {engine.name}", optional=True)]
