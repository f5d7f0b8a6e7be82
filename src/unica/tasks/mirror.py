"""New pictures that are their own mirror image."""

from __future__ import annotations

from collections.abc import Iterator

from unica.errors import UnicaError
from unica.guides import Mirror
from unica.model import Model
from unica.tasks.task import Frame, Task, canvas, check_run, draw
from unica.tasks.unconditional import axes


def _mirror(
    model: Model, axis: str = "x", size: tuple[int, int] | None = None, count: int = 1, seed: int = 0
) -> Iterator[Frame]:
    """`axis` x makes left and right alike, y top and bottom, xy both."""
    check_run(count, seed)
    wrap = axes(axis, "axis")
    if not wrap:
        raise UnicaError("axis must be x, y or xy")
    levels = model.levels(canvas(model, size))
    return draw(model, levels, count, seed, start=model.initial(levels[0]), guides=lambda seeds: [Mirror(wrap)])


mirror = Task(_mirror)
