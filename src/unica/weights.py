"""Pretrained weights that some measures need: where they come from, and whether they are the right ones."""

from __future__ import annotations

import os
import urllib.request
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from unica.errors import UnicaError
from unica.files import whole_file

FOLDER = "UNICA_WEIGHTS"  # the environment variable that does what --weights does
_TIMEOUT = 30.0  # seconds
_CHUNK = 2**20


class Weight(NamedTuple):
    file: str
    url: str | None  # None: it is nowhere to be downloaded, only in a folder
    sha256: str
    licence: str


class NotThere(UnicaError):
    """A weight that is in none of the places it was looked for, and cannot be fetched."""


WEIGHTS = {
    "alexnet": Weight(
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "BSD-3-Clause",
    ),
    "lpips-alex-lin": Weight(
        "lpips_alex_lin_v0.1.pth",
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        "BSD-2-Clause",
    ),
    "lpips-alex": Weight(  # the two above in one file
        "lpips_alex_v0.1.pt",
        None,
        "91b233243c42c3f92893923bce97838e952570704c6d0be5db43aaf7d5c7e54d",
        "BSD-3-Clause, BSD-2-Clause",
    ),
    "inception": Weight(
        "pt_inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "Apache-2.0",
    ),
    "inception-stem-relative": Weight(
        "inception_stem_relative.pt",
        None,
        "c4a4dab4ef4255b855f0ef15fdc9084e3b733b1486461f8dd6adfeabbb79a82c",
        "MIT",
    ),
}


def find(name: str, folder: Path | None = None) -> Path:
    """The file of a weight, checked: in the folder (or in that of $UNICA_WEIGHTS), where nothing is ever downloaded; or
    else in the user's cache, fetched at first use."""
    weight = WEIGHTS[name]
    if folder is None and os.environ.get(FOLDER):
        folder = Path(os.environ[FOLDER])
    path = (folder or cache()) / weight.file
    if not path.exists():
        if folder is not None:
            raise NotThere(f"there is no {weight.file} in {folder}" + (f" (from {weight.url})" if weight.url else ""))
        if weight.url is None:
            raise NotThere(f"{weight.file} is in no folder that --weights or ${FOLDER} names")
        _fetch(weight, path)
    else:
        _check(weight, path)
    return path


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unica"


def _fetch(weight: Weight, path: Path) -> None:
    try:
        with urllib.request.urlopen(weight.url or "", timeout=_TIMEOUT) as answer, whole_file(path) as file:
            digest = sha256()
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            _compare(weight, digest.hexdigest(), f"what {weight.url} sends")
    except (OSError, HTTPException) as error:  # URLError is an OSError
        reason = getattr(error, "reason", None) or str(error).strip() or type(error).__name__
        raise UnicaError(
            f"{weight.file} cannot be fetched from {weight.url} ({reason}); put it into a folder and name that with"
            f" --weights or ${FOLDER}"
        ) from None


def _check(weight: Weight, path: Path) -> None:
    digest = sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnicaError(f"{path} cannot be read ({error.strerror})") from None
    _compare(weight, digest.hexdigest(), str(path))


def _compare(weight: Weight, found: str, what: str) -> None:
    if found != weight.sha256:
        raise UnicaError(
            f"{what} is not the published {weight.file}: SHA-256 {found[:8]}..., not {weight.sha256[:8]}..."
        )
