"""Marked pixels are drawn anew from the rest of the picture, which stays as it is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from unica.engines.base import Model
from unica.tasks.declare import CHANGING, Count, Feather, Seed, Where, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(CHANGING, needs_source=True)
def inpaint(model: Model, where: Where, feather: Feather = 0, count: Count = 1, seed: Seed = 0) -> "Iterator[Frame]":
    """Draw marked pixels anew from the rest of the picture, which stays as it is.

    An engine that copies patches does not look at what was there. A network has learned it, and may draw it again.
    """
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import draw

    marked = where.on(model.picture)
    model = model.hiding(marked)
    canvas = Canvas.of_source(model.picture, marked, feather)
    return draw(model, model.run(canvas.size), count, seed, canvas=canvas)
