"""IMAGE|MODEL on a command line: which engine is meant, and which of the options are for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import unica
from unica.declare import Choice, File, NamedFiles, NamedNumbers, Numbers, Param, Repeated, Text, parameters
from unica.engines.base import HUB_FILE, Engine, Model, Report, engines, find, picture_engine
from unica.errors import UnicaError, listed
from unica.jobs.options import Option, as_typed, options_of

SUFFIXES = (".unica", ".safetensors")

Device = Annotated[str, Param("Where to compute.", Choice("auto", "cpu", "cuda", "mps"), advanced=True)]
Precision = Annotated[str, Param("Precision of matrix products.", Choice("auto", "float32", "bf16"), advanced=True)]


MoreMaps = Annotated[
    Sequence[tuple[str, Path]],
    Param(
        "Another map of the same thing, which is drawn together with the picture: color, normal, height, roughness,"
        " labels, or any other name. For several, give it several times.",
        NamedFiles(),
    ),
]
MapWeights = Annotated[
    Sequence[tuple[str, float]],
    Param(
        "How much a map counts where patches are compared, by its name or kind (color, normal, scalar, labels).",
        NamedNumbers(),
        advanced=True,
    ),
]
Preview = Annotated[
    Sequence[int] | None,
    Param(
        "Of a picture of many channels: which three are shown as red, green and blue, counted from 1.",
        Numbers(),
        advanced=True,
        recorded=False,
    ),
]


@dataclass(frozen=True)
class ModelOptions:
    """What says which model is meant."""

    path: Annotated[
        Path,
        Param("The one picture, a folder with its maps, or a model trained on it.", File("IMAGE|MODEL"), argument=True),
    ]
    with_: MoreMaps = ()
    weight: MapWeights = ()
    preview: Preview = None
    engine: Annotated[
        str | None, Param("Which engine draws from a picture; a model knows its own.", Text("NAME"), recorded=False)
    ] = None
    device: Device = "auto"
    precision: Precision = "auto"


@cache
def model_options() -> Sequence[Option]:
    """Which model, and a panel with the knobs of each engine. A knob of several engines stands in the first panel."""
    found = options_of(ModelOptions, "Model")
    for engine in engines().values():
        known = {option.name for option in found}
        panel = f"Engine: {engine.name}"
        found += [option for option in options_of(engine.knobs, panel, optional=True) if option.name not in known]
    return found


def open_model(values: Mapping[str, Any], report: Report | None = None) -> Model:
    """The model that was asked for. An option of another engine is refused before anything starts."""
    path, name = values["path"], values["engine"]
    names = {parameter.name for engine in engines().values() for parameter in parameters(engine.knobs)}
    knobs = {name: values[name] for name in names if values.get(name) is not None}
    if name is not None:
        find(name)
    if not is_model(path):
        engine = picture_engine(name)
        refuse_others(engine, knobs, lambda engine: engine.knobs)
        return unica.open(source_of(values), engine.name, values["device"], values["precision"], report, **knobs)
    for option in ("with_", "weight"):
        if values.get(option):
            raise UnicaError(f"--{option.rstrip('_')} is for pictures: {path} is a model, and has its maps in it")
    from unica.engines.files import engine_of

    engine = engine_of(path)
    if name not in (None, engine.name):
        raise UnicaError(f"{path} is a model of the {engine.name} engine, not of {name}")
    refuse_others(engine, knobs, lambda engine: engine.knobs)
    return unica.load(path, values["device"], values["precision"], **knobs)


def source_of(values: Mapping[str, Any]) -> Any:
    """What an engine opens: a file, or the maps of which it is one."""
    path = values["path"]
    if not has_maps(values):
        return path
    from unica.maps import Maps

    more, weights = dict(values["with_"] or ()), dict(values["weight"] or ())
    return Maps.beginning_with(path, more, weights, values["preview"])


def has_maps(values: Mapping[str, Any]) -> bool:
    """Whether the source is more than one file, or is to be seen in its own way."""
    return values["path"].is_dir() or any(values.get(name) for name in ("with_", "weight", "preview"))


def other_offers(path: Path, model: Model) -> list[str]:
    """What other engines that draw from a picture would add, for those who have just drawn from one."""
    if is_model(path):
        return []
    others = [engine for engine in engines().values() if engine.opens_pictures and engine.name != model.engine]
    return [f"--engine {engine.name} {engine.offer}" for engine in others if engine.offer]


def typed_options(values: Mapping[str, Any], device: str, model: Model) -> list[str]:
    """Options that open the same model again, whatever the defaults will be then."""
    engine = find(model.engine)
    line = ["--engine", engine.name]
    for parameter in parameters(ModelOptions):
        if isinstance(parameter.kind, Repeated) and values.get(parameter.name):
            line += as_typed(parameter, values[parameter.name])
    for knob in parameters(engine.knobs):
        line += as_typed(knob, model.settings.get(knob.name))
    line += ["--device", device] if device != "auto" else []
    return [*line, "--precision", "bf16" if str(model.dtype) == "torch.bfloat16" else "float32"]


def is_model(path: Path) -> bool:
    """By its ending, or because it is a folder with one, as the Hugging Face hub has models."""
    return path.suffix.lower() in SUFFIXES or (path / HUB_FILE).exists()


def refuse_others(engine: Engine, given: Mapping[str, Any], knobs_of: Callable[[Engine], type]) -> None:
    """Refuse settings of other engines, by the names of their options."""
    mine = {parameter.name for parameter in parameters(knobs_of(engine))}
    for name in given:
        owners = {e.name: p for e in engines().values() for p in parameters(knobs_of(e)) if p.name == name}
        if name not in mine and owners:
            option = next(iter(owners.values())).option
            raise UnicaError(f"--{option} is for the {listed(list(owners))} engine, and this is {engine.name}")
