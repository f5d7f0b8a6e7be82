"""How many threads compute, and how they wait: set once, before torch and numba are loaded."""

from __future__ import annotations

import os


def set_waiting_policy() -> None:
    """Let idle threads of OpenMP sleep instead of spin, unless the user has chosen otherwise.

    Spinning threads take the cores away from other programs, and from unica's own compiled loops.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
