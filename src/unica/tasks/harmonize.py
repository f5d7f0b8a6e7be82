"""A pasted object becomes part of the scene (SinDDM, SinGAN's harmonization)."""

from __future__ import annotations

from collections.abc import Iterator

from unica.model import Model
from unica.regions import Region, grown
from unica.tasks.entry import Content, draw_from, read
from unica.tasks.given import check_feather, foreign
from unica.tasks.task import Frame, Task, canvas, check_run

_STRENGTHS = {"instant": 0.25, "sinddm": 0.1, "sindiffusion": 0.2}


def _harmonize(
    model: Model,
    content: Content,
    where: Region,
    strength: float | None = None,
    dilate: int = 7,
    feather: int = 5,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """`content` is the scene with something pasted into it, `where` that is. It enters the run late; what comes of it
    replaces what was pasted, and `dilate` pixels around, and fades over `feather` more. The rest stays as it is."""
    check_run(count, seed)
    check_feather(feather)
    check_feather(dilate, "dilate")
    strength = _STRENGTHS[model.engine] if strength is None else strength
    picture = read(model, content)
    start = foreign(picture, model, grown(where.on(picture), dilate), feather)
    height, width = canvas(model, picture.size)
    return draw_from(model.closer(), start, model.levels((height, width)), strength, count, seed)


harmonize = Task(_harmonize)
