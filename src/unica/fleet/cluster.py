"""Workers on a Ray cluster: a job is a task of Ray, on whichever machine has a free core.

Tasks, not actors. Ray gives tasks to processes that are there already, so models stay loaded as they do in an actor;
and no job waits for one busy machine while another has nothing to do.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import Any

from unica.errors import UnicaError, reason
from unica.fleet.address import AUTO, HERE, check_reachable
from unica.fleet.job import Crew, Job, Outcome, outcome_of
from unica.fleet.worker import PATIENCE

_QUIET = {  # read when ray is imported: it must not write between a command's lines
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
}
_OF_JOBS = {  # a core is a job's share, and GPUs, if there are any, are there for all jobs of a machine
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Cluster(Crew):
    """The workers of a cluster. Without `workers`, as many jobs run at a time as it has cores.

    A cluster that was started here ends with it.
    """

    def __init__(self, address: str, workers: int | None) -> None:
        self._ray = _import()
        self._owned = not self._ray.is_initialized()
        if self._owned:
            _connect(self._ray, address, workers)
        self._environment = {} if self._owned and address == HERE else _OF_JOBS
        self.size = workers or max(int(self._ray.cluster_resources().get("CPU", 1)), 1)
        self._task = self._ray.remote(num_cpus=1, max_retries=0)(_perform)
        self._running: dict[int, Any] = {}  # the reference of each job's task
        self._ended: SimpleQueue[tuple[int, Future[str]]] = SimpleQueue()

    def give(self, number: int, job: Job, deaths: int) -> None:
        own = {"UNICA_TRIAL": f"{number}-{deaths}"} if deaths else {}  # another environment is another process
        environment = {**self._environment, **own}
        task = self._task.options(name=job.name, runtime_env={"env_vars": environment} if environment else None)
        self._running[number] = task.remote(asdict(job), os.getcwd())
        self._running[number].future().add_done_callback(lambda future: self._ended.put((number, future)))

    def wait(self) -> tuple[int, Outcome]:
        number, future = self._ended.get()  # not ray.wait, which breaks where the handler of a signal raises an error
        del self._running[number]
        return number, self._outcome(future)

    def _outcome(self, future: Future[str]) -> Outcome:
        errors = self._ray.exceptions
        try:
            return Outcome(**json.loads(future.result()))
        except errors.WorkerCrashedError:
            return Outcome("death", "its process ended; there may not be enough memory")
        except errors.NodeDiedError:
            return Outcome("death", "its machine left the cluster")
        except errors.RayError as error:
            return Outcome("death", reason(error), str(error))

    def close(self) -> None:
        for force in (False, True):  # a job may first remove its unfinished file
            for reference in self._running.values():
                with suppress(self._ray.exceptions.RayError):
                    self._ray.cancel(reference, force=force)
            until = time.monotonic() + PATIENCE
            with suppress(Empty):
                while self._running:
                    number, _ = self._ended.get(timeout=max(until - time.monotonic(), 0))
                    del self._running[number]
        if self._owned:
            self._ray.shutdown()


def _perform(job: dict[str, Any], folder: str) -> str:
    """Do a job in the folder of the command, on a machine of the cluster."""
    try:
        os.chdir(folder)
    except OSError:
        outcome = Outcome(
            "mistake",
            f"the machine {socket.gethostname()} of the cluster does not have the folder {folder}:"
            " all machines must see the same folders",
        )
    else:
        outcome = outcome_of(Job(**job))
    return json.dumps(outcome._asdict())


def _import() -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UnicaError("a cluster needs Ray: install it with pip install 'unica[fleet]'") from None
    return ray


def _connect(ray: Any, address: str, workers: int | None) -> None:
    """Start a cluster on this machine, or join one that is there."""
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS") or AUTO
    check_reachable(address)
    options: dict[str, Any] = {"address": address}
    if address == HERE:
        options = {"address": "local", "num_cpus": workers, "include_dashboard": False}
    try:
        with _own_signals(), _environment(_OF_JOBS):  # processes that are started here inherit it
            ray.init(**options, log_to_driver=False, logging_level="CRITICAL")
    except ConnectionError:
        raise UnicaError(
            "this machine belongs to no Ray cluster: start one with ray start --head, or say --ray here"
        ) from None
    except (RuntimeError, ValueError, OSError) as error:
        raise UnicaError(f"the Ray cluster {address} cannot be joined: {reason(error)}") from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces by its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
