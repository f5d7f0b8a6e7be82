"""Which job runs next, what happens to one that dies, and when to give up. Where they run is for others to know."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from unica.errors import UnicaError, whole
from unica.fleet.address import check_address
from unica.fleet.job import Crew, Job

MOST_WORKERS = 1024
_DEATHS = 3  # after which a job has failed
_NAMED = 3  # failed jobs that the error names


class Done(NamedTuple):
    """A job that is done."""

    number: int  # of the job among all jobs, from 0
    job: Job
    result: Any


def run(
    jobs: Iterable[Job],
    workers: int | None = None,
    ray: str | None = None,
    done: Callable[[Done], None] = lambda done: None,
) -> list[Any]:
    """Do all jobs, and return their results in the order of the jobs. `done` is told of each one as it arrives.

    See `stream` for the rest.
    """
    results: dict[int, Any] = {}
    with closing(stream(jobs, workers, ray)) as arriving:
        for one in arriving:
            results[one.number] = one.result
            done(one)
    return [results[number] for number in sorted(results)]


def stream(jobs: Iterable[Job], workers: int | None = None, ray: str | None = None) -> Generator[Done, None, None]:
    """Do all jobs, and yield each one when it is done, in any order. To close the generator ends the workers.

    Without `workers`, there is one, or with `ray` one for each core of the cluster. One worker without `ray` is this
    process, and errors are raised as they are. With others:

    - A `UnicaError` in a job is the user's to mend. It ends everything, and is raised here.
    - A job that dies, by any other error or with its process, is tried again in a new process. After three deaths it
      has failed. The others are still finished, and then a `UnicaError` names those that failed. But if three jobs and
      more than half of all jobs so far have failed, it is raised at once.
    """
    if workers is not None:
        whole("workers", workers, 1, MOST_WORKERS)
    if not several(workers, ray):
        return _here(jobs)
    return _stream(jobs, workers, None if ray is None else check_address("ray", ray))


def several(workers: int | None, ray: str | None) -> bool:
    """Whether other processes than this one are wanted."""
    return ray is not None or workers not in (None, 1)


def _here(jobs: Iterable[Job]) -> Generator[Done, None, None]:
    for number, job in enumerate(jobs):
        yield Done(number, job, job.call())


def _stream(jobs: Iterable[Job], workers: int | None, ray: str | None) -> Generator[Done, None, None]:
    with closing(_crew(workers, ray)) as crew:
        yield from _shared_out(jobs, crew)


def _crew(workers: int | None, ray: str | None) -> Crew:
    if ray is not None:
        from unica.fleet.cluster import Cluster

        return Cluster(ray, workers)
    from unica.fleet.processes import Processes

    return Processes(workers or 1)


@dataclass
class _Trial:
    """A job that waits or runs."""

    number: int
    job: Job
    deaths: int = 0


def _shared_out(jobs: Iterable[Job], crew: Crew) -> Generator[Done, None, None]:
    """Give each worker one job at a time, until there are no more."""
    new = (_Trial(number, job) for number, job in enumerate(jobs))
    again: deque[_Trial] = deque()
    running: dict[int, _Trial] = {}
    failed: list[str] = []
    trace, finished = "", 0
    while True:
        while len(running) < crew.size and (trial := again.popleft() if again else next(new, None)):
            running[trial.number] = trial
            crew.give(trial.number, trial.job, trial.deaths)
        if not running:
            break
        number, outcome = crew.wait()
        trial = running.pop(number)
        if outcome.kind == "mistake":
            raise UnicaError(outcome.value)
        if outcome.kind == "result":
            finished += 1
            yield Done(number, trial.job, outcome.value)
            continue
        trial.deaths += 1
        if trial.deaths < _DEATHS:
            again.append(trial)
            continue
        failed.append(f"{trial.job.name} failed three times: {outcome.value}")
        trace = trace or outcome.trace
        if len(failed) >= max(_DEATHS, finished + 1):
            break
    if failed:
        more = f"; and so did {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise UnicaError("; ".join(failed[:_NAMED]) + more) from (RuntimeError(f"\n{trace}") if trace else None)
