"""Everything that the studio keeps, in one folder: what was uploaded and what was made, each user's apart.

A user is known by a secret, which the browser keeps in a cookie. The user's session is a folder, named by a hash of
that secret, with a folder for each record. A file is asked for by the id of its record and its name there, never by a
path, and links are not followed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from unica.errors import UnicaError
from unica.files import check_folder, write_text
from unica.names import safe_name

_SHARED = "shared"
_RECORD = "record.json"
_FETCHED = 3600.0  # seconds in which a program fetches what it asked for


@dataclass
class Record:
    """Something that is kept: a picture, a model, a mask, or a job with what it made."""

    id: str
    kind: str
    folder: Path
    made: float
    about: dict[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Write down what is known, whole or not at all."""
        known = {"id": self.id, "kind": self.kind, "made": self.made, "about": self.about}
        if self.folder.is_dir():
            write_text(json.dumps(known), self.folder / _RECORD)

    def open(self, name: str) -> BinaryIO:
        """One of its files, by its name."""
        if name != safe_name(name) or name == _RECORD:
            raise UnicaError("there is no such file")
        try:
            file = os.fdopen(os.open(self.folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")
        except OSError:
            raise UnicaError("there is no such file") from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise UnicaError("there is no such file")
        return file

    def path(self, name: str) -> Path:
        """Where one of its files is, if it is a whole file."""
        self.open(name).close()
        return self.folder / name

    @property
    def bytes(self) -> int:
        return sum(path.lstat().st_size for path in self.folder.iterdir()) if self.folder.is_dir() else 0

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, "made": self.made, **self.about}


class Session:
    """What one user has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.records = {record.id: record for record in _records(folder)}

    def new(self, kind: str, about: dict[str, Any]) -> Record:
        """A new record with an empty folder."""
        name = secrets.token_hex(8)
        record = Record(name, kind, self.folder / name, time.time(), about)
        check_folder(record.folder)
        record.save()
        self.records[name] = record
        return record

    def find(self, name: Any) -> Record:
        record = self.records.get(name) if isinstance(name, str) else None
        if record is None:
            raise UnicaError("this is not there any more: the studio keeps things for a while only")
        return record

    def remove(self, record: Record) -> None:
        self.records.pop(record.id, None)
        shutil.rmtree(record.folder, ignore_errors=True)


class Store:
    """All sessions, within a quota of bytes; what is older than an age is removed."""

    def __init__(self, folder: Path, quota: int, age: float) -> None:
        check_folder(folder)
        self.folder, self.quota, self.age = folder.resolve(), quota, age
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    @property
    def uploads(self) -> Path:
        """Where programs' uploads and their results lie for a while: Gradio's cache."""
        return self.folder / "gradio"

    def session(self, secret: str) -> Session:
        """The session of this secret; a new one, if nobody has had it."""
        return self._session(sha256(secret.encode()).hexdigest()[:32])

    @property
    def shared(self) -> Session:
        """What everybody sees: examples, and what the studio was started with."""
        return self._session(_SHARED)

    def _session(self, name: str) -> Session:
        with self._lock:
            if name not in self._sessions:
                self._sessions[name] = Session(self.folder / name)
            return self._sessions[name]

    def find(self, session: Session, name: Any) -> Record:
        """A record of the session, or one that everybody sees."""
        shared = self.shared.records
        return shared[name] if isinstance(name, str) and name in shared else session.find(name)

    def sweep(self, busy: set[str]) -> list[str]:
        """Remove what is too old, and the oldest of what is too much; not what is shared or in use. Returns its ids."""
        for folder in self.folder.iterdir():
            with self._lock:
                if len(folder.name) == 32 and folder.name not in self._sessions and folder.is_dir():
                    self._sessions[folder.name] = Session(folder)
        everything = [(record, own) for own in list(self._sessions.values()) for record in list(own.records.values())]
        everything.sort(key=lambda pair: pair[0].made)
        kept = [(record, own) for record, own in everything if own.name != _SHARED and record.id not in busy]
        for folder in self.uploads.iterdir() if self.uploads.is_dir() else ():
            if time.time() - folder.stat().st_mtime > _FETCHED:
                shutil.rmtree(folder, ignore_errors=True)
        total, now, removed = sum(record.bytes for record, _ in kept), time.time(), []
        for record, session in kept:
            if now - record.made > self.age or total > self.quota:
                total -= record.bytes
                session.remove(record)
                removed.append(record.id)
        with self._lock:
            for name in [name for name, own in self._sessions.items() if not own.records and name != _SHARED]:
                del self._sessions[name]
                with suppress(OSError):
                    (self.folder / name).rmdir()
        return removed


def _records(folder: Path) -> Iterator[Record]:
    """What an earlier studio left in a session's folder. Jobs that it did not end are over."""
    if not folder.is_dir():
        return
    for inner in folder.iterdir():
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads((inner / _RECORD).read_text())
            record = Record(str(known["id"]), str(known["kind"]), inner, float(known["made"]), dict(known["about"]))
            if record.id == inner.name and not inner.is_symlink():
                if record.about.get("state") in ("waiting", "running"):
                    record.about |= {"state": "failed", "error": "the studio was stopped before this was done"}
                yield record


def linked(path: Path, there: Path) -> None:
    """The same file in another folder, without a copy where the disk can do that."""
    try:
        os.link(path, there)
    except OSError:
        shutil.copyfile(path, there)
