"""One task on several sources: each is a run of its own, and those that fail do not stop the others."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from unica.errors import UnicaError, reason
from unica.fleet import Job, several, stream
from unica.jobs import workers
from unica.jobs.drawing import Drawing
from unica.jobs.models import is_model
from unica.jobs.options import read_values, written_values
from unica.jobs.progress import Progress
from unica.jobs.task_options import options_of_task
from unica.tasks import Task, tasks

_OF_ONE = ("with_", "show_mask", "resume")  # options that are for one source


def sources(paths: Sequence[Path], output: Path | None = None) -> list[Path]:
    """What is meant by these paths: files, models, and the pictures in folders. A folder of maps is one source.

    Of the folder that is written to, pictures that unica drew there are left out: the command may have run before.
    """
    from unica.maps import is_one_thing, pictures_in

    def meant(path: Path) -> list[Path]:
        if not path.is_dir() or is_model(path) or is_one_thing(path):
            return [path]
        found = pictures_in(path)
        if output is not None and path.resolve() == output.resolve():
            found = [one for one in found if not _drawn_by_unica(one)]
        return found

    return [source for path in paths for source in meant(path)]


def _drawn_by_unica(path: Path) -> bool:
    from unica.image import read_text

    try:
        return "unica:command" in read_text(path)
    except UnicaError:
        return False  # the run says what is wrong with it


def each_drawn(
    task: Task, values: Mapping[str, Any], paths: Sequence[Path], progress: Progress
) -> Generator[tuple[Path, dict[str, Any] | str], None, None]:
    """Draw from every source. Yields each with the report on its run, or with a sentence if that fails."""
    _check(task, values, paths)
    if not several(values["workers"], values["ray"]):
        for number, path in enumerate(paths):
            yield path, _drawn(task, {**values, "path": path}, _Share(progress, number, len(paths)))
        return
    run = {"task": task.name, "values": written_values(options_of_task(task), values, without=("path", *workers.NAMES))}
    jobs = (Job(str(path), f"{__name__}:draw", {**run, "path": str(path)}) for path in paths)
    with closing(stream(jobs, values["workers"], values["ray"])) as done:
        for number, one in enumerate(done, 1):
            progress.update(number / len(paths))
            yield paths[one.number], one.result


def draw(description: Mapping[str, Any]) -> dict[str, Any] | str:
    """All pictures of one source: the work of a job."""
    task = tasks()[description["task"]]
    values = {**json.loads(description["values"]), "path": description["path"]}
    return _drawn(task, read_values(options_of_task(task), values), Progress())


def _drawn(task: Task, values: dict[str, Any], progress: Progress) -> dict[str, Any] | str:
    """The report of a run, or what is wrong with it."""
    try:
        run = Drawing(task, values)
        run.open(lambda done, standing: progress.update(0, standing))
        return run.save(progress)
    except UnicaError as error:
        return str(error)
    except MemoryError:
        return "there is not enough memory"
    except OSError as error:
        return f"{error.filename or values['output']} cannot be used: {reason(error)}"


def _check(task: Task, values: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Refuse what only one source can have."""
    for option in options_of_task(task):
        if option.name in _OF_ONE and values.get(option.name):
            raise UnicaError(f"{option.label} is for one source, and there are {len(paths)}")
    outputs = Drawing(task, {**values, "path": paths[0]}).outputs
    if outputs.stem is not None:
        raise UnicaError(f"{values['output']} must be a folder, as {outputs.stem}/: there are {len(paths)} sources")
    stems = [path.stem for path in paths]
    twice = [str(path) for path in paths if stems.count(path.stem) > 1]
    if twice:
        raise UnicaError(f"pictures of {twice[0]} and {twice[1]} would have the same names: draw from them one by one")


class _Share(Progress):
    """Progress of one run among several."""

    def __init__(self, whole: Progress, number: int, count: int) -> None:
        self._whole, self._number, self._count = whole, number, count

    def update(self, done: float, standing: str = "") -> None:
        self._whole.update((self._number + done) / self._count, standing)

    def say(self, line: str) -> None:
        self._whole.say(line)
