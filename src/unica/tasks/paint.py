"""A rough painting becomes a picture made of the source (SinDiffusion, Eq. 7)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import File, Number, Param
from unica.engines.base import Model
from unica.tasks.declare import OTHERS, ContentScale, ContentSize, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(OTHERS)
def paint(
    model: Model,
    content: Annotated[Any, Param("The painting.", File())],
    strength: Annotated[float, strength()] = 1.0,
    scale: ContentScale = 1.0,
    size: ContentSize = None,
    coarse: Annotated[
        float, Param("Only shapes larger than this many pixels are followed.", Number(1, 256), advanced=True)
    ] = 8,
    follow: Annotated[
        float, Param("The share of the steps that follow the painting; the rest add detail.", Number(0, 1))
    ] = 0.6,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Turn a rough painting into a picture made of this one.

    The painting gets the source's colours, and as many pixels as the source has; so has the result.
    """
    from unica.tasks.content import redrawn

    return redrawn(model, content, strength, scale, size, coarse, follow, count, seed)
