"""How many threads compute, and how idle ones wait: set once, before torch and numba are loaded.

And what a fork must not do: its parent's threads do not exist in it, and what waits for them waits forever.
"""

from __future__ import annotations

import os
from pathlib import Path

from unica.errors import UnicaError

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds in a period, and the period


def set_defaults(quota: Path = _QUOTA) -> None:
    """Set what the threading libraries read when they are loaded, unless the user has set it.

    Idle threads of OpenMP sleep instead of spinning: spinning threads take the cores away from other programs, and from
    unica's own compiled loops. Within a container there are no more threads than its share of the machine allows.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    allowed = allowed_cores(quota)
    if allowed is not None and allowed < (os.cpu_count() or 1):
        os.environ.setdefault("OMP_NUM_THREADS", str(allowed))


_computed = False  # whether this process, or the one it was forked from, has computed
_forked = False  # whether it was forked after that


def compute() -> None:
    """Note that this process computes, as reading a picture does. Raises an error in a process that was forked after
    its parent had computed."""
    global _computed
    if _forked:
        raise UnicaError(
            "this process was forked from one in which unica had computed, and its threads are missing here:"
            " start processes with the method spawn or forkserver, or before the first picture is opened"
        )
    _computed = True


def _note_fork() -> None:
    global _forked
    _forked = _computed


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def allowed_cores(quota: Path = _QUOTA) -> int | None:
    """How many cores the container may use, rounded up; None where nothing limits it."""
    try:
        most, period = quota.read_text().split()
        return None if most == "max" else max(-(-int(most) // int(period)), 1)
    except (OSError, ValueError, ZeroDivisionError):
        return None
