"""The commands that draw: one for each declared task."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import typer

from unica.cli.options import command
from unica.cli.signals import Stopped
from unica.cli.terminal import complain
from unica.declare import Texts
from unica.errors import UnicaError, as_path, by_reason
from unica.jobs.options import Option
from unica.jobs.task_options import options_of_task
from unica.tasks import Task, tasks


def add_tasks(app: typer.Typer, only: str | None = None) -> None:
    """A command for each task, in the groups that the tasks name. With `only`, the others have no options."""
    for declared in tasks().values():
        if declared.group is not None:
            options = _with_sources(options_of_task(declared)) if only in (None, declared.name) else ()
            run = partial(_run, declared)
            made = command(run, options, declared.name, declared.description)
            app.command(name=declared.name, rich_help_panel=declared.group)(made)


def _with_sources(options: Sequence[Option]) -> list[Option]:
    """The options of a command, which takes several sources where nothing else is given by its place."""
    source, *rest = options
    if any(option.parameter.about.argument for option in rest):
        return list(options)
    about = source.parameter.about
    help = f"{about.help.rstrip('.')}; or several of them, or a folder of pictures."
    about = replace(about, kind=Texts(about.kind.metavar), help=help)
    return [replace(source, parameter=replace(source.parameter, about=about)), *rest]


def _run(declared: Task, values: dict[str, Any]) -> None:
    from unica.jobs.batch import sources

    named = values["path"]
    named = [as_path("IMAGE", path) for path in named] if isinstance(named, list) else [named]
    paths = sources(named, Path(values["output"]))
    if len(paths) == 1:
        _draw(declared, {**values, "path": paths[0]})
    else:
        _draw_each(declared, values, paths)


def _draw_each(declared: Task, values: dict[str, Any], paths: Sequence[Path]) -> None:
    """Draw from every source. Those that fail are named at the end, when the others are done."""
    from unica.cli.progress import reporter
    from unica.jobs.batch import each_drawn

    made, failed = 0, {}
    try:
        with (
            reporter(values["quiet"]) as progress,
            closing(each_drawn(declared, values, paths, progress)) as drawn,
        ):
            for path, result in drawn:
                if isinstance(result, str):
                    failed[str(path)] = result
                    progress.say(f"{path} failed; the reason comes at the end")
                    result = {"task": declared.name, "source": str(path), "error": result}
                else:
                    made += 1
                if values["json"]:
                    print(json.dumps(result), flush=True)
    except Stopped as stopped:
        complain(f"interrupted; {made} of {len(paths)} sources are done")
        raise SystemExit(stopped.exit_code) from None
    if failed:
        raise UnicaError(f"{len(failed)} of {len(paths)} sources gave nothing: {by_reason(failed)}")


def _draw(declared: Task, values: dict[str, Any]) -> None:
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
