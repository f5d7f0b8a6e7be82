"""A picture enters a run on its way from noise. `strength` is how much of the run it goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from unica.diffusion import Guide, Level, Noise, State, seeded
from unica.engines.base import Model, Run
from unica.errors import UnicaError
from unica.image import Picture, load, resize
from unica.schedule import no_blur
from unica.tasks.canvas import Canvas
from unica.tasks.run import Frame, draw

_SMALLEST = 8  # pixels of the coarsest level's short side


def read_content(model: Model, content: Any) -> Picture:
    """Another picture (a path or a Pillow image) that a model can work on."""
    picture = load(content, model.max_side)
    height, width = model.run((picture.size[1], picture.size[0])).levels[0].size
    if min(height, width) < _SMALLEST:
        w, h = picture.size
        raise UnicaError(f"content of {w}x{h} is too small: only {width}x{height} is left of it on the coarsest level")
    return picture


def entered(levels: Sequence[Level], strength: float) -> list[Level]:
    """The last part of a run: all of it for 1, none of it for 0.

    Every level counts the same, and within a level every step. The picture that enters has its detail already, so the
    level that it enters does not deblur.
    """
    position = (1 - strength) * len(levels)
    index = min(int(position), len(levels) - 1)
    first = levels[index]
    skipped = round((position - index) * (len(first.times) - 1))
    times = first.times[skipped:]
    rest = list(levels[index + 1 :])
    return [replace(first, times=times, gamma=no_blur, entry=None), *rest] if len(times) > 1 else rest


def draw_from(
    model: Model,
    canvas: Canvas,
    levels: Sequence[Level],
    strength: float,
    count: int,
    seed: int,
    guides: Callable[[Sequence[Level], Sequence[int]], Sequence[Guide]] | None = None,
    noise: Callable[[Sequence[int], torch.device], Noise] = seeded,
) -> Iterator[Frame]:
    """Draw pictures that begin as the canvas, with the noise that belongs to `strength`."""
    some = entered(levels, strength)
    if not some:
        return _unchanged(model, canvas, levels[-1], count, seed)
    start = resize(canvas.tensor(model.channels), some[0].size).to(model.device)
    fresh = None if guides is None else partial(guides, some)
    return draw(model, Run(some, start), count, seed, guides=fresh, canvas=canvas, noise=noise)


def _unchanged(model: Model, canvas: Canvas, level: Level, count: int, seed: int) -> Iterator[Frame]:
    x0 = canvas.tensor(model.channels).to(model.device)
    state = State(0, 1, 1, 1, x0, x0)
    for index in range(count):
        denoiser = model.denoiser([seed + index])
        yield Frame(index, seed + index, 1.0, (index + 1) / count, state, model, denoiser, canvas=canvas.all_kept())
