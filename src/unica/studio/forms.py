"""Forms for a page, made from declarations: each field with its kind, its range, its default and its help."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from unica.declare import UNSET, Choice, File, Group, Number, Parameter, Whole, parameters
from unica.engines.base import MAX_SIDE, engines, picture_engine
from unica.errors import UnicaError
from unica.jobs.options import Option, options_of
from unica.jobs.task_options import OutputOptions, TileOptions, options_of_task
from unica.jobs.training import Budget, EngineName, MaxSide, Preset, Steps, TrainSeed, knob_options
from unica.maps import MAP_NAMES
from unica.tasks import Task, tasks

_OF_OUTPUT = ("yes",)  # what a form may set of the options of output
_LEFT_OUT = ("path", "with_", "show_mask", "show")  # what is chosen elsewhere on the page, or always done


def training(
    engine: EngineName = None,
    preset: Preset = None,
    budget: Budget = "2m",
    steps: Steps = None,
    seed: TrainSeed = 0,
    max_side: MaxSide = MAX_SIDE,
) -> None:
    """Train a model on the picture. It can be stopped at any time, and is usable then."""


def options_of_form(task: Task) -> list[Option]:
    """The options of a task that a page or a program may set."""
    of_output = {parameter.name for kind in (OutputOptions, TileOptions) for parameter in parameters(kind)}
    left_out = of_output - set(_OF_OUTPUT) | {*_LEFT_OUT}
    return [option for option in options_of_task(task) if option.name not in left_out]


def options_of_training() -> list[Option]:
    return [*options_of(training), *knob_options()]


def forms() -> dict[str, Any]:
    """Everything that a page must know to make its forms."""
    return {
        "tasks": [_of_task(task) for task in tasks().values() if task.group is not None],
        "training": {
            "description": training.__doc__,
            "fields": [_field(option, training, "training_knobs") for option in options_of_training()],
        },
        "engines": {
            engine.name: {
                "summary": engine.summary,
                "opens_pictures": engine.opens_pictures,
                "presets": dict(engine.presets),
                "defaults": {task: dict(values) for task, values in engine.defaults.items()},
            }
            for engine in engines().values()
        },
        "picture_engine": picture_engine().name,
        "maps": MAP_NAMES,
    }


def _of_task(task: Task) -> dict[str, Any]:
    regions = {field.name for p in task.parameters if isinstance(p.kind, Group) for field in parameters(p.kind.of)}
    needed = any(isinstance(p.kind, Group) and p.required for p in task.parameters)
    return {
        "name": task.name,
        "group": task.group,
        "description": task.description,
        "animation": task.animation,
        "region": sorted(regions),
        "region_needed": needed,
        "on_content": any(p.name == "content" for p in task.parameters),
        "fields": [_field(option, task.function, "knobs") for option in options_of_form(task)],
    }


def _field(option: Option, declared: Callable[..., Any], knobs: str) -> dict[str, Any]:
    """One field: what the page needs to draw it and to send its value back. A knob names its engines."""
    own = {parameter.name for parameter in parameters(declared)}
    owners = [e.name for e in engines().values() if option.name in {p.name for p in parameters(getattr(e, knobs))}]
    parameter, kind = option.parameter, option.parameter.kind
    default = None if option.usual is UNSET else option.usual
    shown: dict[str, Any] = {
        "name": option.name,
        "label": option.name.replace("_", " "),
        "kind": _kind(parameter),
        "help": parameter.about.help,
        "metavar": kind.metavar,
        "example": getattr(kind, "example", ""),
        "required": parameter.required,
        "advanced": parameter.about.advanced,
        "engines": [] if option.name in own else owners,
        "repeated": kind.repeated,
        "default": default if isinstance(default, str | int | float | bool) else None,
    }
    if isinstance(kind, Number | Whole):
        shown |= {"low": kind.low, "high": kind.high}
        fallback = parameter.about.fallback
        shown["fallback"] = None if fallback is UNSET else fallback
    if isinstance(kind, Choice):
        shown["options"] = list(kind.options)
    return shown


def _kind(parameter: Parameter) -> str:
    """The name of the kind that the page knows: the nearest of the classes that stand above it."""
    names = [cls.__name__.lower() for cls in type(parameter.kind).__mro__]
    return next((name for name in names if name in _KNOWN), "text")


_KNOWN = {
    "whole", "number", "flag", "choice", "file", "size", "stretch", "boxes", "polygons", "placements", "prompts",
    "text", "clipname", "numbers",
}  # fmt: skip


def files_of(options: Iterable[Option], values: Mapping[str, Any]) -> list[str]:
    """The names of the options whose values are files that a job reads."""
    return [o.name for o in options if isinstance(o.parameter.kind, File) and values.get(o.name) not in (None, "")]


def meant(error: UnicaError, names: Sequence[str]) -> str | None:
    """The setting of which an error speaks first, if it names one."""
    words = [word.strip(",:;.()/").lstrip("-").replace("-", "_") for word in str(error).split()]
    return next((word for word in words if word in names), None)
