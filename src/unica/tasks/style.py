"""Another picture's layout with the source's colours and textures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import File, Param
from unica.engines.base import Model
from unica.tasks.declare import BY_ENGINE, OTHERS, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame

Content = Annotated[Any, Param("The other picture.", File())]


@task(OTHERS, needs_source=True)
def style(
    model: Model,
    content: Content,
    strength: Annotated[float, strength(fallback=0.2)] = BY_ENGINE,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw another picture's layout with this one's colours and textures.

    The content gets the source's colours and enters the run so late that its layout stays.
    """
    return redrawn(model, content, strength, count, seed)


def redrawn(model: Model, content: Any, strength: float, count: int, seed: int) -> "Iterator[Frame]":
    """Another picture, with the source's colours, that enters a run."""
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from, in_own_colours, read_content

    picture = read_content(model, content)
    canvas = in_own_colours(model, picture, strength)
    levels = model.run(canvas_size(model, picture.size)).levels
    return draw_from(model, canvas, levels, strength, count, seed)
