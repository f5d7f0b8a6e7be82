"""Python processes that exchange lines of JSON with the one that started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


class LineProcess(subprocess.Popen[str]):
    """A process that runs `main()` of a module. It hears lines on stdin, and says lines on stdout."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        # Modules are looked for where this process looks: not in the current folder, as `python -m` does.
        program = f"import sys; sys.path[:] = {sys.path!r}; from {module} import main; main()"
        super().__init__(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C in the terminal is for the parent, which ends its processes
        )

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a line. If the process has just ended nobody hears it, and `lines` ends."""
        assert self.stdin is not None
        try:
            self.stdin.write(json.dumps(message) + "\n")
            self.stdin.flush()
        except OSError:
            pass

    def lines(self) -> Iterator[dict[str, Any]]:
        """Each line that the process says, until it ends."""
        assert self.stdout is not None
        yield from _whole_lines(self.stdout)
        self.wait()


def claim_stdout() -> Callable[[Mapping[str, Any]], None]:
    """Take stdout for lines, and return the function that says one. What anything else prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(message: Mapping[str, Any]) -> None:
        with lock:
            print(json.dumps(message), file=out)

    return say


def heard() -> Iterator[dict[str, Any]]:
    """Each line that the parent sends, until it is gone."""
    yield from _whole_lines(sys.stdin)


def _whole_lines(stream: Iterable[str]) -> Iterator[dict[str, Any]]:
    """All lines but a last one that was not finished: whoever wrote it was killed."""
    for line in stream:
        if line.endswith("\n"):
            yield json.loads(line)
