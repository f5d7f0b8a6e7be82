"""OpenSeadragon, the program that moves and zooms on the page: a published file that is found, or fetched once.

It is searched in the folder of $UNICA_WEIGHTS, then in the user's cache. If there is no such folder, it is downloaded
into the cache. It is checked before it is used.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import urllib.request
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from unica import cache
from unica.errors import UnicaError, reason
from unica.files import whole_file
from unica.weights import FOLDER

VERSION = "6.1.1"
FILE = f"openseadragon-{VERSION}.min.js"
LICENCE = "BSD-3-Clause"
URL = f"https://github.com/openseadragon/openseadragon/releases/download/v{VERSION}/openseadragon-bin-{VERSION}.tar.gz"
# Of the program without the comments at its beginning: they tell the day of the build, and the publishers' builds
# for different ways of delivery differ in nothing else.
SHA256 = "313c0a6c058faaf7e7fff55997a38b127eef32c69d3ee7bb15090ade556c6fc3"

_INSIDE = "openseadragon.min.js"  # its name in the archive
_COMMENTS = re.compile(rb"\A(//!.*\n)*\s*")
_LARGEST = 2**24  # bytes of the archive
_TIMEOUT = 30.0  # seconds


def openseadragon(fetch: bool = True) -> bytes:
    """The checked program. Without `fetch`, nothing is downloaded."""
    named = os.environ.get(FOLDER)
    for folder in ([Path(named)] if named else []) + [cache.folder()]:
        path = folder / FILE
        if path.exists():
            return _read(path)
    if named:
        raise UnicaError(f"the viewer needs {FILE}; {_advice(f'the folder of ${FOLDER}')}")
    if not fetch:
        raise UnicaError(f"the viewer needs {FILE}, which is not there yet: `unica view PICTURE` downloads it, once")
    return _fetch(cache.folder() / FILE)


def _read(path: Path) -> bytes:
    try:
        program = path.read_bytes()
    except OSError as error:
        raise UnicaError(f"{path} cannot be read ({reason(error)})") from None
    return _checked(program, str(path))


def _fetch(path: Path) -> bytes:
    """Download the published archive, and keep the program that is in it."""
    try:
        with urllib.request.urlopen(URL, timeout=_TIMEOUT) as answer:
            program = _checked(_unpacked(answer.read(_LARGEST)), f"the file from {URL}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(program)
    except (OSError, HTTPException) as error:  # URLError is an OSError
        cause = error.reason if isinstance(error, URLError) else error
        why = cause if isinstance(cause, str) else reason(cause)
        raise UnicaError(
            f"the viewer needs {FILE}, which cannot be downloaded ({why}); {_advice(path.parent)}"
        ) from None
    return program


def _unpacked(archive: bytes) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
            for member in files:
                if Path(member.name).name == _INSIDE and member.isfile() and member.size < _LARGEST:
                    content = files.extractfile(member)
                    return content.read() if content is not None else b""
    except (tarfile.TarError, EOFError, OSError):
        pass  # what is no archive has no program, which the check says
    return b""


def _checked(program: bytes, what: str) -> bytes:
    found = sha256(_COMMENTS.sub(b"", program, count=1)).hexdigest()
    if found != SHA256:
        raise UnicaError(
            f"{what} is not the published OpenSeadragon {VERSION}: its SHA-256 is {found[:8]}..., not {SHA256[:8]}..."
        )
    return program


def _advice(folder: Path | str) -> str:
    return f"take {_INSIDE} out of {URL} and put it into {folder} under that name"
