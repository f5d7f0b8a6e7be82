"""`unica info`: what a picture says of itself."""

from __future__ import annotations

from pathlib import Path

from unica.image import load, read_text


def describe(path: Path) -> str:
    """Lines for a person; the last one, for a picture that unica made, is the command that makes it again."""
    text = read_text(path)
    if "unica:command" not in text:
        picture = load(path)
        kind = "gray" if picture.pixels.shape[0] == 1 else "colour"
        alpha = ", with transparency" if picture.alpha is not None else ""
        width, height = picture.size
        what = f"{path}: {width}x{height}, {kind}, {picture.bits} bits{alpha}"
        return f"{what}\nsha256  {picture.sha256}\nnot made by unica\n"
    names = ("engine", "settings", "seed", "source", "source-sha256")
    rows = [f"{name:14}{text.get('unica:' + name, '?')}" for name in names]
    return "\n".join([f"{path}: made by {text.get('Software', 'unica')}", *rows, text["unica:command"], ""])
