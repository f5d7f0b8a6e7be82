"""Another picture, made of this one: its layout with the source's textures (`style`), or its structure with the
source's patches (`analogy`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from unica.image import match_histogram
from unica.model import Model
from unica.tasks.entry import Content, draw_from, read
from unica.tasks.given import foreign
from unica.tasks.task import Frame, Task, canvas, check_run, check_source

_STYLE = {"instant": 0.4, "sinddm": 0.2, "sindiffusion": 0.3}
_ANALOGY = {"instant": 0.7, "sinddm": 0.35, "sindiffusion": 0.35}


def _style(
    model: Model, content: Content, strength: float | None = None, count: int = 1, seed: int = 0
) -> Iterator[Frame]:
    """`content`, with the colours of the source, enters the run so late that its layout stays: by default on the finest
    level or, where there is but one, in its last third."""
    return _redrawn(model, content, _STYLE[model.engine] if strength is None else strength, count, seed)


def _analogy(
    model: Model, content: Content, strength: float | None = None, count: int = 1, seed: int = 0
) -> Iterator[Frame]:
    """`content`, with the colours of the source, enters the run so early that only its large shapes stay, and become
    what the source has there."""
    return _redrawn(model, content, _ANALOGY[model.engine] if strength is None else strength, count, seed)


def _redrawn(model: Model, content: Content, strength: float, count: int, seed: int) -> Iterator[Frame]:
    check_run(count, seed)
    check_source(model)  # whose colours are needed
    picture = read(model, content)
    start = foreign(picture, model)
    if strength > 0:
        start = replace(start, pixels=match_histogram(start.pixels, model.picture.pixels))
    height, width = canvas(model, picture.size)
    return draw_from(model, start, model.levels((height, width)), strength, count, seed)


style, analogy = Task(_style), Task(_analogy)
