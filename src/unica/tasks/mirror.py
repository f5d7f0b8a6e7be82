"""New pictures that are their own mirror image."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from unica.declare import Choice, Param
from unica.engines.base import Model
from unica.tasks.declare import NEW, CanvasSize, Count, Seed, task
from unica.torus import Axes

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(NEW)
def mirror(
    model: Model,
    axis: Annotated[
        Axes, Param("x makes left and right alike, y top and bottom, xy both.", Choice("x", "y", "xy"))
    ] = "x",
    size: CanvasSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw new pictures that are their own mirror image."""
    from unica.guides import Mirror
    from unica.image import signs
    from unica.tasks.run import canvas_size, draw

    turned = {name: signs(model.picture.maps, name) for name in ("x", "y")} if model.picture.maps else {}
    return draw(model, model.run(canvas_size(model, size)), count, seed, guides=lambda seeds: [Mirror(axis, turned)])
