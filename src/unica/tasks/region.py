"""Chosen parts of the source at chosen places; the rest is generated around them (SinDDM, Sec. 3.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from unica.declare import Number, Param, Placements
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.regions import Box, check_not_empty, corners
from unica.tasks.declare import NEW, CanvasSize, Count, Seed, task

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from unica.diffusion import Level
    from unica.guides import Placed
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame

_PLACED = 0.6  # of the steps of a run that has one level
Placement = tuple[Box, Box]  # of the source, and of the canvas; left, top, width, height


def _canvas(model: Model, put: Sequence[Placement], size: tuple[int, int] | None, **_: Any) -> "Canvas":
    """The canvas with the parts at their places. All around them is new; the parts stay as closely as `eta` says."""
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size

    height, width = canvas_size(model, size)
    canvas = Canvas.of_source(model.picture).resized((height, width))
    pixels, new = canvas.pixels.clone(), canvas.new.clone()
    for content, top, left in _placed(_parts(model, put, (width, height)), (height, width)):
        h, w = content.shape[-2:]
        pixels[:, top : top + h, left : left + w] = content[0, : len(pixels)].cpu()
        new[:, top : top + h, left : left + w] = 0
    return Canvas(pixels, None, new, canvas.origins)


@task(NEW, needs_source=True, preview=_canvas)
def region(
    model: Model,
    put: Annotated[
        Sequence[Placement],
        Param(
            "A box of the source, and where it goes: 10,20,64,48@100,20. It is scaled if a size follows, as"
            " 100,20,32,24. May be repeated.",
            Placements(),
        ),
    ] = (),
    eta: Annotated[
        float, Param("How strictly: with 1 the boxes stay as they are, with less they may change.", Number(0, 1))
    ] = 0.8,
    size: CanvasSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Put parts of the picture at chosen places, and draw all the rest anew. To keep the rest, use `edit`.

    Boxes are in pixels of the picture as its file has it. The finest level is free, and joins all of it; with a single
    level, the last part of its steps is.
    """
    from unica.guides import Places
    from unica.tasks.run import canvas_size, draw

    height, width = canvas_size(model, size)
    run, parts = model.run((height, width)), _parts(model, put, (width, height))
    finest, times = run.levels[-1].index, run.levels[-1].times
    free_from = inf if len(run.levels) > 1 else times[round(_PLACED * (len(times) - 1))]

    def at(level: "Level", t: float) -> "list[Placed]":
        """What is wanted at which place, for a level and a time."""
        return [] if level.index == finest and t <= free_from else _placed(parts, level.size)

    levels = [replace(level, heights=_heights(parts, height)) for level in run.levels]
    return draw(model, run._replace(levels=levels), count, seed, guides=lambda seeds: [Places(at, eta)])


def _heights(parts: "Sequence[_Part]", height: int) -> "Float[Tensor, ' h']":
    """How far down the source each row lies (`Level.heights`): a part's rows lie there as they do in the source.

    So a horizon in it goes on to its left and right.
    """
    import numpy as np
    import torch

    known: dict[int, list[float]] = {}
    for part in parts:
        first, last = part.y * height, (part.y + part.height) * height
        for row in range(round(first), min(round(last), height)):
            down = (row + 0.5 - first) / (last - first)
            known.setdefault(row, []).append(part.top + down * (part.bottom - part.top))
    rows = sorted(known)
    lie = [sum(known[row]) / len(known[row]) for row in rows]
    found = np.interp(np.arange(height), [-0.5, *rows, height - 0.5], [0.0, *lie, 1.0])
    return torch.from_numpy(found).float()


class _Part(NamedTuple):
    """A part of the source, the rows of the source that it begins and ends at, and its place on the canvas: shares."""

    content: "Float[Tensor, '1 c h w']"
    top: float
    bottom: float
    x: float
    y: float
    width: float
    height: float


def _parts(model: Model, put: Sequence[Placement], size: tuple[int, int]) -> list[_Part]:
    from unica.tasks.canvas import Canvas

    if not put:
        raise UnicaError("put says what goes where, as 10,20,64,48@100,20; give one at least")
    source, picture = Canvas.of_source(model.picture).tensor(model.channels), model.picture
    parts = []
    for box, place in put:
        left, top, right, bottom = corners(box, picture, "put")
        check_not_empty(place, "put")
        scale = [now / full for now, full in zip(picture.size, picture.original_size)]
        x, y, w, h = (value * scale[i % 2] for i, value in enumerate(place))
        if w < 1 or h < 1 or x < 0 or y < 0 or x + w > size[0] + 0.5 or y + h > size[1] + 0.5:
            raise UnicaError(
                f"put {','.join(map(str, place))} does not lie within the canvas, which has {size[0]}x{size[1]} pixels"
            )
        content = source[..., top:bottom, left:right].to(model.device)
        rows = (top / picture.size[1], bottom / picture.size[1])
        parts.append(_Part(content, *rows, x / size[0], y / size[1], w / size[0], h / size[1]))
    return parts


def _placed(parts: Sequence[_Part], size: tuple[int, int]) -> "list[Placed]":
    """The parts at their places on a canvas of this height and width."""
    from unica.guides import Placed
    from unica.image import resize

    height, width = size
    placed = []
    for content, _, _, x, y, w, h in parts:
        inner = (max(round(h * height), 1), max(round(w * width), 1))
        top, left = min(round(y * height), height - inner[0]), min(round(x * width), width - inner[1])
        placed.append(Placed(resize(content, inner, "bicubic").clamp(-1, 1), top, left))
    return placed
