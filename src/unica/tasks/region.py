"""Chosen parts of the source at chosen places; the rest is generated around them (SinDDM §3.3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from unica.diffusion import Level
from unica.errors import UnicaError
from unica.guides import Placed, Places
from unica.image import resize
from unica.model import Model
from unica.regions import Box, corners
from unica.tasks.given import given
from unica.tasks.task import Frame, Task, canvas, check_run, check_source, draw

_PLACED = 0.6  # of the steps of a run that has one level
Put = tuple[Box, Box]  # of the source, and of the canvas; left, top, width, height


def _region(
    model: Model,
    put: Sequence[Put],
    eta: float = 0.8,
    size: tuple[int, int] | None = None,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """Each box of the source is put into a box of the canvas: with `eta` 1 as it is, with less it may change. Boxes are
    in pixels of the picture as its file has it. The finest level makes all of it one, or the last part of the steps
    where there is one level."""
    check_run(count, seed)
    check_source(model)
    if not put:
        raise UnicaError("put says what goes where, as 10,20,64,48@100,20; give one at least")
    if not 0 <= eta <= 1:
        raise UnicaError(f"eta must lie between 0 and 1, not {eta:g}")
    height, width = canvas(model, size)
    levels = model.levels((height, width))
    at = _places(model, put, (width, height), levels)
    return draw(model, levels, count, seed, guides=lambda seeds: [Places(at, eta)])


def _places(
    model: Model, put: Sequence[Put], size: tuple[int, int], levels: Sequence[Level]
) -> Callable[[Level, float], Sequence[Placed]]:
    source, picture = given(model.picture).canvas(model.channels), model.picture
    parts = []
    for box, place in put:
        left, top, right, bottom = corners(box, picture, "put")
        scale = [now / full for now, full in zip(picture.size, picture.original_size)]
        x, y, w, h = (value * scale[i % 2] for i, value in enumerate(place))
        if w < 1 or h < 1 or x < 0 or y < 0 or x + w > size[0] + 0.5 or y + h > size[1] + 0.5:
            raise UnicaError(
                f"put {','.join(map(str, place))} does not lie within the canvas, which has {size[0]}x{size[1]} pixels"
            )
        parts.append(
            (source[..., top:bottom, left:right].to(model.device), x / size[0], y / size[1], w / size[0], h / size[1])
        )

    finest, times = levels[-1].index, levels[-1].times
    alone = math.inf if len(levels) > 1 else times[round(_PLACED * (len(times) - 1))]

    def at(level: Level, t: float) -> list[Placed]:
        if level.index == finest and t <= alone:
            return []
        height, width = level.size
        placed = []
        for content, x, y, w, h in parts:
            inner = (max(round(h * height), 1), max(round(w * width), 1))
            top, left = min(round(y * height), height - inner[0]), min(round(x * width), width - inner[1])
            placed.append(Placed(resize(content, inner, "bicubic").clamp(-1, 1), top, left))
        return placed

    return at


region = Task(_region)
