"""`unica info`: what a picture or a model says of itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from unica.cli.drawing import options_of_task
from unica.cli.models import is_model
from unica.cli.terminal import plain
from unica.declare import File, Flag
from unica.tasks import tasks


def describe(path: Path) -> str:
    """Lines for a person. The last one, for a picture that unica made, is the command that makes it again."""
    return "\n".join(map(plain, _model(path) if is_model(path) else _picture(path)))


def _picture(path: Path) -> list[str]:
    from unica.image import read_header, read_text

    text = read_text(path)
    command = _command(text.get("unica:command", ""))
    if not command:
        found = read_header(path)
        kind = "gray" if found.channels == 1 else "colour"
        alpha = ", with transparency" if found.alpha else ""
        width, height = found.size
        what = f"{path}: {width}x{height}, {kind}, {found.bits} bits{alpha}"
        return [what, f"sha256  {found.sha256}", "not made by unica"]
    names = ("engine", "settings", "seed", "source", "source-sha256")
    rows = [f"{name:14}{text.get('unica:' + name, '?')}" for name in names]
    made = f"{path}: made by {text.get('Software', 'unica')}"
    return [made, *rows, "This makes it again, in the folder of its files:", command]


def _model(path: Path) -> list[str]:
    import unica

    model = unica.load(path, device="cpu")
    width, height = model.picture.size
    rows: dict[str, Any] = {
        "engine": model.engine,
        "source": f"{model.picture.name}, {width}x{height}, {'inside' if model.has_source else 'left out'}",
        "sha256": model.picture.sha256,
        **model.facts,
    }
    return [f"{path}: a model", *(f"{name:14}{value}" for name, value in rows.items())]


def _command(text: str) -> str:
    """The command, quoted anew; empty if it does anything but draw.

    A picture may come from anyone, and what is pasted must be harmless. So files to write are left out.
    """
    try:
        program, name, *words = shlex.split(text)
    except ValueError:
        return ""
    task = tasks().get(name)
    if program != "unica" or task is None or task.group is None:
        return ""
    known = {name: option.parameter.kind for option in options_of_task(task) for name in option.names}
    kept, rest = ["unica", name], iter(words)
    for word in rest:
        if word == "--":
            return shlex.join([*kept, word, *rest])
        option, equals, _ = word.partition("=")
        if not word.startswith("-"):
            kept.append(word)
        elif option not in known:
            return ""
        else:
            given = [word] if equals or isinstance(known[option], Flag) else [word, next(rest, "")]
            kept += [] if isinstance(kind := known[option], File) and kind.written else given
    return shlex.join(kept)
