"""The working folder: what is kept of a tiled picture until it is finished. Another process goes on from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from unica.errors import UnicaError
from unica.files import check_folder
from unica.tiled.base import Destination, Tiling
from unica.tiled.store import Files, Folder, Remote

_NAME = "unfinished"
_TILING = "tiling.json"


def place(destination: Destination) -> Path | str:
    """A path of this machine, also for `file:` URLs; a URL for everything else."""
    if isinstance(destination, Path) or "://" not in destination:
        return Path(destination)
    protocol, path = destination.rstrip("/").split("://", 1)
    return Path(path) if protocol in ("file", "local") else f"{protocol}://{path}"


def working_folder(destination: Destination) -> Path | str:
    """The folder that is there until the picture is finished: beside a local destination, inside a URL.

    Callers may keep files of their own in it. `finish` removes it.
    """
    there = place(destination)
    return there.with_name(f"{there.name}.{_NAME}") if isinstance(there, Path) else f"{there}/{_NAME}"


def working_files(destination: Destination) -> Files:
    """The files of the working folder, for callers that keep some there. Tiles are in "tiles/"; leave those alone."""
    folder = working_folder(destination)
    return Folder(folder) if isinstance(folder, Path) else Remote.at(folder)


def begin(destination: Destination, tiling: Tiling, results: Sequence[Path] = ()) -> Files:
    """Make the working folder, or go on with one that is there. `results` must not exist: nothing is overwritten."""
    for path in results:
        if path.exists():
            raise UnicaError(f"{path} exists already: remove it or choose another name")
        check_folder(path.parent)
    files, wanted = working_files(destination), json.dumps(asdict(tiling))
    if not files.has(_TILING):
        files.write(_TILING, wanted.encode())
    elif files.read(_TILING) != wanted.encode():
        raise UnicaError(f"{files} holds another picture that is not finished: remove it or choose another name")
    return files


def check_finished(destination: Destination, exists: bool) -> None:
    """Explain why a picture that is to be read is not there."""
    if exists:
        return
    if working_files(destination).has(_TILING):
        raise UnicaError(f"{destination} is not finished: run the command that makes it again, and it goes on")
    raise UnicaError(f"{destination} does not exist")
