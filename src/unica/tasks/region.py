"""Chosen parts of the source at chosen places; the rest is generated around them (SinDDM, Sec. 3.3)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from unica.declare import Number, Param, Placements
from unica.engines.base import Model, Run
from unica.errors import UnicaError
from unica.regions import Box, corners
from unica.tasks.declare import NEW, CanvasSize, Count, Seed, task

if TYPE_CHECKING:
    import torch

    from unica.diffusion import Level
    from unica.guides import Placed
    from unica.tasks.run import Frame

_PLACED = 0.6  # of the steps of a run that has one level
Placement = tuple[Box, Box]  # of the source, and of the canvas; left, top, width, height
_Boxes = tuple[Box, tuple[float, float, float, float]]  # left, top, right, bottom; then left, top, width, height


@task(NEW, needs_source=True)
def region(
    model: Model,
    put: Annotated[
        Sequence[Placement], Param("A box of the source, and where it goes; may be repeated.", Placements())
    ] = (),
    eta: Annotated[
        float, Param("How strictly: with 1 the boxes stay as they are, with less they may change.", Number(0, 1))
    ] = 0.8,
    size: CanvasSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Put parts of the picture at chosen places, and generate the rest around them.

    Boxes are in pixels of the picture as its file has it. The finest level is free, and joins all of it; with a single
    level, the last part of its steps is.
    """
    from unica.guides import Places
    from unica.tasks.run import canvas_size, draw

    if not put:
        raise UnicaError("put says what goes where, as 10,20,64,48@100,20; give one at least")
    height, width = canvas_size(model, size)
    run = model.run((height, width))
    boxes = [_boxes(model, box, place, (width, height)) for box, place in put]
    at, heights = _placed(model, boxes, (width, height), run), _heights(model, boxes, height)
    levels = [replace(level, heights=heights) for level in run.levels]
    return draw(model, run._replace(levels=levels), count, seed, guides=lambda seeds: [Places(at, eta)])


def _boxes(model: Model, box: Box, place: Box, size: tuple[int, int]) -> _Boxes:
    """A placement, in pixels of the picture as it is now."""
    picture = model.picture
    scale = [now / full for now, full in zip(picture.size, picture.original_size)]
    x, y, w, h = (value * scale[i % 2] for i, value in enumerate(place))
    if w < 1 or h < 1 or x < 0 or y < 0 or x + w > size[0] + 0.5 or y + h > size[1] + 0.5:
        raise UnicaError(
            f"put {','.join(map(str, place))} does not lie within the canvas, which has {size[0]}x{size[1]} pixels"
        )
    return corners(box, picture, "put"), (x, y, w, h)


def _heights(model: Model, boxes: "Sequence[_Boxes]", height: int) -> "torch.Tensor":
    """How far down the source each row lies (`Level.heights`): a part's rows lie there as they do in the source.

    So a horizon in it goes on to its left and right.
    """
    import numpy as np
    import torch

    known: dict[int, list[float]] = {}
    for (_, top, _, bottom), (_, y, _, h) in boxes:
        for row in range(round(y), min(round(y + h), height)):
            known.setdefault(row, []).append(top + (row + 0.5 - y) / h * (bottom - top))
    length = model.picture.size[1]
    rows = [-0.5, *sorted(known), height - 0.5]
    lie = [0.0, *(sum(known[row]) / len(known[row]) for row in sorted(known)), float(length)]
    return torch.from_numpy(np.interp(np.arange(height), rows, lie) / length).float()


def _placed(
    model: Model, boxes: "Sequence[_Boxes]", size: tuple[int, int], run: Run
) -> "Callable[[Level, float], Sequence[Placed]]":
    """What is wanted at which place, for each level and time of a run."""
    from math import inf

    from unica.guides import Placed
    from unica.image import resize
    from unica.tasks.canvas import Canvas

    source = Canvas.of_source(model.picture).tensor(model.channels)
    parts = []
    for (left, top, right, bottom), (x, y, w, h) in boxes:
        content = source[..., top:bottom, left:right].to(model.device)
        parts.append((content, x / size[0], y / size[1], w / size[0], h / size[1]))

    finest, times = run.levels[-1].index, run.levels[-1].times
    free_from = inf if len(run.levels) > 1 else times[round(_PLACED * (len(times) - 1))]

    def at(level: "Level", t: float) -> "list[Placed]":
        if level.index == finest and t <= free_from:
            return []
        height, width = level.size
        placed = []
        for content, x, y, w, h in parts:
            inner = (max(round(h * height), 1), max(round(w * width), 1))
            top, left = min(round(y * height), height - inner[0]), min(round(x * width), width - inner[1])
            placed.append(Placed(resize(content, inner, "bicubic").clamp(-1, 1), top, left))
        return placed

    return at
