"""Which files a command reads, and which it may write."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unica.cli.options import Option
from unica.declare import File
from unica.errors import UnicaError


def read_files(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, Path]:
    """The files that a command reads, by the names of their options."""
    kinds = {option.name: option.parameter.kind for option in options}
    read = [name for name, kind in kinds.items() if isinstance(kind, File) and not kind.written]
    return {name: Path(values[name]) for name in read if values.get(name) is not None}


def without_folders(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the names of the files that are read in place of their paths."""
    return {**values, **{name: Path(path.name) for name, path in read_files(options, values).items()}}


def check_file(path: Path, read: Iterable[Path]) -> None:
    """Refuse a file that is not to be written, before there is any work."""
    spare(path, read)
    if path.exists() and not path.is_file():
        raise UnicaError(f"{path} is not a file, so it cannot be replaced by one")
    if not path.parent.is_dir():
        raise UnicaError(f"{path.parent} is not a folder: make it first, or name another file")


def spare(path: Path, read: Iterable[Path]) -> None:
    """Refuse to write over a file that the command reads."""
    if path.exists() and any(one.exists() and path.samefile(one) for one in read):
        raise UnicaError(f"{path} is read by this command, and would be overwritten: name another file")
