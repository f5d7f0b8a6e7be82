"""Checkpoints that the authors of a method made with their own code. They are read without running what is in them."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unica.declare import Size
from unica.devices import find_device, find_dtype
from unica.engines.base import Checkpoint, Model, engines
from unica.engines.files import process_from_json, process_to_json
from unica.engines.trained import TrainedModel, network_of
from unica.errors import UnicaError, as_path, reason, shown
from unica.image import Picture, load, shrink
from unica.process import Process

State = Mapping[str, Tensor]

_LONGEST = 2**20  # bytes of what describes the tensors; a thousand of them take a third of it
_LARGEST = 2**22  # pixels to which an image may be enlarged: far more than either method trains on


def import_checkpoint(
    path: str | os.PathLike[str],
    image: str | os.PathLike[str] | Any,
    sizes: Sequence[tuple[int, int]] | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Model:
    """A model of a checkpoint that a method's authors made, and of the image that it was trained on.

    `sizes` are (width, height) of the levels, from coarse to fine. They are needed only where neither the file nor the
    authors' own rule tells them.
    """
    where = find_device(device)
    dtype = find_dtype(precision, where)
    path, picture = as_path("a checkpoint", path), load(image)
    levels = None if sizes is None else _levels(sizes, picture)
    checkpoint = Checkpoint(path, _read(path), picture, levels, where, dtype)
    for engine in engines().values():
        model = engine.import_checkpoint(checkpoint)
        if model is not None:
            return model
    raise _unreadable(path, "no installed engine knows its contents")


def _levels(sizes: Any, picture: Picture) -> list[tuple[int, int]]:
    """(height, width) of the levels that the user gave."""
    if not isinstance(sizes, Sequence) or isinstance(sizes, str):
        raise UnicaError(f"sizes must be a list of sizes, not {shown(sizes)}")
    pairs = [Size().check("sizes", size) for size in sizes]
    most = max(picture.size[0] * picture.size[1], _LARGEST)
    for width, height in pairs:
        if width * height > most:
            raise UnicaError(f"sizes of at most {most:,} pixels can be learned from this image, not {width}x{height}")
    return [(height, width) for width, height in pairs]


def _read(path: Path) -> Mapping[str, Any]:
    """What is in the file: tensors, numbers and texts only. Its tensors are read where they are used."""
    try:
        _check_archive(path)
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise UnicaError(f"{path} does not exist") from None
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from None
    except pickle.UnpicklingError:
        raise _unreadable(path, "it is damaged, or holds more than tensors, which is not safe to read") from None
    except Exception:  # torch raises nearly anything on damaged bytes
        raise _unreadable(path, "it is damaged, or not a checkpoint at all") from None
    return held if isinstance(held, dict) else {}


def _check_archive(path: Path) -> None:
    """Refuse archives that unpack to more than they hold, or whose description would take long to read."""
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            described = "/data/" not in entry.filename
            if entry.compress_type != zipfile.ZIP_STORED or (described and entry.file_size > _LONGEST):
                raise ValueError("not as torch writes it")


def _unreadable(path: Path, why: str) -> UnicaError:
    return UnicaError(f"{path} is not a checkpoint that unica can import: {why}")


def strange(path: Path, method: str, why: str) -> UnicaError:
    """The error of a checkpoint that is not what the authors' code of this method writes."""
    return UnicaError(f"{path} is not a checkpoint of the {method} authors: {why}")


@contextmanager
def fitting(path: Path, method: str) -> Iterator[None]:
    """Turns what is wrong with tensors, missing ones and those of other shapes into a sentence."""
    try:
        yield
    except KeyError as error:
        raise strange(path, method, f"it lacks {error}") from None
    except UnicaError as error:
        raise strange(path, method, str(error)) from None
    except (RuntimeError, IndexError, ZeroDivisionError):
        raise strange(path, method, "its weights do not fit") from None


def named_tensors(state: Mapping[Any, Any]) -> State:
    """The state, if it is tensors by their names."""
    if not all(isinstance(name, str) and isinstance(x, Tensor) for name, x in state.items()):
        raise UnicaError("it holds more than tensors by their names")
    return state


def with_channels(picture: Picture, channels: int) -> Picture:
    """The picture as the authors' code reads it: gray becomes three equal channels, and transparency is dropped."""
    return replace(picture, pixels=picture.pixels.expand(channels, -1, -1), alpha=None, bits=8)


def imported(checkpoint: Checkpoint, method: str, process: Process, weights: State, steps: int) -> TrainedModel:
    """The model of a process and of the weights of its network; the picture is shrunk to the finest level."""
    channels, colours = process.network.channels, len(checkpoint.picture.pixels)
    with fitting(checkpoint.path, method):
        process = process_from_json(type(process), process_to_json(process))  # within the bounds of model files
        if channels not in (colours, 3):
            raise UnicaError(f"it draws {channels} channels and the image has {colours}")
        picture = shrink(with_channels(checkpoint.picture, channels), process.sizes[-1])
        network = network_of(process, weights, picture)
    training = {"preset": "imported", "steps": steps}
    return TrainedModel(process, network, picture, training, checkpoint.device, checkpoint.dtype)
