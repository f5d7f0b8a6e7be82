"""Another picture takes the source's scale and colours, and then enters a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from unica.engines.base import Model
from unica.errors import UnicaError
from unica.guides import LowPass
from unica.image import Picture, match_colours, shrink
from unica.maps import load_content
from unica.tasks.canvas import Canvas
from unica.tasks.run import Frame, canvas_size
from unica.tasks.strength import draw_from, large_enough

_FREE = 0.75  # from this strength on, steps of `style` and `analogy` no longer follow the content


def redrawn(
    model: Model,
    content: Any,
    strength: float,
    scale: float,
    size: tuple[int, int] | None,
    coarse: float,
    follow: float,
    count: int,
    seed: int,
) -> Iterator[Frame]:
    """Another picture, made of the source. Its things larger than `coarse` pixels are followed in a share of steps."""
    picture = fitted(model, load_content(content, model.picture), scale, size)
    maps = model.picture.maps
    if strength > 0 and maps and not picture.maps and len(picture.pixels) == maps[0].planes:
        like = model.picture.pixels[: maps[0].planes] / maps[0].amplitude
        picture = replace(picture, pixels=match_colours(picture.pixels, like))
    canvas = Canvas.of_other(picture, model)
    if strength > 0 and not maps:
        canvas = replace(canvas, pixels=match_colours(canvas.pixels, model.picture.pixels))
    reference = canvas.tensor(model.channels)
    return draw_from(
        model.with_wide_search(), canvas, model.run(canvas.size).levels, strength, count, seed,
        guides=lambda levels, _: [LowPass(reference, levels, coarse, follow)],
    )  # fmt: skip


def followed(strength: float) -> float:
    """The share of the steps that follow the content: the less, the more is redrawn."""
    return max(1 - strength / _FREE, 0.0)


def fitted(model: Model, picture: Picture, scale: float = 1.0, size: tuple[int, int] | None = None) -> Picture:
    """Another picture, as many pixels large as the source, times scale squared; or of the given (width, height)."""
    if size is not None and scale != 1:
        raise UnicaError("give a scale or a size, not both")
    width, height = picture.size
    if size is None:
        factor = scale * math.sqrt(math.prod(model.picture.size) / (width * height))
        size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return large_enough(model, shrink(picture, canvas_size(model, size)))
