"""A rough painting becomes a picture made of the source (SinDiffusion, Eq. 7)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import File, Number, Param
from unica.engines.base import Model
from unica.tasks.declare import OTHERS, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(OTHERS)
def paint(
    model: Model,
    content: Annotated[Any, Param("The painting.", File())],
    strength: Annotated[float, strength()] = 1.0,
    coarse: Annotated[float, Param("Only shapes larger than this many pixels are followed.", Number(1, 256))] = 8,
    follow: Annotated[
        float, Param("The share of the steps that follow the painting; the rest add detail.", Number(0, 1))
    ] = 0.6,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Turn a rough painting into a picture made of this one.

    The painting gets the source's colours: its brightest parts become what is brightest there.
    """
    from unica.guides import LowPass
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from, in_own_colours, read_content

    picture = read_content(model, content)
    canvas = in_own_colours(model, picture, strength)
    reference = canvas.tensor(model.channels)
    return draw_from(
        model, canvas, model.run(canvas_size(model, picture.size)).levels, strength, count, seed,
        guides=lambda levels, _: [LowPass(reference, levels, coarse, follow)],
    )  # fmt: skip
