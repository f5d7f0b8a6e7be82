"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from unica.errors import UnicaError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name when it is finished, and vanishes when it is not. Raises OSError."""
    unfinished = path.parent / f".{secrets.token_hex(8)}.unfinished"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(unfinished, "xb") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    try:
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {error.strerror or error}") from error


def check_folder(folder: Path) -> None:
    """Find out that nothing can be written before the work, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnicaError(f"cannot write to the folder {folder}: {(error.strerror or str(error)).lower()}") from None
