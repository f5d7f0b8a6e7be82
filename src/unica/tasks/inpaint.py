"""Marked pixels are drawn anew from the rest of the picture, which stays as it is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from unica.engines.base import Model
from unica.regions import Region
from unica.tasks.declare import CHANGING, Count, Dilate, Feather, Seed, Where, task

if TYPE_CHECKING:
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame


def _canvas(model: Model, where: Region, dilate: int | None, feather: int, **_: Any) -> "Canvas":
    from unica.tasks.canvas import Canvas

    return Canvas.of_source(model.picture, where.on(model.picture, dilate), feather)


@task(CHANGING, needs_source=True, preview=_canvas, local=lambda values: "path")
def inpaint(
    model: Model, where: Where, dilate: Dilate = None, feather: Feather = 0, count: Count = 1, seed: Seed = 0
) -> "Iterator[Frame]":
    """Draw marked pixels anew from the rest of the picture, which stays as it is.

    An engine that copies patches does not look at what was there. A network has learned it, and may draw it again.
    """
    from unica.tasks.run import draw

    canvas = _canvas(model, where, dilate, feather)
    model = model.hiding(canvas.new == 1)
    return draw(model, model.run(canvas.size), count, seed, canvas=canvas)
