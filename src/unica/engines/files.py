"""Model files: the network's weights and the source as tensors, all else as JSON in the file's header.

Every version of unica reads what earlier ones wrote, so the keys of the header never change, whatever names the code
has for them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from unica.devices import find_device, find_dtype
from unica.engines.base import Engine, Model, engines
from unica.errors import UnicaError, short
from unica.image import Picture
from unica.networks import CONFIGS
from unica.process import Process
from unica.tensor_files import read_head, read_tensors, write_tensors

HUB_FILE = "model.safetensors"  # a model's file in a folder, or in a repository of the Hugging Face hub
_KEYS = {"pixel_std": "spread"}  # fields that have another name in files
_FIELDS = {key: name for name, key in _KEYS.items()}

P = TypeVar("P", bound=Process)


class Damaged(Exception):
    """What a file holds does not fit together. `load` makes a sentence of it that names the file."""


@dataclass(frozen=True)
class StoredModel:
    """What a model file holds."""

    process: Mapping[str, Any]  # as JSON; "engine" names the engine, and the rest is the engine's business
    weights: dict[str, Tensor]
    picture: Picture
    training: Mapping[str, Any]  # how the model was made: preset, steps, seconds, seed
    has_source: bool = True  # False: the picture's pixels were left out, and only its size is known


def load(path: str | os.PathLike[str], device: str = "auto", precision: str = "auto", **knobs: Any) -> Model:
    """A model from its file, or from a folder with a `model.safetensors`. The knobs are those of the model's engine."""
    where = find_device(device)
    dtype = find_dtype(precision, where)
    file = _file(path)
    engine = engine_of(file)
    checked = engine.check_knobs(knobs)
    try:
        return engine.read(read_model(file), where, dtype, **checked)
    except Damaged as error:
        raise UnicaError(f"{file} is damaged: {error}") from None


def engine_of(path: str | os.PathLike[str]) -> Engine:
    """The engine of a model file, or of a folder with one, from the file's header alone."""
    file = _file(path)
    recipe = read_head(file, "model").get("recipe")
    name = recipe.get("engine") if isinstance(recipe, dict) else None
    if not isinstance(name, str):
        raise UnicaError(f"{file} is damaged: it does not name its engine")
    if name not in engines():
        raise UnicaError(f"{file} is a model of the engine {short(name)}; installed are {', '.join(engines())}")
    return engines()[name]


def _file(path: str | os.PathLike[str]) -> Path:
    return Path(path) / HUB_FILE if Path(path).is_dir() else Path(path)


def write_model(path: Path, stored: StoredModel) -> None:
    """Write a model file, whole or not at all."""
    picture = stored.picture
    tensors = {f"network.{name}": weight for name, weight in stored.weights.items()}
    if stored.has_source:
        tensors |= {f"source.{name}": plane for name, plane in _planes(picture).items()}
    about = {
        "name": picture.name,
        "bits": picture.bits,
        "sha256": picture.sha256,
        "original_size": picture.original_size,
        "shape": list(picture.pixels.shape),
    }
    head = {"recipe": dict(stored.process), "picture": about, "training": dict(stored.training)}
    write_tensors(path, "model", tensors, head)


def read_model(path: Path) -> StoredModel:
    """What a model file holds. Nothing in it is run."""
    tensors, head = read_tensors(path, "model")
    try:
        weights = {name[8:]: tensor for name, tensor in tensors.items() if name.startswith("network.")}
        about, has_source = head["picture"], "source.pixels" in tensors
        top = 2 ** about["bits"] - 1
        if has_source:
            pixels = tensors["source.pixels"].float() / top * 2 - 1
        else:
            pixels = torch.zeros(()).expand(about["shape"])
        alpha = tensors["source.alpha"].float() / top if "source.alpha" in tensors else None
        width, height = about["original_size"]
        picture = Picture(pixels, alpha, about["bits"], about["sha256"], about["name"], (width, height))
        return StoredModel(head["recipe"], weights, picture, head["training"], has_source)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UnicaError(f"{path} is damaged: {type(error).__name__} in its description") from None


def process_to_json(process: Process) -> dict[str, Any]:
    """What a model file says of a process."""
    kind = next(name for name, config in CONFIGS.items() if isinstance(process.network, config))
    values = {_KEYS.get(name, name): value for name, value in asdict(process).items()}
    return {"engine": process.engine, **values, "network": {"kind": kind, **asdict(process.network)}}


def process_from_json(kind: type[P], data: Mapping[str, Any]) -> P:
    """The process that a model file describes."""
    values = {_FIELDS.get(key, key): _with_tuples(value) for key, value in data.items() if key != "engine"}
    network = {key: _with_tuples(value) for key, value in data["network"].items()}
    values["network"] = CONFIGS[network.pop("kind")](**network)
    return kind(**values)


def _with_tuples(value: Any) -> Any:
    """JSON has lists only, and processes are hashable."""
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _planes(picture: Picture) -> dict[str, Tensor]:
    """The picture in whole numbers of its file's depth, so that the very same pixels come back."""
    top, kind = (65535, torch.int32) if picture.bits == 16 else (255, torch.uint8)
    planes = {"pixels": ((picture.pixels + 1) / 2 * top).round().to(kind)}
    if picture.alpha is not None:
        planes["alpha"] = (picture.alpha * top).round().to(kind)
    return planes
