"""The address of a Ray cluster, as a user gives it."""

from __future__ import annotations

import re
import socket

from unica.errors import UnicaError, reason, shown

HERE, AUTO = "here", "auto"
_ANSWERS_WITHIN = 5.0  # seconds


def check_address(name: str, value: object) -> str:
    """`value`, if it says where a cluster is: here, auto or HOST:PORT."""
    if isinstance(value, str) and (value in (HERE, AUTO) or re.fullmatch(r"[^\s:/]+:\d{1,5}", value)):
        return value
    raise UnicaError(f"{name} must be here, auto or HOST:PORT, not {shown(value)}")


def check_reachable(address: str) -> None:
    """Refuse an address at which nothing answers as the head of a cluster does. Ray itself would try for minutes."""
    if ":" not in address:
        return
    host, _, port = address.rpartition(":")
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"  # RFC 9113, 3.4: the preface, and no settings
    try:
        with socket.create_connection((host, int(port)), timeout=_ANSWERS_WITHIN) as connection:
            connection.sendall(hello)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        why = "it does not answer" if isinstance(error, TimeoutError) else reason(error)
        raise UnicaError(f"there is no Ray cluster at {address}: {why}") from None
    if answer[3:4] != b"\4":  # settings, which is what the other side says first
        raise UnicaError(f"there is no Ray cluster at {address}: something else answers there")
