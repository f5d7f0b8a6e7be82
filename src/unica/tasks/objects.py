"""New pictures in which things are smaller or larger (SinDDM, App. F)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from unica.declare import Number, Param
from unica.engines.base import Model
from unica.tasks.declare import NEW, CanvasSize, Count, Seed, task
from unica.tasks.upscale import growing

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(NEW)
def objects(
    model: Model,
    size_factor: Annotated[float, Param("How large things are: 0.5 is half as large.", Number(0.2, 5))],
    size: CanvasSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw new pictures in which things are smaller or larger.

    Each level works on the canvas of a coarser or a finer one. A model of one level draws on another canvas, and the
    result is resized.
    """
    from unica.pyramid import pyramid
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size, draw

    wanted = canvas_size(model, size)
    height, width = (max(round(side / size_factor), 16) for side in wanted)
    run = model.run(canvas_size(model, (width, height)))
    if size_factor >= 1:
        larger = [*run.levels, *growing(run.levels, wanted)]
        return draw(model, run._replace(levels=larger), count, seed)
    fitting = [level for level in run.levels if level.size[0] <= wanted[0] * 1.1]
    if fitting:
        smaller = [*fitting[:-1], replace(fitting[-1], size=wanted)]
        return draw(model, run._replace(levels=smaller), count, seed)

    def resized(frame: "Frame") -> "Frame":
        (scale,) = pyramid(frame.pixels, frame.alpha, [wanted])
        return frame.finished(Canvas.finished(scale.pixels, scale.alpha))

    return (resized(frame) if frame.last else frame for frame in draw(model, run, count, seed))
