"""New pictures in which things are smaller or larger (SinDDM, App. F)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Number, Param
from unica.engines.base import Model, Run
from unica.errors import UnicaError
from unica.tasks.declare import NEW, CanvasSize, Count, Seed, task

if TYPE_CHECKING:
    from unica.pyramid import Size
    from unica.tasks.run import Frame
    from unica.tasks.sketch import Sketch


def _sketch(model: Model, size_factor: float, size: tuple[int, int] | None, **_: Any) -> "Sketch":
    from unica.tasks.run import canvas_size
    from unica.tasks.sketch import Sketch

    run = _smaller(model, size_factor, canvas_size(model, size, whole=False))
    if run is None:
        raise UnicaError("things that are larger, or those of a model of one level, are drawn whole only")
    return Sketch(run)


def _smaller(model: Model, size_factor: float, wanted: "Size") -> Run | None:
    """A run in which things are smaller: each level on the canvas of a coarser one. None where that is not possible."""
    if size_factor > 1:
        return None
    height, width = (max(round(side / size_factor), 16) for side in wanted)
    run = model.run((height, width))
    fitting = [level for level in run.levels if level.size[0] <= wanted[0] * 1.1]
    return run._replace(levels=[*fitting[:-1], replace(fitting[-1], size=wanted)]) if fitting else None


@task(NEW, sketch=_sketch)
def objects(
    model: Model,
    size_factor: Annotated[float, Param("How large things are: 0.5 is half as large.", Number(0.2, 5))],
    size: CanvasSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw new pictures in which things are smaller or larger.

    Smaller: each level works on the canvas of a coarser one. A model of one level draws on a larger canvas, and the
    result is made smaller. Larger: a smaller picture is drawn and enlarged as by `upscale`.
    """
    from unica.tasks.run import canvas_size, draw

    wanted = canvas_size(model, size)
    run = _smaller(model, size_factor, wanted)
    if run is not None:
        return draw(model, run, count, seed)
    height, width = (max(round(side / size_factor), 16) for side in wanted)
    run = model.run(canvas_size(model, (width, height)))
    if size_factor > 1:
        return _larger(model, run, wanted, count, seed)
    return (_resized(frame, wanted) if frame.last else frame for frame in draw(model, run, count, seed))


def _larger(model: Model, run: Run, wanted: "Size", count: int, seed: int) -> "Iterator[Frame]":
    """A small picture that is drawn, then enlarged."""
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import draw
    from unica.tasks.upscale import enlarged

    for frame in draw(model, run, count, seed):
        own, small = frame.fraction, frame.index + frame.fraction / 2
        if not frame.last:
            yield replace(frame, fraction=own / 2, done=small / count)
            continue
        given = Canvas.finished(frame.pixels, frame.alpha)
        for later in enlarged(model, given, run.levels, wanted, 1.0, frame.seed, exact=False):
            fraction = (1 + later.fraction) / 2
            yield replace(later, index=frame.index, fraction=fraction, done=(frame.index + fraction) / count)


def _resized(frame: "Frame", size: "Size") -> "Frame":
    from unica.tasks.canvas import Canvas

    small = Canvas.finished(frame.pixels, frame.alpha).resized(size)
    return frame.finished(small.all_kept())
