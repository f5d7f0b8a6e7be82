"""Jobs for the tests of the fleet."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from unica.errors import UnicaError
from unica.files import whole_file


def where(description: Mapping[str, Any]) -> dict[str, Any]:
    """The description, and the process."""
    print("this is no result")
    return {**description, "pid": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS"), "loaded": _loaded()}


@cache
def _loaded() -> float:
    return time.time()


def refused(description: Mapping[str, Any]) -> None:
    raise UnicaError("the picture is upside down: turn it")


def dies(description: Mapping[str, Any]) -> int:
    """Die as often as is asked for, by an error or with the process; then return the process' number."""
    folder = Path(description["folder"])
    deaths = len(list(folder.iterdir()))
    if deaths < description["times"]:
        (folder / f"{deaths}-{os.getpid()}").touch()
        if description.get("exits"):
            os._exit(3)
        raise ValueError("the sky fell")
    return os.getpid()


def sleeps(description: Mapping[str, Any]) -> float:
    time.sleep(description["seconds"])
    return description["seconds"]


def writes(description: Mapping[str, Any]) -> None:
    """Take a minute to write a file, and tell by another one that it has begun."""
    path = Path(description["path"])
    with whole_file(path) as file:
        file.write(b"half")
        path.with_suffix(f".{os.getpid()}").touch()
        time.sleep(60)


def main() -> None:
    """Run some jobs that sleep: for tests that end this process. Or end it in the middle of a line."""
    from unica.fleet import Job, run

    if "UNICA_TEST_HALF" in os.environ:
        print('{"whole": 1}\n{"ha', end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    run((Job("writes", "fleet_jobs:writes", {"path": f"{sys.argv[1]}/{i}.bin"}) for i in range(5)), 2)


if __name__ == "__main__":
    main()
