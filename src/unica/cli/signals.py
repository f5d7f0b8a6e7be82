"""Signals that end a run: Ctrl-C, a request to end, a terminal that was closed."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(BaseException):
    """A signal ended the run. It is raised where the program is, so that files are cleaned up on the way out."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number  # as shells have it


def stop(number: int, frame: object) -> None:
    raise Stopped(number)


@contextmanager
def handled(handler: Callable[[int, Any], None] = stop) -> Iterator[None]:
    """Handle the signals that end a run. Those that are ignored (nohup) stay ignored."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, now in before.items():
        if now is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
