"""Another picture's layout with the source's colours and textures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import File, Param
from unica.engines.base import Model
from unica.tasks.declare import BY_ENGINE, OTHERS, ContentScale, ContentSize, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame

Content = Annotated[Any, Param("The other picture.", File())]

_COARSE = 4  # things larger than so many pixels are followed


@task(OTHERS, needs_source=True)
def style(
    model: Model,
    content: Content,
    strength: Annotated[float, strength(fallback=0.3)] = BY_ENGINE,
    scale: ContentScale = 1.0,
    size: ContentSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw another picture's layout with this one's colours and textures.

    The content gets the source's colours and as many pixels as the source has; so has the result. It enters the run so
    late that its layout stays; less strength also follows the content in more of the steps.
    """
    from unica.tasks.content import followed, redrawn

    return redrawn(model, content, strength, scale, size, _COARSE, followed(strength), count, seed)
