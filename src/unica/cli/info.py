"""`unica info`: what a picture or a model says of itself."""

from __future__ import annotations

import shlex
from pathlib import Path

from unica.cli.models import is_model
from unica.image import load as load_picture
from unica.image import read_text
from unica.sinddm import SinDDMRecipe
from unica.trained import load


def describe(path: Path) -> str:
    """Lines for a person; the last one, for a picture that unica made, is the command that makes it again."""
    if is_model(path):
        return _model(path)
    text = {key: _printable(value) for key, value in read_text(path).items()}
    command = _command(text.get("unica:command", ""))
    if not command:
        picture = load_picture(path, smallest=1)
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
    model = load(path, device="cpu")
    recipe, (width, height) = model.recipe, model.picture.size
    weights = sum(weight.numel() for weight in model.network.parameters())
    source = "inside" if model.source else "left out"
    rows = {
        "engine": model.engine,
        "source": f"{_printable(model.picture.name)}, {width}x{height}, {source}",
        "sha256": _printable(model.picture.sha256),
        "trained": ", ".join(f"{key} {_printable(str(value))}" for key, value in model.training.items()),
        "network": f"{type(model.network).__name__}, {weights} weights, sees {recipe.network.field} pixels",
        "levels": ", ".join(f"{w}x{h}" for h, w in recipe.sizes),
        **{key.replace("_", " "): value for key, value in recipe.settings.items()},
    }
    if isinstance(recipe, SinDDMRecipe):
        rows["blur"] = ", ".join(f"{blur:.3f}" for blur in recipe.blur[1:]) + f" ({recipe.rule})"
    return "\n".join([f"{_printable(str(path))}: a model", *(f"{k:14}{v}" for k, v in rows.items()), ""])


def _command(text: str) -> str:
    """The command, quoted anew: a picture may come from anyone, and what is copied must run unica and no more."""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    return shlex.join(words) if words[:1] == ["unica"] else ""


def _printable(text: str) -> str:
    """The text with its control characters spelled out, which a terminal would obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
