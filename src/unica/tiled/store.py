"""Files by name in a folder of this machine or at a URL, each written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from unica.errors import UnicaError, reason
from unica.files import check_folder, whole_file

_HALF = ".unfinished"  # how the name of a file ends that is not yet whole


@runtime_checkable
class Files(Protocol):
    """Files with names such as "0/3/17"."""

    def has(self, name: str) -> bool: ...

    def names(self, below: str = "") -> set[str]:
        """The names of all files, or of those in one folder."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all. Missing folders are made."""
        ...

    def remove(self, below: str = "") -> None:
        """Remove a folder and all that is in it. That it is not there is no error."""
        ...


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def names(self, below: str = "") -> set[str]:
        found = set()
        for folder, _, files in os.walk(self.path / below):
            inner = os.path.relpath(folder, self.path).replace(os.sep, "/")
            found |= {name if inner == "." else f"{inner}/{name}" for name in files if not name.endswith(_HALF)}
        return found

    def read(self, name: str) -> bytes:
        with _told("read", self.path / name):
            return (self.path / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        path = self.path / name
        with _told("written", path):
            try:
                with whole_file(path) as file:
                    file.write(data)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(path) as file:
                    file.write(data)

    def remove(self, below: str = "") -> None:
        path = self.path / below
        with _told("removed", path):
            if path.exists():
                shutil.rmtree(path)

    def publish(self, path: Path) -> None:
        """Give the folder its final name. What killed processes left half written is removed first."""
        with _told("written", path):
            for parent in {half.parent for half in self.path.rglob(f".*{_HALF}")}:
                check_folder(parent)
            os.rename(self.path, path)


@dataclass(frozen=True)
class Remote:
    """A folder at a URL, by fsspec. Files are whole where the service writes them so, as object stores do."""

    url: str
    system: Any  # fsspec's
    path: str

    @classmethod
    def at(cls, url: str) -> Remote:
        try:
            from fsspec import url_to_fs

            return cls(url, *url_to_fs(url))
        except (ImportError, ValueError) as error:  # the first names the package to install
            raise UnicaError(f"{url} cannot be opened: {reason(error)}") from None

    def __str__(self) -> str:
        return self.url

    def has(self, name: str) -> bool:
        with _told("read", self._url(name)):
            self.system.invalidate_cache()
            return self.system.isfile(self._at(name))

    def names(self, below: str = "") -> set[str]:
        with _told("read", self._url(below)):
            self.system.invalidate_cache()
            start = len(self._at("")) + 1
            return {str(path)[start:] for path in self.system.find(self._at(below))}

    def read(self, name: str) -> bytes:
        with _told("read", self._url(name)):
            return self.system.cat_file(self._at(name))

    def write(self, name: str, data: bytes) -> None:
        path = self._at(name)
        with _told("written", self._url(name)):
            try:
                self.system.pipe_file(path, data)
            except FileNotFoundError:  # a service with true folders
                self.system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
                self.system.pipe_file(path, data)

    def remove(self, below: str = "") -> None:
        with _told("removed", self._url(below)):
            self.system.invalidate_cache()
            if self.system.exists(self._at(below)):
                self.system.rm(self._at(below), recursive=True)

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}".rstrip("/")

    def _url(self, name: str) -> str:
        return f"{self.url}/{name}".rstrip("/")


@contextmanager
def _told(what: str, name: object) -> Iterator[None]:
    """Turn what goes wrong with a file into one sentence. Services have errors of their own kinds."""
    try:
        yield
    except UnicaError:
        raise
    except FileNotFoundError:
        raise UnicaError(f"{name} cannot be {what}: it is missing") from None
    except Exception as error:
        raise UnicaError(f"{name} cannot be {what}: {reason(error)}") from error
