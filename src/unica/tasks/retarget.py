"""Another width and height, with the content kept."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from unica.declare import Param, Size
from unica.engines.base import Model
from unica.tasks.declare import BY_ENGINE, CHANGING, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(CHANGING, needs_source=True)
def retarget(
    model: Model,
    size: Annotated[tuple[int, int], Param("Size of the result.", Size())],
    strength: Annotated[float, strength(fallback=0.7)] = BY_ENGINE,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Change width and height, keeping the content and not stretching it.

    The stretched source enters the run so early that things get their own proportions again.
    """
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from

    wanted = canvas_size(model, size)
    canvas = Canvas.of_resized(model.picture, wanted)
    return draw_from(model, canvas, model.run(wanted).levels, strength, count, seed)
