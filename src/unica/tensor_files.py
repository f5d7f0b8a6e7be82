"""Files of tensors: safetensors with a JSON text in their header. No pickles.

A file is read only if it says that unica wrote it, and in a format that this version knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from unica.errors import UnicaError, reason
from unica.files import whole_file

VERSION = 1  # of the format; newer ones are refused
_KINDS = {"model": "model", "training": "training state"}


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
    with _reading(path, kind), safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, head  # noqa: SIM118


def read_head(path: Path, kind: str) -> dict[str, Any]:
    """The head of a file of this kind, without reading its tensors."""
    with _reading(path, kind), safe_open(path, "pt") as file:
        about = file.metadata() or {}
        if about.get("unica") != kind:
            raise UnicaError(f"{path} is not a {_KINDS[kind]} of unica")
        version = about["version"]
        if not version.isdigit() or int(version) > VERSION:
            raise UnicaError(
                f"{path} was written by a newer unica, in format {version}, and this one reads up to format {VERSION};"
                " update unica"
            )
        return json.loads(about["head"])


@contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    """Says in a sentence why a file cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise UnicaError(f"{path} does not exist") from None
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from None
    except (SafetensorError, ValueError, KeyError):
        raise UnicaError(f"{path} is not a {_KINDS[kind]} of unica, or it is damaged") from None
