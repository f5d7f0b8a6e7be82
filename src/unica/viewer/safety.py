"""What every answer to a browser forbids it, and the names by which this machine may be asked.

A page of another site can send requests to this machine under a name of its own. Such a name is not among these.
"""

from __future__ import annotations

import re

LOCAL = {"localhost", "127.0.0.1", "[::1]", "::1"}
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none';"
    " base-uri 'none'; form-action 'self'; object-src 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def host_name(host: str) -> str:
    """The host of a request without its port."""
    return host.rpartition(":")[0] if re.search(r":\d+$", host) else host
