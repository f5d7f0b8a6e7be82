"""Workers on this machine: a process each."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import asdict
from queue import SimpleQueue
from typing import Any

from unica.fleet.job import Crew, Job, Outcome
from unica.fleet.lines import LineProcess
from unica.fleet.worker import PATIENCE
from unica.threads import allowed_cores


class Processes(Crew):
    """At most `size` processes, which start when there is work for them. They keep what they have loaded."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads = str(threads_each(size))
        self._idle: list[LineProcess] = []
        self._busy: dict[LineProcess, int] = {}
        self._heard: SimpleQueue[tuple[LineProcess, dict[str, Any] | None]] = SimpleQueue()

    def give(self, number: int, job: Job, deaths: int) -> None:
        process = self._start() if deaths or not self._idle else self._idle.pop()
        self._busy[process] = number
        process.send(asdict(job))

    def wait(self) -> tuple[int, Outcome]:
        while True:
            process, said = self._heard.get()
            if process in self._busy:
                break
            if process in self._idle:  # it was killed while it had nothing to do
                self._idle.remove(process)
        number = self._busy.pop(process)
        if said is None:
            return number, Outcome("death", _ended(process.returncode))
        outcome = Outcome(**said)
        if outcome.kind == "death":
            process.kill()
        else:
            self._idle.append(process)
        return number, outcome

    def close(self) -> None:
        processes = [*self._idle, *self._busy]
        for process in processes:
            process.terminate()
        until = time.monotonic() + PATIENCE
        for process in processes:
            try:
                process.wait(max(until - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self) -> LineProcess:
        environment = {"OMP_NUM_THREADS": self._threads, "OMP_WAIT_POLICY": "passive"}
        process = LineProcess("unica.fleet.worker", environment)
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: LineProcess) -> None:
        for line in process.lines():
            self._heard.put((process, line))
        self._heard.put((process, None))


def threads_each(workers: int) -> int:
    """How many threads each of so many workers has: an equal share of the cores, and no more than this process has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = max(min(cores, allowed_cores() or cores) // workers, 1)
    mine = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(mine)) if mine.isdigit() and int(mine) else share


def _ended(code: int | None) -> str:
    """Why a process died, as far as its exit code tells."""
    if code is not None and code < 0:
        return f"its process was ended by signal {-code}; there may not be enough memory"
    return f"its process ended with exit code {code}"
