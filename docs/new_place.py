"""A new environment with a copy of the repository, and the processes that run in it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

ROOT = Path(__file__).parents[1]
LONGEST = 1200  # seconds that a command may take


class Failed(Exception):
    """A command or a program that did not end well, with the last that it said."""


class Process:
    """A process in the background, in a group of its own, whose lines are read as they come."""

    def __init__(self, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=cwd, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._lines: Queue[str | None] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put(None)

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def until(self, pattern: str) -> tuple[str, str]:
        """What matches in the first line that has it, and all that was said before."""
        said, end = "", time.monotonic() + LONGEST
        while True:
            try:
                line = self._lines.get(timeout=max(end - time.monotonic(), 0))
            except Empty:
                raise Failed(f"{said[-2000:]}nothing more for {LONGEST} s") from None
            if line is None:
                raise Failed(said[-2000:])
            found = re.search(pattern, line)
            if found:
                return found[0], said
            said += line

    def stop(self) -> int:
        """Stop it as a user would, by Ctrl-C, or else by force; its exit status."""
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()


class Place:
    """A folder to work in, a new environment, and a copy of the repository as it was committed last."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clone = folder, folder / "clone"
        programs = folder / "environment" / "bin"
        subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
        subprocess.run(["git", "clone", "-q", ROOT, self.clone], check=True)
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        self.environment = kept | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "XDG_CACHE_HOME": str(folder / "cache"),
            "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        self.shell("pip install -q -c constraints.txt .", self.clone)

    def shell(self, command: str, cwd: Path) -> None:
        try:
            done = subprocess.run(
                ["bash", "-c", command], cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=LONGEST
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"it took more than {LONGEST} s") from None
        if done.returncode:
            raise Failed((done.stdout + done.stderr)[-2000:])

    def start(self, command: list[str], cwd: Path) -> Process:
        return Process(command, cwd, self.environment)


@contextmanager
def served(place: Place, command: str, cwd: Path) -> Iterator[None]:
    """A server that has answered once, and that must end well when it is stopped."""
    server = place.start(shlex.split(command), cwd)
    try:
        address, _ = server.until(r"http://[\w.:]+\S*")
        with urllib.request.urlopen(address, timeout=60) as answer:
            if b"<html" not in answer.read(10**6).lower():
                raise Failed(f"{address} is no page")
        yield
    except BaseException:
        server.stop()
        raise
    status = server.stop()
    if status not in (0, 128 + signal.SIGINT):
        raise Failed(f"it ended with {status}")
