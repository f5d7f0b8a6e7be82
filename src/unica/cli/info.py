"""`unica info`: what a picture or a model says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unica.cli.terminal import plain
from unica.jobs.again import read_command
from unica.jobs.models import is_model


def describe(path: Path) -> str:
    """Lines for a person. The last one, for a picture that unica made, is the command that makes it again."""
    return "\n".join(map(plain, _model(path) if is_model(path) else _picture(path)))


def _picture(path: Path) -> list[str]:
    from unica.maps import read_header, read_text

    text = read_text(path)
    command = read_command(text.get("unica:command", ""))
    if command is None:
        found = read_header(path)
        kind = {1: "gray", 3: "colour"}.get(found.channels, f"{found.channels} channels")
        alpha = ", with transparency" if found.alpha else ""
        width, height = found.size
        what = f"{path}: {width}x{height}, {kind}, {found.bits} bits{alpha}"
        return [what, f"sha256  {found.sha256}", "not made by unica"]
    names = ("engine", "settings", "seed", "source", "source-sha256")
    rows = [f"{name:14}{text.get('unica:' + name, '?')}" for name in names]
    made = f"{path}: made by {text.get('Software', 'unica')}"
    return [made, *rows, "This makes it again, in the folder of its files:", command.line()]


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
