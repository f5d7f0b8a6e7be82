"""Model files: weights and the source as safetensors, everything else as JSON in their header. No pickles.

A file is read only if it says that it is one of ours and of a version we know, and is written whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from unica.errors import UnicaError
from unica.files import whole_file
from unica.image import Picture
from unica.networks import CONFIGS
from unica.recipe import Recipe
from unica.sinddm import SinDDMRecipe
from unica.sindiffusion import SinDiffusionRecipe

RECIPES: dict[str, type[Recipe]] = {kind.engine: kind for kind in (SinDDMRecipe, SinDiffusionRecipe)}
VERSION = 1  # of the format; a reader refuses what is newer


@dataclass(frozen=True)
class Stored:
    """What a model file holds."""

    recipe: Recipe
    weights: dict[str, Tensor]
    picture: Picture
    training: dict[str, Any]  # how it came to be
    source: bool = True  # whether the picture's pixels are there


def write_model(path: Path, stored: Stored) -> None:
    picture = stored.picture
    tensors = {f"network.{name}": weight for name, weight in stored.weights.items()}
    if stored.source:
        tensors |= {f"source.{name}": plane for name, plane in _planes(picture).items()}
    about = {
        "name": picture.name,
        "bits": picture.bits,
        "sha256": picture.sha256,
        "original_size": picture.original_size,
        "shape": list(picture.pixels.shape),
    }
    head = {"recipe": recipe_to_json(stored.recipe), "picture": about, "training": stored.training}
    write_tensors(path, "model", tensors, head)


def read_model(path: Path) -> Stored:
    tensors, head = read_tensors(path, "model")
    try:
        weights = {name[8:]: tensor for name, tensor in tensors.items() if name.startswith("network.")}
        about, source = head["picture"], "source.pixels" in tensors
        top = 2 ** about["bits"] - 1
        pixels = tensors["source.pixels"].float() / top * 2 - 1 if source else torch.zeros(()).expand(about["shape"])
        alpha = tensors["source.alpha"].float() / top if "source.alpha" in tensors else None
        width, height = about["original_size"]
        picture = Picture(pixels, alpha, about["bits"], about["sha256"], about["name"], (width, height))
        return Stored(recipe_from_json(head["recipe"]), weights, picture, head["training"], source)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UnicaError(f"{path} is damaged: {type(error).__name__} in its description") from None


def write_tensors(path: Path, kind: str, tensors: Mapping[str, Tensor], head: Mapping[str, Any]) -> None:
    """Whole or not at all: a full disk leaves what was there."""
    words = {"unica": kind, "version": str(VERSION), "head": json.dumps(head)}
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, words)
    try:
        with whole_file(path) as file:
            file.write(data)
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from None


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with _reading(path), safe_open(path, "pt") as file:
        words = file.metadata() or {}
        if words.get("unica") != kind:
            raise UnicaError(f"{path} is not a {_KINDS[kind]} of unica's")
        if not words["version"].isdigit() or int(words["version"]) > VERSION:
            raise UnicaError(
                f"{path} is of a newer unica (format {words['version']}, this one knows {VERSION}); update unica"
            )
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(words["head"])  # noqa: SIM118


_KINDS = {"model": "model", "training": "training state"}


@contextmanager
def _reading(path: Path):
    try:
        yield
    except FileNotFoundError:
        raise UnicaError(f"{path} does not exist") from None
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (SafetensorError, ValueError, KeyError) as error:
        if isinstance(error, UnicaError):
            raise
        raise UnicaError(f"{path} is not a model of unica's, or it is damaged") from None


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    kind = next(name for name, config in CONFIGS.items() if isinstance(recipe.network, config))
    return {"engine": recipe.engine, **asdict(recipe), "network": {"kind": kind, **asdict(recipe.network)}}


def recipe_from_json(data: dict[str, Any]) -> Recipe:
    values: dict[str, Any] = {name: _frozen(value) for name, value in data.items() if name != "engine"}
    words = {name: _frozen(value) for name, value in data["network"].items()}
    values["network"] = CONFIGS[words.pop("kind")](**words)
    return RECIPES[data["engine"]](**values)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _planes(picture: Picture) -> dict[str, Tensor]:
    """As whole numbers of the file's depth: what `load` made of them comes back exactly."""
    top, kind = (65535, torch.int32) if picture.bits == 16 else (255, torch.uint8)
    planes = {"pixels": ((picture.pixels + 1) / 2 * top).round().to(kind)}
    if picture.alpha is not None:
        planes["alpha"] = (picture.alpha * top).round().to(kind)
    return planes
