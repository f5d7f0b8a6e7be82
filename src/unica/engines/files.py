"""Model files: the network's weights and the source as tensors, all else as JSON in the file's header.

Every version of unica reads what earlier ones wrote, so the keys of the header never change, whatever names the code
has for them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from torch import Tensor

from unica.declare import Number, Whole
from unica.devices import find_device, find_dtype
from unica.engines.base import Engine, Model, engines
from unica.errors import UnicaError, as_path, one_of, short
from unica.image import LARGEST, Picture
from unica.networks import CONFIGS
from unica.process import SMALLEST, Process
from unica.records import Digest, Name, as_mapping, read_record
from unica.tensor_files import check_finite, read_head, read_tensors, write_tensors
from unica.threads import compute

HUB_FILE = "model.safetensors"  # a model's file in a folder, or in a repository of the Hugging Face hub
_KEYS = {"pixel_std": "spread"}  # fields that have another name in files
_FIELDS = {key: name for name, key in _KEYS.items()}

P = TypeVar("P", bound=Process)


class Damaged(Exception):
    """What a file holds cannot be right. `load` makes a sentence of it that names the file."""


@dataclass(frozen=True)
class _About:
    """What the header says of the picture."""

    name: Annotated[str, Name()]
    bits: Literal[8, 16]
    sha256: Annotated[str, Digest()]
    original_size: tuple[Annotated[int, Whole(1, LARGEST)], Annotated[int, Whole(1, LARGEST)]]
    shape: tuple[Literal[1, 3], int, int]

    def __post_init__(self) -> None:
        _, height, width = self.shape
        if min(height, width) < SMALLEST or height * width > LARGEST:
            raise UnicaError(
                f"picture.shape must be of sides of at least {SMALLEST} and of at most {LARGEST:,} pixels,"
                f" not {short(f'{width}x{height}')}"
            )


@dataclass(frozen=True)
class _Training:
    """What the header says of how the model was made."""

    preset: Annotated[str, Name()] | None = None
    steps: Annotated[int, Whole(0, 10**9)] | None = None
    seconds: Annotated[float, Number(0, 1e10)] | None = None
    seed: Annotated[int, Whole(0, 2**63 - 1)] | None = None


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
    compute()
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
    path = as_path("a model's file", path)
    return path / HUB_FILE if path.is_dir() else path


def write_model(path: Path, stored: StoredModel) -> None:
    """Write a model file, whole or not at all, if it can be read again."""
    picture = stored.picture
    try:
        for name, weight in stored.weights.items():
            check_finite(name, weight)
    except UnicaError as error:
        raise UnicaError(f"{path} is not written, because the network is broken: {error}") from None
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
    weights = {name[8:]: tensor for name, tensor in tensors.items() if name.startswith("network.")}
    source = {name[7:]: tensor for name, tensor in tensors.items() if name.startswith("source.")}
    try:
        recipe = as_mapping("recipe", head.get("recipe"))
        about = read_record(_About, head.get("picture"), "picture.")
        training = as_mapping("training", head.get("training"))
        made = asdict(read_record(_Training, training, "training."))
        if len(weights) + len(source) < len(tensors):
            raise UnicaError("it holds more than a network and a source")
        picture = _picture(about, source)
    except UnicaError as error:
        raise UnicaError(f"{path} is damaged: {error}") from None
    return StoredModel(recipe, weights, picture, {key: made[key] for key in training}, bool(source))


def _picture(about: _About, planes: Mapping[str, Tensor]) -> Picture:
    """The picture that a file describes and holds; all gray if its planes were left out."""
    if not planes:
        return Picture(
            torch.zeros(()).expand(about.shape), None, about.bits, about.sha256, about.name, about.original_size
        )
    top, kind = _depth(about.bits)
    _, height, width = about.shape
    shapes = {"pixels": about.shape, "alpha": (1, height, width)}
    values = {}
    for name, plane in planes.items():
        if tuple(plane.shape) != shapes.get(name) or plane.dtype != kind:
            raise UnicaError(f"source.{short(name)} does not agree with the header")
        low, high = map(int, plane.aminmax())
        if low < 0 or high > top:
            raise UnicaError(f"source.{name} must be from 0 to {top}, not {low if low < 0 else high}")
        if name == "alpha" and high == 0:
            raise UnicaError("the picture is wholly transparent")
        values[name] = plane.float().div_(top)
    if "pixels" not in values:
        raise UnicaError("source.pixels is missing")
    pixels, alpha = values["pixels"].mul_(2).sub_(1), values.get("alpha")
    return Picture(pixels, alpha, about.bits, about.sha256, about.name, about.original_size)


def process_to_json(process: Process) -> dict[str, Any]:
    """What a model file says of a process."""
    kind = next(name for name, config in CONFIGS.items() if isinstance(process.network, config))
    values = {_KEYS.get(name, name): value for name, value in asdict(process).items()}
    return {"engine": process.engine, **values, "network": {"kind": kind, **asdict(process.network)}}


def process_from_json(kind: type[P], data: Mapping[str, Any]) -> P:
    """The process that a model file describes."""
    values = {_FIELDS.get(key, key): value for key, value in data.items() if key != "engine"}
    network = dict(as_mapping("network", values.get("network")))
    config = CONFIGS[one_of("network.kind", network.pop("kind", None), list(CONFIGS))]
    return read_record(kind, {**values, "network": read_record(config, network, "network.")})


def _depth(bits: int) -> tuple[int, torch.dtype]:
    """The largest value of a picture's planes, and their type."""
    return (65535, torch.int32) if bits == 16 else (255, torch.uint8)


def _planes(picture: Picture) -> dict[str, Tensor]:
    """The picture in whole numbers of its file's depth, so that the very same pixels come back."""
    top, kind = _depth(picture.bits)
    planes = {"pixels": ((picture.pixels + 1) / 2 * top).round().to(kind)}
    if picture.alpha is not None:
        planes["alpha"] = (picture.alpha * top).round().to(kind)
    return planes
