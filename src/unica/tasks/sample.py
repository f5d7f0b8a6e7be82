"""New pictures of any size, with nothing else asked of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Choice, Param, Stretch, Whole
from unica.engines.base import Model
from unica.tasks.declare import LARGEST_COUNT, NEW, CanvasSize, Seed, task
from unica.torus import Axes

if TYPE_CHECKING:
    from unica.tasks.run import Frame
    from unica.tasks.sketch import Sketch


def _sketch(
    model: Model, size: tuple[int, int] | None, stretch: tuple[float, float] | None, tile: Axes, **_: Any
) -> "Sketch":
    from unica.tasks.run import canvas_size
    from unica.tasks.sketch import Sketch

    return Sketch(model.run(canvas_size(model, size, stretch, whole=False), tile))


@task(NEW, sketch=_sketch)
def sample(
    model: Model,
    count: Annotated[
        int, Param("How many pictures.", Whole(1, LARGEST_COUNT), short="n", recorded=False, command_default=4)
    ] = 1,
    size: CanvasSize = None,
    stretch: Annotated[
        tuple[float, float] | None, Param("Size of the result, as multiples of the source's.", Stretch(), advanced=True)
    ] = None,
    seed: Seed = 0,
    tile: Annotated[
        Axes, Param("Axes along which the result has no seam when repeated.", Choice("", "x", "y", "xy"))
    ] = "",
    batch: Annotated[
        int | None,
        Param(
            "Pictures drawn together (default: what suits the device).",
            Whole(1, LARGEST_COUNT),
            recorded=False,
            advanced=True,
        ),
    ] = None,
) -> "Iterator[Frame]":
    """Draw new pictures from one picture. The same seed gives the same picture."""
    from unica.tasks.run import draw

    run = _sketch(model, size, stretch, tile).run
    return draw(model, run, count, seed, min(batch or model.batch, count))
