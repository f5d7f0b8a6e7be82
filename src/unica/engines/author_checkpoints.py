"""Checkpoints that the authors of a method made with their own code. They are read without running what is in them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unica.devices import find_device, find_dtype
from unica.engines.base import Checkpoint, Model, engines
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError, reason
from unica.image import Picture, load, shrink
from unica.networks import build
from unica.process import Process

State = Mapping[str, Tensor]


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
    path = Path(path)
    levels = None if sizes is None else [(height, width) for width, height in sizes]
    checkpoint = Checkpoint(path, _read(path), load(image), levels, where, dtype)
    for engine in engines().values():
        model = engine.import_checkpoint(checkpoint)
        if model is not None:
            return model
    raise _unreadable(path, "no installed engine knows its contents")


def _read(path: Path) -> Mapping[str, Any]:
    """What is in the file: tensors, numbers and texts only."""
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UnicaError(f"{path} does not exist") from None
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from None
    except pickle.UnpicklingError:
        raise _unreadable(path, "it is damaged, or holds more than tensors, which is not safe to read") from None
    except Exception:  # torch raises nearly anything on damaged bytes
        raise _unreadable(path, "it is damaged, or not a checkpoint at all") from None
    return held if isinstance(held, dict) else {}


def _unreadable(path: Path, why: str) -> UnicaError:
    return UnicaError(f"{path} is not a checkpoint that unica can import: {why}")


def strange(path: Path, method: str, why: str) -> UnicaError:
    """The error of a checkpoint that is not what the authors' code of this method writes."""
    return UnicaError(f"{path} is not a checkpoint of the {method} authors: {why}")


@contextmanager
def fitting(path: Path, method: str) -> Iterator[None]:
    """Turns the errors of missing tensors, and of those that have other shapes, into a sentence."""
    try:
        yield
    except KeyError as error:
        raise strange(path, method, f"it lacks {error}") from None
    except (RuntimeError, IndexError, ZeroDivisionError, AttributeError):
        raise strange(path, method, "its weights do not fit") from None


def with_channels(picture: Picture, channels: int) -> Picture:
    """The picture as the authors' code reads it: gray becomes three equal channels, and transparency is dropped."""
    return replace(picture, pixels=picture.pixels.expand(channels, -1, -1), alpha=None, bits=8)


def imported(checkpoint: Checkpoint, method: str, process: Process, weights: State, steps: int) -> TrainedModel:
    """The model of a process and of the weights of its network; the picture is shrunk to the finest level."""
    network = build(process.network)
    with fitting(checkpoint.path, method):
        network.load_state_dict(weights)
    picture = shrink(with_channels(checkpoint.picture, process.network.channels), process.sizes[-1])
    training = {"preset": "imported", "steps": steps}
    return TrainedModel(process, network, picture, training, checkpoint.device, checkpoint.dtype)
