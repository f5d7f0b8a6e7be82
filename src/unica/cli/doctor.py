"""`unica doctor`: what this machine has for unica, and the commands that mend what it lacks."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

import unica
from unica import cache
from unica.cli.terminal import say
from unica.errors import reason

_ROOM = 2 * 2**30  # bytes of memory, and of disk, below which little can be drawn
_DEVELOPERS = "dev"  # the extra that users do not need
_WIDTH = 11  # of the first column
_THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS", "NUMBA_CACHE_DIR")  # what users may have set


class Library(NamedTuple):
    """A library that unica, or one of its extras, needs."""

    name: str
    least: str  # the lowest version that will do
    extra: str  # "": unica itself needs it
    found: str | None  # the version that is here; None: none

    @property
    def problem(self) -> str | None:
        """What is wrong with it."""
        if self.found is None:
            return "missing"
        return f"older than {self.least}" if _numbers(self.found) < _numbers(self.least) else None


class Health(NamedTuple):
    """Everything there is to tell."""

    facts: dict[str, str]
    libraries: list[Library]
    problems: list[str]


def show(as_json: bool) -> None:
    """One screen for a person to read, or to paste into a report of a fault."""
    health = examined()
    if as_json:
        libraries = [library._asdict() for library in health.libraries]
        print(json.dumps({**health.facts, "libraries": libraries, "problems": health.problems}))
        return
    for name, text in health.facts.items():
        say(f"{name:{_WIDTH}}{text}")
    for extra in dict.fromkeys(library.extra for library in health.libraries):
        own = [library for library in health.libraries if library.extra == extra]
        told = ", ".join(f"{one.name} {one.problem or one.found}" for one in own)
        broken = extra and any(one.problem for one in own)
        say(f"{extra or 'needed':{_WIDTH}}{told}" + (f"; pip install 'unica[{extra}]'" if broken else ""))
    for problem in health.problems:
        say(f"problem    {problem}")
    if not health.problems:
        say("all is well")


def examined() -> Health:
    """Look at the machine."""
    libraries, facts = list(_libraries()), {"unica": f"{unica.__version__}, {_kind_of_install()}"}
    problems = [
        f"{one.name} is {one.problem}: pip install '{one.name}>={one.least}'"
        for one in libraries
        if one.problem and not one.extra
    ]
    facts |= {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
    }
    if not problems:
        facts |= _computing()
    memory = _memory()
    facts["memory"] = "unknown" if memory is None else f"{memory / 2**30:.1f} GB"
    if memory is not None and memory < _ROOM:
        problems.append(f"there are {memory / 2**30:.1f} GB of memory, and large pictures need {_ROOM / 2**30:.0f}")
    facts["cache"] = _cache(problems)
    return Health(facts, libraries, problems)


def _libraries() -> Iterator[Library]:
    """What the package says that it needs."""
    try:
        declared = requires("unica") or []
    except PackageNotFoundError:
        declared = []
    for line in declared:
        name, _, rest = line.partition(";")
        asked = re.match(r"([\w.-]+)(?:\[[^]]*])?\s*(?:>=\s*([\w.]+))?", name.strip())
        extra = re.search(r"""extra\s*==\s*['"]([\w-]+)['"]""", rest)
        if asked is None or (extra and extra[1] == _DEVELOPERS):
            continue
        try:
            found = version(asked[1])
        except PackageNotFoundError:
            found = None
        yield Library(asked[1], asked[2] or "0", extra[1] if extra else "", found)


def _computing() -> dict[str, str]:
    """Devices, threads, and what is compiled."""
    import torch

    from unica import machine
    from unica.devices import find_device, find_dtype
    from unica.engines.base import engines
    from unica.patches import compiled

    about, device = machine.describe(), find_device("auto")
    precision = str(find_dtype("auto", device)).removeprefix("torch.")
    set_by_user = [f"{name}={os.environ[name]}" for name in _THREADS if name in os.environ]
    return {
        "processor": f"{about['processor']}, {about['cores']} cores",
        "device": f"{device}, {precision}; {about['accelerator'] or 'no GPU that torch can use'}",
        "threads": ", ".join([str(torch.get_num_threads()), *set_by_user]),
        "loops": "compiled" if compiled() else "not compiled yet: the first run takes some 10 seconds more",
        "engines": ", ".join(engines()),
    }


def _cache(problems: list[str]) -> str:
    """How large the cache is, whether it can be written to, and how much room is left."""
    folder = cache.folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    size = sum(entry.bytes for entry in cache.entries())
    try:
        room = shutil.disk_usage(there).free
    except OSError as error:
        problems.append(f"{there} cannot be used: {reason(error)}")
        return str(folder)
    if not os.access(there, os.W_OK):
        problems.append(f"{there} cannot be written to, so nothing is kept: export XDG_CACHE_HOME=FOLDER")
    if room < _ROOM:
        problems.append(f"the disk with {there} has {room / 2**30:.1f} GB left")
    return f"{folder}, {size / 2**20:.0f} MB, {room / 2**30:.0f} GB left on its disk"


def _memory() -> int | None:
    """Bytes of memory that this machine has; None where nothing tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _kind_of_install() -> str:
    """Whether it is a checkout, or was installed."""
    return "a checkout" if (Path(unica.__file__).parents[2] / "pyproject.toml").exists() else "installed"


def _numbers(text: str) -> tuple[int, ...]:
    """A version in numbers, to be compared."""
    return tuple(int(number) for number in re.findall(r"\d+", text.partition("+")[0])[:3])
