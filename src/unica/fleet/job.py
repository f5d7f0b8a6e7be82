"""A job, what becomes of it, and who does it."""

from __future__ import annotations

import json
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NamedTuple

from unica.errors import UnicaError, reason


@dataclass(frozen=True)
class Job:
    """A call of a function, which any process can make."""

    name: str  # what a person reads if it fails
    function: str  # where it is: "package.module:function"
    description: Mapping[str, Any]  # its argument, in JSON

    def call(self) -> Any:
        """Do it here and now."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(module), name)(self.description)


class Outcome(NamedTuple):
    """What became of a job: a result, a mistake that the user can mend, or the end of its process."""

    kind: Literal["result", "mistake", "death"]
    value: Any  # the result, the user's sentence, or why it died
    trace: str = ""  # of a death: where in the code, if it is known


def outcome_of(job: Job) -> Outcome:
    """Do a job. An error that is not the user's counts as a death, because it may have left the process in disorder."""
    try:
        result = job.call()
        json.dumps(result)
        return Outcome("result", result)
    except UnicaError as error:
        return Outcome("mistake", str(error))
    except MemoryError:
        return Outcome("death", "there is not enough memory", traceback.format_exc())
    except Exception as error:
        return Outcome("death", f"{type(error).__name__}: {reason(error)}", traceback.format_exc())


class Crew(ABC):
    """Workers that do jobs: those of a machine, or those of a cluster."""

    size: int  # how many jobs at a time

    @abstractmethod
    def give(self, number: int, job: Job, deaths: int) -> None:
        """Let a free worker do a job. One that has died before gets a new process."""

    @abstractmethod
    def wait(self) -> tuple[int, Outcome]:
        """Wait for the next outcome; it comes with the number of its job."""

    @abstractmethod
    def close(self) -> None:
        """End all workers. A job that runs may still remove its unfinished file."""
