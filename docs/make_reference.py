"""Write docs/reference.md from the declarations of tasks and engines.

    python docs/make_reference.py

A test holds the page to the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from unica.declare import UNSET, Choice, Flag, Group, Number, Parameter, Whole, parameters
from unica.engines.base import engines
from unica.jobs.models import ModelOptions
from unica.jobs.task_options import AnimationOptions, OutputOptions, TileOptions
from unica.tasks import Task, tasks

PAGE = Path(__file__).parent / "reference.md"
HEAD = """# Reference

Every task with its parameters, and every engine with its settings. This page is made from the code by
`python docs/make_reference.py`. The same is in `unica TASK --help`, in `help(unica.TASK)` and, as JSON, in
`unica schema`.

In Python, a task is a function of a model, `unica.sample(model, count=4)`, or a method of it, `model.sample(count=4)`.
It returns a list of Pillow images; with `output="pt"` one tensor (n, channels, height, width), with `output="np"` one
array (n, height, width, channels), of values from 0 to 1. Sizes are (width, height). Boxes are (left, top, width,
height), in pixels of the picture as its file has it.
"""


def page() -> str:
    """The whole page."""
    lines, group = [HEAD], None
    for task in tasks().values():
        if task.group != group:
            group = task.group
            lines += [f"## {group or 'Python only'}", ""]
        lines += _task(task)
    lines += [
        "## Options of every command that draws",
        "",
        *table([*parameters(ModelOptions), *parameters(OutputOptions), *parameters(TileOptions)]),
        "",
    ]
    lines += ["## Engines", ""]
    for engine in engines().values():
        lines += [f"### {engine.name}", "", _sentence(engine.summary[0].upper() + engine.summary[1:]), ""]
        lines += [*table(parameters(engine.knobs)), ""]
        if parameters(engine.training_knobs):
            lines += ["When training:", "", *table(parameters(engine.training_knobs)), ""]
        if engine.presets:
            lines += ["| preset | |", "| --- | --- |"]
            lines += [f"| `{name}` | {summary} |" for name, summary in engine.presets.items()]
            lines += [""]
        if engine.defaults:
            lines += ["Its defaults of tasks:", "", "| task | defaults |", "| --- | --- |"]
            lines += [f"| `{task}` | {_pairs(values)} |" for task, values in engine.defaults.items()]
            lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def _task(task: Task) -> Iterator[str]:
    yield from (f"### {task.name}", "", task.description, "", *task_table(task), "")


def task_table(task: Task) -> list[str]:
    """What a task can be told; of a loop also what its command is told of the file."""
    of_file = parameters(AnimationOptions) if task.animation else ()
    return list(table([*task.parameters, *of_file], typed=task.group is not None))


def table(declared: Sequence[Parameter], typed: bool = True) -> Iterator[str]:
    """The rows of a table of parameters. `typed`: whether a command has them as options."""
    columns = ["parameter", "", *(["option"] if typed else []), "values", "default"]
    yield from (f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}")
    for parameter in declared:
        about = parameter.about.help.replace("|", "\\|")
        option = [_option(parameter)] if typed else []
        yield f"| {' | '.join([f'`{parameter.name}`', about, *option, _values(parameter), _default(parameter)])} |"


def _option(parameter: Parameter) -> str:
    if isinstance(parameter.kind, Group):
        return ", ".join(f"`--{field.option}`" for field in parameters(parameter.kind.of))
    if parameter.about.argument:
        return parameter.kind.metavar.replace("|", "\\|")
    short = f"`-{parameter.about.short}`, " if parameter.about.short else ""
    return f"{short}`--{parameter.option}`"


def _values(parameter: Parameter) -> str:
    kind = parameter.kind
    if isinstance(kind, Group):
        return f"a `{kind.of.__name__}`"
    if isinstance(kind, Whole | Number):
        return f"{kind.low:g} to {kind.high:g}" if kind.high < 10**6 else f"{kind.low:g} and up"
    if isinstance(kind, Choice):
        return ", ".join(f"`{option}`" for option in kind.options if option)
    return "" if isinstance(kind, Flag) else kind.metavar.replace("|", "\\|")


def _default(parameter: Parameter) -> str:
    default = parameter.default
    if default is UNSET:
        return "must be given"
    if default is None or default is False or default in ((), ""):
        return ""
    other = parameter.about.command_default
    return f"`{default}`" if other is UNSET else f"`{default}`; on a command line `{other}`"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."


if __name__ == "__main__":
    PAGE.write_text(page())
