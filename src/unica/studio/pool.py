"""The queue: jobs wait for a worker in the order in which they came, and are told where they stand."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from unica import cache
from unica.errors import UnicaError
from unica.fleet.lines import LineProcess
from unica.weights import FOLDER

LONGEST_QUEUE = 32
_READY = 2  # workers that are there from the start; others start when there is work for them
_PATIENCE = 1.2  # seconds that a job has to stop by itself
_LARGE = 1.5 * 2**30  # bytes of a worker that is replaced when it is done
_NONE = "no process can be started that draws: the studio's terminal says why"
_CRASHES = 3  # workers that die at their start, one after the other, before the studio gives up

Listener = Callable[[str, dict[str, Any]], None]  # is told a job's id and what happened


@dataclass
class _Worker:
    process: LineProcess
    job: str | None = None
    ready: bool = False
    cancelled: float | None = None  # when its job was told to stop


@dataclass
class _Waiting:
    id: str
    description: Mapping[str, Any]
    long: bool = False  # a training: it must not take every worker


class Pool:
    """Processes that do jobs, one for each core; `listener` is called from their threads."""

    def __init__(self, listener: Listener, workers: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.size = workers or max(min(cores, int(os.environ.get("OMP_NUM_THREADS") or cores)), 1)
        self._listener = listener
        self._lock = threading.RLock()
        self._queue: list[_Waiting] = []
        self._workers: list[_Worker] = []
        self._long: set[str] = set()
        self._crashes = 0
        self._closed = threading.Event()
        for _ in range(min(self.size, _READY)):
            self._start()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, job: str, description: Mapping[str, Any], long: bool = False) -> None:
        """Put a job at the end of the queue."""
        with self._lock:
            if not self._workers:
                raise UnicaError(_NONE)
            if len(self._queue) >= LONGEST_QUEUE:
                raise UnicaError(f"{LONGEST_QUEUE} jobs are waiting already: try again in a while")
            self._queue.append(_Waiting(job, description, long))
            self._next()

    def cancel(self, job: str) -> None:
        """Stop a job, whether it waits or runs. A worker that does not stop soon is replaced."""
        with self._lock:
            waiting = [one for one in self._queue if one.id == job]
            for one in waiting:
                self._queue.remove(one)
                self._tell(job, {"event": "ended", "state": "cancelled"})
            self._say_places()
            for worker in self._workers:
                if worker.job == job and worker.cancelled is None:
                    worker.cancelled = time.monotonic()
                    worker.process.send({"cancel": job})

    def keep(self, job: str) -> None:
        """Stop a training, and keep its model."""
        with self._lock:
            for worker in self._workers:
                if worker.job == job:
                    worker.process.send({"keep": job})

    def busy(self) -> set[str]:
        """The jobs that wait or run."""
        with self._lock:
            return {one.id for one in self._queue} | {worker.job for worker in self._workers if worker.job}

    def wait_ready(self, seconds: float) -> bool:
        """Wait until some worker has started."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self._lock:
                if any(worker.ready for worker in self._workers):
                    return True
            time.sleep(0.02)
        return False

    def close(self) -> None:
        """End all processes."""
        self._closed.set()
        with self._lock:
            for worker in self._workers:
                worker.process.kill()
        for worker in self._workers:
            worker.process.wait()

    def _start(self) -> None:
        offline = {"HF_HUB_OFFLINE": "1", FOLDER: os.environ.get(FOLDER) or str(cache.folder())}
        process = LineProcess("unica.studio.worker", offline)  # with as many threads as a command has: the same bytes
        worker = _Worker(process)
        self._workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()

    def _listen(self, worker: _Worker) -> None:
        """Pass on what a worker says, until it ends."""
        for event in worker.process.lines():
            job = event.pop("id")
            with self._lock:
                if event["event"] == "ready":
                    worker.ready, self._crashes = True, 0
                    self._next()
                elif event["event"] == "ended":
                    self._free(worker, large=event.get("memory", 0) > _LARGE)
                    self._tell(job, event)
                    self._next()
                elif worker.job == job and worker.cancelled is None:
                    self._tell(job, event)
        with self._lock:
            if worker in self._workers:
                self._replace(worker, "the process that drew this ended: there may not be enough memory for it")

    def _free(self, worker: _Worker, large: bool) -> None:
        self._long.discard(worker.job or "")
        worker.job, worker.cancelled = None, None
        if large:
            self._workers.remove(worker)
            worker.process.kill()
            self._start()

    def _replace(self, worker: _Worker, why: str) -> None:
        """A worker died or was killed: end its job, and start another."""
        self._workers.remove(worker)
        job, cancelled = worker.job, worker.cancelled is not None
        self._long.discard(job or "")
        if job is not None:
            state = {"state": "cancelled"} if cancelled else {"state": "failed", "error": why}
            self._tell(job, {"event": "ended", **state})
        self._crashes += not worker.ready
        if not self._closed.is_set() and self._crashes < _CRASHES * self.size:
            self._start()
        if not self._workers:
            for waiting in self._queue:
                self._tell(waiting.id, {"event": "ended", "state": "failed", "error": _NONE})
            self._queue.clear()
        self._next()

    def _next(self) -> None:
        """Give waiting jobs to free workers."""
        for worker in self._workers:
            if not worker.ready or worker.job is not None:
                continue
            longs = len(self._long) >= max(self.size - 1, 1)
            chosen = next((one for one in self._queue if not (one.long and longs)), None)
            if chosen is None:
                break
            self._queue.remove(chosen)
            worker.job = chosen.id
            if chosen.long:
                self._long.add(chosen.id)
            self._tell(chosen.id, {"event": "started"})
            worker.process.send({"job": {**chosen.description, "id": chosen.id}})
        idle = any(worker.job is None for worker in self._workers)
        if self._queue and not idle and len(self._workers) < self.size and not self._closed.is_set():
            self._start()
        self._say_places()

    def _say_places(self) -> None:
        for place, one in enumerate(self._queue, 1):
            self._tell(one.id, {"event": "place", "place": place, "of": len(self._queue)})

    def _tell(self, job: str, event: dict[str, Any]) -> None:
        self._listener(job, event)

    def _watch(self) -> None:
        """Kill workers that do not stop when they are told to."""
        while not self._closed.wait(0.1):
            with self._lock:
                late = [w for w in self._workers if w.cancelled and time.monotonic() - w.cancelled > _PATIENCE]
                for worker in late:
                    worker.process.kill()
                    self._replace(worker, "")
