"""The commands that draw: one for each declared task."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import typer

from unica.cli.options import command
from unica.cli.signals import Stopped
from unica.cli.terminal import complain
from unica.jobs.drawing import options_of_task
from unica.tasks import Task, tasks


def add_tasks(app: typer.Typer, only: str | None = None) -> None:
    """A command for each task, in the groups that the tasks name. With `only`, the others have no options."""
    for declared in tasks().values():
        if declared.group is not None:
            options = options_of_task(declared) if only in (None, declared.name) else ()
            run = partial(_run, declared)
            made = command(run, options, declared.name, declared.description)
            app.command(name=declared.name, rich_help_panel=declared.group)(made)


def _run(declared: Task, values: dict[str, Any]) -> None:
    from unica.cli.progress import late_reporter, reporter
    from unica.jobs.pictures import drawing

    run, quiet = drawing(declared, values), values["quiet"]
    with _interruptible(run.pictures):
        with late_reporter(quiet, "learning") as report:
            run.open(report)
        with reporter(quiet) as progress:
            report = run.save(progress)
    if values["json"]:
        print(json.dumps(report))


@contextmanager
def _interruptible(pictures: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """A signal ends the run in a sentence; each picture is written whole or not at all."""
    try:
        yield
    except Stopped as stopped:
        paths = [picture["path"] for picture in pictures]
        kept = f"kept {len(paths)}, {paths[0]} to {paths[-1]}" if paths else "no picture was finished"
        complain(f"interrupted; {kept}")
        raise SystemExit(stopped.exit_code) from None
