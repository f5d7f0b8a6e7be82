"""IMAGE|MODEL on a command line: which engine is meant, and which of the options are for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import unica
from unica.cli.options import Option, options_of, words
from unica.declare import Choice, File, Param, Parameter, Text, parameters
from unica.engines.base import Engine, Model, engines, find, picture_engine
from unica.errors import UnicaError, listed

SUFFIXES = (".unica", ".safetensors")

Device = Annotated[str, Param("Where to compute.", Choice("auto", "cpu", "cuda", "mps"))]
Precision = Annotated[str, Param("Precision of matrix products.", Choice("auto", "float32", "bf16"))]


@dataclass(frozen=True)
class Opening:
    """What says which model is meant."""

    path: Annotated[Path, Param("The one picture, or a model trained on it.", File("IMAGE|MODEL"), argument=True)]
    engine: Annotated[
        str | None, Param("Which engine draws from a picture; a model knows its own.", Text("NAME"), recorded=False)
    ] = None
    device: Device = "auto"
    precision: Precision = "auto"


def opening_options() -> list[Option]:
    """Which model, and a panel with the knobs of each engine. A knob of several engines stands in the first panel."""
    found = options_of(Opening, "Model")
    for engine in engines().values():
        known = {option.name for option in found}
        panel = f"Engine: {engine.name}"
        found += [option for option in options_of(engine.knobs, panel, optional=True) if option.name not in known]
    return found


def open_model(values: Mapping[str, Any]) -> Model:
    """The model that was asked for. An option of another engine is refused before anything starts."""
    path, name = values["path"], values["engine"]
    knobs = {name: values[name] for name in _all_knobs() if values.get(name) is not None}
    if name is not None:
        find(name)
    if not is_model(path):
        engine = picture_engine(name)
        _refuse_others(engine, knobs)
        return unica.open(path, engine.name, values["device"], values["precision"], **knobs)
    from unica.engines.files import engine_of

    engine = engine_of(path)
    if name not in (None, engine.name):
        raise UnicaError(f"{path} is a model of the {engine.name} engine, not of {name}")
    _refuse_others(engine, knobs)
    return unica.load(path, values["device"], values["precision"], **knobs)


def words_of(path: Path, device: str, model: Model) -> list[str]:
    """Options that open the same model again, whatever the defaults will be then."""
    engine = find(model.engine)
    line = ["--engine", engine.name]
    for knob in parameters(engine.knobs):
        line += words(knob, model.settings.get(knob.name))
    line += ["--device", device] if device != "auto" else []
    return [*line, "--precision", "bf16" if str(model.dtype) == "torch.bfloat16" else "float32"]


def is_model(path: Path) -> bool:
    """By its ending, or because it is a folder, as the Hugging Face hub has models."""
    return path.suffix.lower() in SUFFIXES or path.is_dir()


def _all_knobs() -> dict[str, list[str]]:
    """Every knob, and the names of the engines that have it."""
    owners: dict[str, list[str]] = {}
    for engine in engines().values():
        for knob in parameters(engine.knobs):
            owners.setdefault(knob.name, []).append(engine.name)
    return owners


def _refuse_others(engine: Engine, knobs: Mapping[str, Any]) -> None:
    for name in knobs:
        owners = _all_knobs()[name]
        if engine.name not in owners:
            option = next(p for p in _declared(owners[0]) if p.name == name).option
            raise UnicaError(f"--{option} is for the {listed(owners)} engine, and this is a model of {engine.name}")


def _declared(engine: str) -> tuple[Parameter, ...]:
    return parameters(find(engine).knobs)
