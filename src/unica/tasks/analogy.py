"""Another picture's large shapes, made of what the source has there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from unica.engines.base import Model
from unica.tasks.declare import BY_ENGINE, OTHERS, Count, Seed, strength, task
from unica.tasks.style import Content, redrawn

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(OTHERS, needs_source=True)
def analogy(
    model: Model,
    content: Content,
    strength: Annotated[float, strength(fallback=0.4)] = BY_ENGINE,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw another picture's large shapes, made of what this one has there.

    The content gets the source's colours and enters the run so early that only its large shapes stay.
    """
    return redrawn(model, content, strength, count, seed)
