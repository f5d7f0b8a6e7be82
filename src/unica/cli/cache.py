"""`unica cache`: what is kept for the next time, and how to be rid of it."""

from __future__ import annotations

import time

from unica.cache import empty, entries, folder
from unica.cli.terminal import say

_MB = 10**6


def show(remove: bool) -> None:
    """List the files of the user's cache, or remove them."""
    if remove:
        say(f"{folder()}: {empty() / _MB:.1f} MB removed")
        return
    found = entries()
    for entry in found:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        say(f"{entry.bytes / _MB:8.1f} MB  {day}  {entry.path.relative_to(folder())}")
    say(f"{sum(entry.bytes for entry in found) / _MB:8.1f} MB in {folder()}; unica cache --empty removes it")
