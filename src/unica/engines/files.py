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

import numpy as np
import torch
from torch import Tensor

from unica.declare import Number, Whole
from unica.devices import find_device, find_dtype
from unica.engines.base import HUB_FILE, Engine, Model, engines
from unica.errors import UnicaError, as_path, one_of, short
from unica.image import LARGEST, MOST_CHANNELS, Map, Picture, parts
from unica.maps import picture_of_numbers
from unica.networks import CONFIGS
from unica.process import SMALLEST, Process
from unica.records import Digest, Name, as_mapping, read_record
from unica.tensor_files import check_finite, read_head, read_tensors, write_tensors
from unica.threads import compute

_KEYS = {"pixel_std": "spread"}  # fields that have another name in files
_STORED = {  # the type of a map's numbers in a file, by that in memory
    "uint8": torch.uint8, "uint16": torch.int32, "int16": torch.int16, "float16": torch.float16,
    "float32": torch.float32,
}  # fmt: skip
_FIELDS = {key: name for name, key in _KEYS.items()}

P = TypeVar("P", bound=Process)


class Damaged(Exception):
    """What a file holds cannot be right. `load` makes a sentence of it that names the file."""


@dataclass(frozen=True)
class _AboutMap:
    """What the header says of a map. `unica.image.Map` has the same fields."""

    name: Annotated[str, Name()]
    kind: Literal["color", "normal", "scalar", "labels"]
    dtype: Literal["uint8", "uint16", "int16", "float16", "float32"]
    low: tuple[float, ...]
    high: tuple[float, ...]
    labels: tuple[int, ...]
    amplitude: Annotated[float, Number(0, 1, above=True)]
    suffix: Literal[".png", ".npy", ".exr", ".tif", ".tiff"]
    facts: dict

    def __post_init__(self) -> None:
        if not 1 <= len(self.low) == len(self.high) <= MOST_CHANNELS:
            raise UnicaError("the channels of a map do not agree")
        if self.kind != "labels" and not all(low < high for low, high in zip(self.low, self.high)):
            raise UnicaError("the ends of a map's working range are not in their order")
        if (self.kind == "labels") != bool(self.labels):
            raise UnicaError("a map's labels do not agree with its kind")
        for name, kind in (("names", str), ("layer", int)):
            values = self.facts.get(name, [])
            if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
                raise UnicaError(f"what a map says of its {name} cannot be")


@dataclass(frozen=True)
class _About:
    """What the header says of the picture."""

    name: Annotated[str, Name()]
    bits: Literal[8, 16]
    sha256: Annotated[str, Digest()]
    original_size: tuple[Annotated[int, Whole(1, LARGEST)], Annotated[int, Whole(1, LARGEST)]]
    shape: tuple[Annotated[int, Whole(1, MOST_CHANNELS)], int, int]
    maps: tuple[dict, ...] = ()
    shown: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        channels, height, width = self.shape
        if channels != sum(one.planes for one in self.known_maps) if self.maps else channels not in (1, 3):
            raise UnicaError(f"picture.shape must not have {channels} channels")
        if self.shown is not None and not all(1 <= channel <= channels for channel in self.shown):
            raise UnicaError("picture.shown names a channel that is not there")
        if min(height, width) < SMALLEST or height * width > LARGEST:
            raise UnicaError(
                f"picture.shape must be of sides of at least {SMALLEST} and of at most {LARGEST:,} pixels,"
                f" not {short(f'{width}x{height}')}"
            )

    @property
    def known_maps(self) -> tuple[Map, ...]:
        records = [read_record(_AboutMap, one, "picture.maps.") for one in self.maps]
        return tuple(Map(**vars(record)) for record in records)


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
    about: dict[str, Any] = {
        "name": picture.name,
        "bits": picture.bits,
        "sha256": picture.sha256,
        "original_size": picture.original_size,
        "shape": list(picture.pixels.shape),
    }
    if picture.maps:
        about |= {"maps": [asdict(one) for one in picture.maps], "shown": picture.shown}
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
            torch.zeros(()).expand(about.shape), None, about.bits, about.sha256, about.name, about.original_size,
            about.known_maps, shown=about.shown,
        )  # fmt: skip
    if about.maps:
        return _picture_of_maps(about, planes)
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


def _picture_of_maps(about: _About, planes: Mapping[str, Tensor]) -> Picture:
    """The picture of several maps that a file holds: their numbers, in their order."""
    maps, (_, height, width) = about.known_maps, about.shape
    names = [f"map{number}" for number in range(len(maps))]
    if planes.keys() - {"alpha"} != set(names):
        raise UnicaError("its maps do not agree with the header")
    values = {}
    for name, one in zip(names, maps):
        if tuple(planes[name].shape) != (one.channels, height, width) or planes[name].dtype != _STORED[one.dtype]:
            raise UnicaError(f"source.{name} does not agree with the header")
        values[one.name] = planes[name]
    alpha = planes.get("alpha")
    if alpha is not None and (tuple(alpha.shape) != (1, height, width) or alpha.dtype != torch.float32):
        raise UnicaError("source.alpha does not agree with the header")
    return picture_of_numbers(
        maps, values, None if alpha is None else alpha.nan_to_num().clamp(0, 1), sha256=about.sha256, name=about.name,
        bits=about.bits, original_size=about.original_size, shown=about.shown,
    )  # fmt: skip


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
    """The picture in whole numbers of its file's depth, so that the very same pixels come back.

    Of several maps, the numbers of each.
    """
    if picture.maps:
        planes = {}
        for number, (one, channels) in enumerate(parts(picture.maps)):
            exact = picture.exact.get(one.name)
            values = torch.from_numpy(one.decoded(picture.pixels[channels]).astype(np.float32)).movedim(-1, 0)
            planes[f"map{number}"] = (values if exact is None else exact).to(_STORED[one.dtype])
        return planes if picture.alpha is None else {**planes, "alpha": picture.alpha}
    top, kind = _depth(picture.bits)
    planes = {"pixels": ((picture.pixels + 1) / 2 * top).round().to(kind)}
    if picture.alpha is not None:
        planes["alpha"] = (picture.alpha * top).round().to(kind)
    return planes
