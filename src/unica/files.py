"""Files that are written completely or not at all, and never over what is no file."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

from unica.errors import UnicaError, reason

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

_UNFINISHED = ".{}.unfinished"
_OLD = 86400.0  # seconds after which an unfinished file is nobody's, where there are no locks


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to. It gets its name when it is complete, and is deleted if that fails. Raises OSError.

    The folder must exist. A link stays, and the file that it names is replaced.
    """
    path = Path(os.path.realpath(path))
    with _unfinished(path.parent) as (file, unfinished):
        yield file
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "only a regular file can be replaced")
        _publish(file, unfinished, path)


def write_new(path: Path, data: bytes) -> Path:
    """Write a file without touching what is there, and return its path. Raises OSError.

    If the name is taken, it is numbered: name_2, name_3. A file that has the same content already is left as it is.
    """
    with _unfinished(path.parent) as (file, unfinished):
        file.write(data)
        file.flush()
        for number in count(1):
            name = path if number == 1 else path.with_stem(f"{path.stem}_{number}")
            if _holds(name, data):
                return name
            with suppress(FileExistsError):
                _link(unfinished, name)
                return name
    raise AssertionError("some number is free")


def write_text(text: str, path: Path) -> None:
    """Write a text as UTF-8."""
    try:
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {reason(error)}") from error


def check_folder(folder: Path) -> None:
    """Make the folder and try to write to it, so that a long run does not fail at its end.

    Unfinished files of processes that were killed are removed from it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for path in folder.glob(_UNFINISHED.format("*")):
            _remove_abandoned(path)
    except (OSError, RecursionError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is too deep"
        raise UnicaError(f"cannot write to the folder {folder}: {why}") from None


@contextmanager
def locked(path: Path, sentence: str) -> Iterator[None]:
    """Hold a lock that is gone when the process is; `sentence` is the error if another process has it.

    The file is removed at the end. One that a killed process left is taken over.
    """
    while True:
        with open(path, "ab") as file:
            if not _lock(file):
                raise UnicaError(sentence)
            if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                continue  # its last owner removed it meanwhile
            try:
                yield
                return
            finally:
                path.unlink(missing_ok=True)


@contextmanager
def _unfinished(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file under a name of its own. It is locked, so that others see that somebody writes it; removed at the end."""
    while True:
        path = folder / _UNFINISHED.format(secrets.token_hex(8))
        file = open(path, "xb")  # noqa: SIM115
        try:
            if _lock(file) and path.exists():  # else another run took it for abandoned before it was locked
                yield file, path
                return
        finally:
            try:
                file.close()  # writes what is left; fails on a full disk
            finally:
                path.unlink(missing_ok=True)


def _publish(file: BinaryIO, unfinished: Path, path: Path) -> None:
    file.flush()
    if fcntl is None:  # Windows renames no open file
        file.close()
    os.replace(unfinished, path)


def _link(unfinished: Path, path: Path) -> None:
    """Give a complete file its name, if that is free. Raises FileExistsError if it is not."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(unfinished, path)


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _lock(file: BinaryIO) -> bool:
    """Lock an open file, if no other process has locked it. It stays locked until it is closed."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _remove_abandoned(path: Path) -> None:
    """Remove an unfinished file that nobody writes any more."""
    with suppress(FileNotFoundError, PermissionError):
        if fcntl is None:
            if time.time() - path.stat().st_mtime > _OLD:
                path.unlink()
        else:
            with open(path, "rb") as file:
                if _lock(file):
                    path.unlink()
