"""Marked pixels are drawn anew from the rest of the picture, which stays as it is."""

from __future__ import annotations

from collections.abc import Iterator

from unica.model import Model
from unica.regions import Region
from unica.tasks.given import check_feather, given
from unica.tasks.task import Frame, Task, check_run, check_source, draw


def _inpaint(model: Model, where: Region, feather: int = 0, count: int = 1, seed: int = 0) -> Iterator[Frame]:
    """`where` is drawn anew; over `feather` pixels around it, old fades into new. The instant engine does not look at
    what was there; a network has learned it, and may draw it again."""
    check_run(count, seed)
    check_source(model)
    check_feather(feather)
    marked = where.on(model.picture)
    model = model.without(marked)
    height, width = marked.shape[-2:]
    return draw(model, model.levels((height, width)), count, seed, given=given(model.picture, marked, feather))


inpaint = Task(_inpaint)
