"""The address of a Ray cluster, as a user gives it."""

from __future__ import annotations

import re

from unica.errors import UnicaError, shown

HERE, AUTO = "here", "auto"


def check_address(name: str, value: object) -> str:
    """`value`, if it says where a cluster is: here, auto or HOST:PORT."""
    if isinstance(value, str) and (value in (HERE, AUTO) or re.fullmatch(r"[^\s:/]+:\d{1,5}", value)):
        return value
    raise UnicaError(f"{name} must be here, auto or HOST:PORT, not {shown(value)}")
