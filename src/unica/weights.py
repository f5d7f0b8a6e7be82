"""Finding, fetching and checking files of pretrained weights."""

from __future__ import annotations

import os
import urllib.request
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

from unica import cache
from unica.errors import UnicaError, reason
from unica.files import whole_file

FOLDER = "UNICA_WEIGHTS"  # an environment variable with the same effect as --weights
_TIMEOUT = 30.0  # seconds
_CHUNK = 2**20


class Weight(NamedTuple):
    """A published file of weights. The module that reads the file declares it."""

    file: str
    url: str | None  # None: it cannot be downloaded, and must be in the folder
    sha256: str
    licence: str


class NotThere(UnicaError):
    """A file of weights is in none of the places where it was searched, and cannot be downloaded."""


def find(weight: Weight, folder: Path | None = None) -> Path:
    """The checked file. It is in `folder`, or in that of $UNICA_WEIGHTS, where nothing is downloaded; without a folder
    it is in the user's cache, where it is downloaded at first use."""
    if folder is None and os.environ.get(FOLDER):
        folder = Path(os.environ[FOLDER])
    path = (folder or cache.folder()) / weight.file
    if path.exists():
        _check(weight, path)
    elif folder is not None:
        raise NotThere(f"there is no {weight.file} in {folder}" + (f" (from {weight.url})" if weight.url else ""))
    elif weight.url is None:
        raise NotThere(f"{weight.file} cannot be downloaded; name the folder that has it with --weights or ${FOLDER}")
    else:
        _fetch(weight, weight.url, path)
    return path


def _fetch(weight: Weight, url: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, whole_file(path) as file:
            digest = sha256()
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            _compare(weight, digest.hexdigest(), f"the file from {url}")
    except (OSError, HTTPException) as error:  # URLError is an OSError
        cause = error.reason if isinstance(error, URLError) else error
        why = cause if isinstance(cause, str) else reason(cause)
        raise UnicaError(
            f"{weight.file} cannot be downloaded from {url} ({why}); put it into a folder and name that with"
            f" --weights or ${FOLDER}"
        ) from None


def _check(weight: Weight, path: Path) -> None:
    digest = sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnicaError(f"{path} cannot be read ({reason(error)})") from None
    _compare(weight, digest.hexdigest(), str(path))


def _compare(weight: Weight, found: str, what: str) -> None:
    if found != weight.sha256:
        raise UnicaError(
            f"{what} is not the published {weight.file}: its SHA-256 is {found[:8]}..., not {weight.sha256[:8]}..."
        )
