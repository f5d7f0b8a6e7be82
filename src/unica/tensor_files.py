"""Files of tensors: safetensors with a JSON text in their header. No pickles.

A file is read only if it says that unica wrote it, and in a format that this version knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from unica.errors import UnicaError, reason, short, shown
from unica.files import whole_file

VERSION = 1  # of the format; newer ones are refused
_KINDS = {"layout": "layout", "model": "model", "training": "training state"}
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_LONGEST = 2**20  # bytes of a header; the longest that a preset makes has less than half of that


def write_tensors(path: Path, kind: str, tensors: Mapping[str, Tensor], head: Mapping[str, Any]) -> None:
    """Write tensors and a head. The file is written whole or not at all; on a full disk, the old one stays."""
    about = {"unica": kind, "version": str(VERSION), "head": json.dumps(head)}
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, about)
    try:
        with whole_file(path) as file:
            file.write(data)
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {reason(error)}") from None


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the head of a file of this kind."""
    head = read_head(path, kind)
    with _opened(path, kind) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, head  # noqa: SIM118


def read_head(path: Path, kind: str) -> dict[str, Any]:
    """The head of a file of this kind, without reading its tensors."""
    with _opened(path, kind) as file:
        about = file.metadata() or {}
        if about.get("unica") != kind:
            raise UnicaError(f"{path} is not a {_KINDS[kind]} of unica")
        version = about["version"]
        if not version.isdigit() or int(version) > VERSION:
            raise UnicaError(
                f"{path} was written by a newer unica, in format {short(version)}, and this one reads up to format"
                f" {VERSION}; update unica"
            )
        head = json.loads(about["head"])
    if not isinstance(head, dict):
        raise UnicaError(f"{path} is damaged: its header must be an object, not {shown(head)}")
    return head


def check_tensors(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse tensors that have other names or shapes than those wanted, or do not hold finite real numbers."""
    different = tensors.keys() ^ wanted.keys()
    if different:
        name = min(different)
        raise UnicaError(f"{short(name)} is {'missing' if name in wanted else 'unknown'}")
    for name, tensor in tensors.items():
        check_tensor(name, tensor, tuple(wanted[name].shape))
    for name, tensor in tensors.items():
        check_finite(name, tensor)


def check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a tensor that has another shape, or is not of real numbers in memory."""
    if tuple(tensor.shape) != shape:
        raise UnicaError(f"{short(name)} must have the shape {_by(shape)}, not {short(_by(tensor.shape))}")
    if tensor.dtype not in _FLOATS or tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise UnicaError(f"{short(name)} must hold real numbers, as float32")


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse a tensor with infinite values, or values that are no numbers."""
    if not torch.stack(tensor.float().aminmax()).isfinite().all():
        raise UnicaError(f"{short(name)} must hold finite numbers only")


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "of a single number"


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[Any]:
    """The opened file. Says in a sentence why it cannot be read."""
    try:
        _check_length(path)
        with safe_open(path, "pt") as file:
            yield file
    except UnicaError:
        raise
    except FileNotFoundError:
        raise UnicaError(f"{path} does not exist") from None
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from None
    except Exception:  # of damaged bytes, the library makes errors of many kinds
        raise UnicaError(f"{path} is not a {_KINDS[kind]} of unica, or it is damaged") from None


def _check_length(path: Path) -> None:
    """Refuse headers that would take long to read. A file begins with its header's length."""
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")
    with open(path, "rb") as file:
        if int.from_bytes(file.read(8), "little") > _LONGEST:
            raise ValueError("too long a header")
