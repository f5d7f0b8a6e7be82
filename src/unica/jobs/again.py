"""How to draw a picture again: its command line taken apart, and the same in Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unica.declare import File, Flag, Group, Parameter, parameters
from unica.engines.base import find, picture_engine
from unica.jobs import workers
from unica.jobs.models import has_maps, is_model
from unica.jobs.options import Option
from unica.jobs.task_options import options_of_task
from unica.tasks import Task, tasks


@dataclass(frozen=True)
class Command:
    """A command line that draws: its task, its words, and what was typed for each option."""

    task: Task
    words: list[str]  # the source first, then what else is given by its place
    given: list[tuple[Option, str | None]]  # None: a flag

    def line(self) -> str:
        """The command, quoted anew. What it writes and where it computes is left out."""
        typed = [part for option, text in self.given if not _left_out(option) for part in _typed(option, text)]
        source, *rest = self.words
        return shlex.join(["unica", self.task.name, source, *typed, *(["--", *rest] if rest else [])])

    def values(self) -> dict[str, Any]:
        """The values that the command gives, by the names of the options, all but the source."""
        typed: dict[str, Any] = {}
        for option, text in self.given:
            if option.parameter.kind.repeated:
                typed.setdefault(option.name, []).append(text)
            else:
                typed[option.name] = True if text is None else text
        rest = self.words[1:]
        by_place = [option for option in options_of_task(self.task) if option.parameter.about.argument][1:]
        for option in by_place:
            typed[option.name] = rest if option.parameter.kind.repeated else rest.pop(0)
        known = {option.name: option for option in options_of_task(self.task)}
        return {name: known[name].value(value) for name, value in typed.items() if not _left_out(known[name])}


def read_command(text: str) -> Command | None:
    """What a picture's command says; None if it does anything but draw.

    A picture may come from anyone, so a word that is no option of its task makes the whole of it void.
    """
    try:
        program, name, *words = shlex.split(text)
    except ValueError:
        return None
    task = tasks().get(name)
    if program != "unica" or task is None or task.group is None:
        return None
    known = {name: option for option in options_of_task(task) for name in option.names}
    found = Command(task, [], [])
    rest = iter(words)
    for word in rest:
        name, equals, text = word.partition("=")
        if word == "--":
            found.words.extend(rest)
        elif not word.startswith("-"):
            found.words.append(word)
        elif name not in known:
            return None
        elif isinstance(known[name].parameter.kind, Flag):
            found.given.append((known[name], None))
        else:
            found.given.append((known[name], text if equals else next(rest, "")))
    return found if found.words else None


def python(task: Task, values: Mapping[str, Any], seed: int, output: str | None) -> str:
    """A program that draws the picture of this seed. The values are those of the task's options, by name.

    It saves the picture; without an output, it ends with the numbers of its maps.
    """
    path = Path(values["path"]).name
    if is_model(Path(path)):
        knobs, opened = _given(_knobs(values), values), "load"
    else:
        engine = picture_engine(values["engine"])
        knobs, opened = {"engine": engine.name} | _given(parameters(engine.knobs), values), "open"
    knobs |= {name: values[name] for name in ("device", "precision") if values[name] != "auto"}
    source: Any = path
    if opened == "open" and has_maps(values):
        from unica.maps import meant_by

        more = {name: Path(file).name for name, file in values.get("with_") or ()}
        source = {meant_by(Path(path).stem) or "color": path, **more} if more else path
        if values.get("weight"):
            knobs |= {"weights": dict(values["weight"])}
    own = _given(task.parameters, values)
    own = {name: value for name, value in own.items() if name not in ("count", "seed")} | {"seed": seed}
    pause = round(1000 / values["fps"]) if task.animation else 0  # milliseconds
    last = (
        f'pictures[0].save("{output}", save_all=True, append_images=pictures[1:], duration={pause}, loop=0)'
        if task.animation
        else f'pictures[0].save("{output}")'
    )
    opening = f"model = unica.{opened}({', '.join([repr(source), *_keywords(knobs)])})"
    if output is None:
        own["output"], last = (
            "maps",
            "maps = pictures[0]  # arrays by the names of maps, with numbers as files have them",
        )
    drawing = f"pictures = unica.{task.name}({', '.join(['model', *_keywords(own)])})"
    return "\n".join(["import unica", "", opening, drawing, last])


def _knobs(values: Mapping[str, Any]) -> tuple[Parameter, ...]:
    return parameters(find(values["engine"]).knobs) if values["engine"] else ()


def _given(declared: tuple[Parameter, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not the defaults, as Python has them."""
    given = {}
    for parameter in declared:
        if isinstance(parameter.kind, Group):
            fields = _given(parameters(parameter.kind.of), values)
            if fields:
                given[parameter.name] = parameter.kind.of(**fields)
        else:
            value = values[parameter.name]
            value = Path(value).name if isinstance(parameter.kind, File) and value is not None else value
            if value not in (None, parameter.default, [], ()):
                given[parameter.name] = value
    return given


def _keywords(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={_literal(value)}" for name, value in values.items()]


def _literal(value: Any) -> str:
    """A value as a Python program writes it."""
    kind = type(value)
    if kind.__module__.startswith("unica."):
        fields = {p: getattr(value, p) for p in value.__dataclass_fields__}
        usual = {name: field.default for name, field in value.__dataclass_fields__.items()}
        changed = {name: one for name, one in fields.items() if one not in (usual[name], [], ())}
        return f"unica.{kind.__name__}({', '.join(_keywords(changed))})"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(_literal, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    return repr(str(value) if isinstance(value, Path) else value)


def _typed(option: Option, text: str | None) -> list[str]:
    return option.names[-1:] if text is None else [option.names[-1] if option.name != "count" else "-n", text]


def _left_out(option: Option) -> bool:
    """Whether an option says nothing of the picture, and whoever types it again may want something else."""
    kind = option.parameter.kind
    return (isinstance(kind, File) and kind.written) or option.name in workers.NAMES
