"""`unica info`: what a picture or a model says of itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from unica.cli.models import is_model


def describe(path: Path) -> str:
    """Lines for a person. The last one, for a picture that unica made, is the command that makes it again."""
    return _model(path) if is_model(path) else _picture(path)


def _picture(path: Path) -> str:
    from unica.image import load, read_text

    text = {key: _printable(value) for key, value in read_text(path).items()}
    command = _command(text.get("unica:command", ""))
    if not command:
        picture = load(path, smallest=1)
        kind = "gray" if picture.pixels.shape[0] == 1 else "colour"
        alpha = ", with transparency" if picture.alpha is not None else ""
        width, height = picture.size
        what = f"{_printable(str(path))}: {width}x{height}, {kind}, {picture.bits} bits{alpha}"
        return f"{what}\nsha256  {picture.sha256}\nnot made by unica\n"
    names = ("engine", "settings", "seed", "source", "source-sha256")
    rows = [f"{name:14}{text.get('unica:' + name, '?')}" for name in names]
    made = f"{_printable(str(path))}: made by {text.get('Software', 'unica')}"
    return "\n".join([made, *rows, command, ""])


def _model(path: Path) -> str:
    import unica

    model = unica.load(path, device="cpu")
    width, height = model.picture.size
    rows: dict[str, Any] = {
        "engine": model.engine,
        "source": f"{_printable(model.picture.name)}, {width}x{height}, {'inside' if model.has_source else 'left out'}",
        "sha256": _printable(model.picture.sha256),
        **model.facts,
    }
    lines = [f"{name:14}{_printable(str(value))}" for name, value in rows.items()]
    return "\n".join([f"{_printable(str(path))}: a model", *lines, ""])


def _command(text: str) -> str:
    """The command, quoted anew: a picture may come from anyone, and what is pasted must run unica and nothing else."""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    return shlex.join(words) if words[:1] == ["unica"] else ""


def _printable(text: str) -> str:
    """The text with its control characters spelled out; a terminal would obey them."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
