"""IMAGE|MODEL on the command line: which engine is meant, and the options that only one kind of engine has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import unica
from unica.cli.options import Opening
from unica.cli.words import numbers
from unica.errors import UnicaError
from unica.model import TRAINED, Model

ENGINES = ("instant", *TRAINED)
SUFFIXES = (".unica", ".safetensors")
_INSTANT = ("diversity", "patch", "levels", "max_side")
_TRAINED = ("start_steps", "blend", "steps", "sampler")


def open_model(opening: Opening) -> Model:
    path, engine, given = opening.path, opening.engine, _given(opening)
    if engine not in (None, *ENGINES):
        raise UnicaError(f"engine must be {' or '.join(ENGINES)}, not {engine}")
    if is_model(path):
        _refuse(given, "instant", _INSTANT, "a trained model has its own")
        model = unica.load(path, **given, device=opening.device, precision=opening.precision)
        if engine not in (None, model.engine):
            raise UnicaError(f"{path} is a model of the {model.engine} engine, not of {engine}")
        return model
    if engine in TRAINED:
        raise UnicaError(
            f"{engine} draws from a trained model, not from a picture: unica train {path} --engine {engine} makes one"
        )
    _refuse(given, "trained", _TRAINED, "nothing is trained here")
    return unica.open(path, **given, device=opening.device, precision=opening.precision)


def words(opening: Opening, model: Model) -> list[str]:
    """What opens the same model again, whatever the defaults will be then."""
    words = ["--engine", model.engine]
    for name, value in model.settings.items():
        if name == "blend":
            words += [] if value else ["--no-blend"]
        elif name in (*_INSTANT, *_TRAINED) and value not in (None, ""):
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--device", opening.device] if opening.device != "auto" else []
    known = str(model.dtype) != "torch.float32" or model.engine in TRAINED
    precision = "bf16" if str(model.dtype) == "torch.bfloat16" else "float32"
    return [*words, "--precision", precision] if known else words


def _given(opening: Opening) -> dict[str, Any]:
    starts = numbers(opening.start_steps, "--start-steps", "52,41,31,22")
    blend = False if opening.no_blend else None
    typed = {**vars(opening), "start_steps": starts, "blend": blend}
    return {name: typed[name] for name in (*_INSTANT, *_TRAINED) if typed[name] is not None}


def _refuse(given: dict[str, Any], kind: str, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if name in given:
            raise UnicaError(f"--{name.replace('_', '-')} is for {kind} models: {why}")


def is_model(path: Path) -> bool:
    """By its name, or by its being a folder, as the Hugging Face hub has models."""
    return path.suffix.lower() in SUFFIXES or path.is_dir()
