"""Another picture's large shapes, made of what the source has there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from unica.engines.base import Model
from unica.tasks.declare import BY_ENGINE, OTHERS, ContentScale, ContentSize, Count, Seed, strength, task
from unica.tasks.style import Content

if TYPE_CHECKING:
    from unica.tasks.run import Frame

_COARSE = 16  # things larger than so many pixels are followed


@task(OTHERS, needs_source=True)
def analogy(
    model: Model,
    content: Content,
    strength: Annotated[float, strength(fallback=0.4)] = BY_ENGINE,
    scale: ContentScale = 1.0,
    size: ContentSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw another picture's large shapes, made of what this one has there.

    The content gets the source's colours and as many pixels as the source has; so has the result. It enters the run so
    early that only its large shapes stay; less strength also follows them in more of the steps.
    """
    from unica.tasks.content import followed, redrawn

    return redrawn(model, content, strength, scale, size, _COARSE, followed(strength), count, seed)
