"""A short loop: the picture moves in slow waves."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from unica.declare import Number, Param, Whole
from unica.engines.base import Model
from unica.tasks.declare import CHANGING, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame

LONGEST = 1000  # frames of a loop


@task(CHANGING, needs_source=True, animation=True)
def animate(
    model: Model,
    frames: Annotated[int, Param("Pictures of the loop.", Whole(2, LONGEST))] = 24,
    motion: Annotated[
        float, Param("How far things move, in hundredths of the picture's height.", Number(0, 10, above=True))
    ] = 1.5,
    strength: Annotated[float, strength()] = 0.0,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make a short loop in which the picture moves: leaves, grass, water and clouds sway, what is straight stays.

    With a strength, a picture is drawn from it first, and that one moves. `count` loops follow one after the other.
    """
    from unica.motion import Movable, Waves
    from unica.tasks.canvas import Canvas
    from unica.tasks.strength import draw_from

    picture = model.picture
    given, reach = Canvas.finished(picture.pixels, picture.alpha).all_new(), motion / 100 * picture.size[1]
    levels = model.run(given.size).levels
    for index in range(count):
        for frame in draw_from(model, given, levels, strength, 1, seed + index):
            if not frame.last:
                yield replace(frame, index=index, done=(index + frame.fraction / 2) / count)
                continue
            movable, waves = Movable(frame.pixels, frame.alpha), Waves(frame.pixels, reach, seed + index)
            for number in range(frames):
                moved = frame.finished(Canvas.finished(*movable.moved(waves.at(number / frames))))
                yield replace(moved, index=index, done=(index + (1 + (number + 1) / frames) / 2) / count)
