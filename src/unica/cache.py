"""The user's cache: files that can be downloaded or made again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from unica.errors import UnicaError, reason


class Entry(NamedTuple):
    """A file of the cache."""

    path: Path
    bytes: int
    used: float  # when it was last used, in seconds since 1970


def folder() -> Path:
    """The user's folder for what can be had again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unica"


def entries(below: str = "") -> list[Entry]:
    """The files of the cache, or of one of its folders; those that were used last come first."""
    found = []
    for path in (folder() / below).rglob("*"):
        try:
            facts = path.stat()
        except OSError:  # another process removed it
            continue
        if path.is_file():
            found.append(Entry(path, facts.st_size, facts.st_mtime))
    return sorted(found, key=lambda entry: entry.used, reverse=True)


def used(path: Path) -> None:
    """Note that a file is used now."""
    with suppress(OSError):  # a cache that cannot be written to is still read
        path.touch()


def bound(below: str, most: int) -> None:
    """Keep the most recently used files of a folder, as many as fit into so many bytes, and remove the others."""
    total = 0
    for entry in entries(below):
        total += entry.bytes
        if total > most:
            entry.path.unlink(missing_ok=True)


def empty() -> int:
    """Remove all files of the cache; return how many bytes that frees."""
    freed = 0
    for entry in entries():
        try:
            entry.path.unlink(missing_ok=True)
        except OSError as error:
            raise UnicaError(f"{entry.path} cannot be removed: {reason(error)}") from None
        freed += entry.bytes
    return freed
