"""A process that does jobs one at a time: a line on stdin is a job, and a line on stdout is what became of it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
import warnings
from queue import SimpleQueue

from unica.fleet.job import Job, outcome_of
from unica.fleet.lines import claim_stdout, heard

PATIENCE = 2.0  # seconds in which a job may leave its files in order when it is ended


def main() -> None:
    """Do jobs until the parent is gone, or ends this process."""
    say, waiting = claim_stdout(), SimpleQueue[Job]()
    if not sys.warnoptions:  # they are for programmers, and would stand between the lines of a command
        warnings.simplefilter("ignore")

    def listen() -> None:
        for line in heard():
            waiting.put(Job(**line))
        os.kill(os.getpid(), signal.SIGTERM)  # the parent is gone
        time.sleep(PATIENCE)
        os._exit(1)

    def end(number: int, frame: object) -> None:
        raise SystemExit(1)  # so that unfinished files are removed on the way out

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=listen, daemon=True).start()
    try:
        while True:
            say(outcome_of(waiting.get())._asdict())
    finally:
        atexit._run_exitfuncs()  # remove temporary folders
        os._exit(1)  # the usual way would wait for the thread that listens
