"""Which files a command reads, and which it may write."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unica.declare import File, NamedFiles
from unica.errors import UnicaError, listed, reason
from unica.files import whole_file, write_new
from unica.jobs.options import Option
from unica.tiled import ENDINGS


@dataclass(frozen=True)
class Outputs:
    """Where a command's pictures go. What is there is kept, and new files are numbered, unless it is told to."""

    folder: Path
    read: Collection[Path]
    overwrite: bool
    stem: str | None = None  # of a file that was named; None: names are made from the source's
    suffix: str = ".png"

    @classmethod
    def named(cls, output: str, endings: Collection[str], read: Collection[Path], overwrite: bool) -> "Outputs":
        """A folder, or a file: it has one of the endings, no slash behind it, and is no folder that is there."""
        from unica.image import SUFFIXES

        path = Path(output)
        suffix = path.suffix.lower()
        known = {*endings, *SUFFIXES, *ENDINGS, ".mp4", ".webm", ".npy", ".exr"}
        named = suffix in known and not output.endswith(("/", os.sep))
        if not named or (path.is_dir() and suffix not in ENDINGS):
            return cls(path, read, overwrite)
        if suffix not in endings:
            raise UnicaError(f"{output} must end in {listed(sorted(endings))}, or in a slash if it is a folder")
        return cls(path.parent, read, overwrite, path.stem, path.suffix)

    def name(self, stem: str, seed: int, suffix: str, several: bool) -> str:
        """Of a picture: the file that was named, or `stem` and the seed; with the seed if there are several."""
        if self.stem is None:
            return f"{stem}-{seed}{suffix}"
        return f"{self.stem}-{seed}{self.suffix}" if several else f"{self.stem}{self.suffix}"

    def check(self, names: Iterable[str]) -> None:
        """Refuse names under which a file would be lost that the command reads."""
        for name in names if self.overwrite else ():
            spare(self.folder / name, self.read)

    def write(self, name: str, data: bytes) -> Path:
        """Write a file, and return its path."""
        path = self.folder / name
        try:
            if not self.overwrite:
                return write_new(path, data)
            spare(path, self.read)
            with whole_file(path) as file:
                file.write(data)
            return path
        except OSError as error:
            raise UnicaError(f"{path} cannot be written: {reason(error)}") from None


def read_files(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, Path]:
    """The files that a command reads, by the names of their options."""
    kinds = {option.name: option.parameter.kind for option in options}
    read = [name for name, kind in kinds.items() if isinstance(kind, File) and not kind.written]
    found = {name: Path(values[name]) for name in read if values.get(name) is not None}
    several = [name for name, kind in kinds.items() if isinstance(kind, NamedFiles)]
    return found | {f"{name}{key}": Path(path) for name in several for key, path in values.get(name) or ()}


def without_folders(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the names of the files that are read in place of their paths."""
    kinds = {option.name: option.parameter.kind for option in options}
    return {
        name: kinds[name].without_folder(value) if name in kinds and value is not None else value
        for name, value in values.items()
    }


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
