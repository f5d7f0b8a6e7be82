"""Files that are written completely or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from unica.errors import UnicaError, reason


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to. It gets its name when it is complete, and is deleted if that fails. Raises OSError."""
    unfinished = path.parent / f".{secrets.token_hex(8)}.unfinished"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(unfinished, "xb") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write a text as UTF-8."""
    try:
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {reason(error)}") from error


def check_folder(folder: Path) -> None:
    """Make the folder and try to write to it, so that a long run does not fail at its end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnicaError(f"cannot write to the folder {folder}: {reason(error)}") from None
