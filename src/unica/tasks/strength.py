"""A picture enters a run on its way from noise to picture. `strength` says how much noise it gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from unica.diffusion import Guide, Level, State
from unica.engines.base import Model, Run
from unica.errors import UnicaError
from unica.image import Picture, load, resize
from unica.schedule import no_blur
from unica.tasks.canvas import Canvas
from unica.tasks.run import Frame, draw, prepared

_FAINT, _LOUD = 0.03, 30.0  # noise at the strengths MIXED and 1; in between, its logarithm is linear
MIXED = 0.1  # less strength mixes the result with the picture that enters
_SMALLEST = 8  # pixels of the coarsest level's short side


def read_content(model: Model, content: Any) -> Picture:
    """Another picture (a path or a Pillow image) that a model can work on."""
    return large_enough(model, load(content, model.max_side))


def large_enough(model: Model, picture: Picture) -> Picture:
    """A picture of which enough is left on the coarsest level."""
    height, width = model.run((picture.size[1], picture.size[0])).levels[0].size
    if min(height, width) < _SMALLEST:
        w, h = picture.size
        raise UnicaError(f"content of {w}x{h} is too small: only {width}x{height} is left of it on the coarsest level")
    return picture


def noise_of(strength: float) -> float:
    """How much noise the picture gets that enters, as a std in [-1, 1] on each pixel of the finest level."""
    return _FAINT * (_LOUD / _FAINT) ** (max(strength - MIXED, 0) / (1 - MIXED))


def entered(levels: Sequence[Level], strength: float) -> list[Level]:
    """The part of a run from where it has the noise of a strength.

    On a level that is r times smaller than the finest one, 1 / r of the noise hides as much: each of its pixels is the
    mean of r^2. The picture enters on the coarsest level for which there is enough noise: more than the next finer one
    begins with, and more than its own last step has. It has its detail already, so that level does not deblur.
    """
    if strength == 1:
        return [replace(levels[0], gamma=no_blur, entry=None), *levels[1:]]
    noise, (_, height) = noise_of(strength), levels[-1].size
    shares = [noise * level.size[1] / height for level in levels]  # the noise on each level
    least = [
        max(_noise(level, level.times[-2]), _noise(finer, finer.start) * level.size[1] / finer.size[1])
        for level, finer in zip(levels, levels[1:])
    ]
    index = next((i for i, (share, low) in enumerate(zip(shares, least)) if share > low), len(levels) - 1)
    levels = [replace(level, heights=None) for level in levels]  # the picture that enters says where things are
    first = levels[index]
    start = first.schedule.when(shares[index])
    start = start if index else min(start, first.start)
    times = (start, *(time for time in first.times if time < start))
    return [replace(first, times=times, gamma=no_blur, entry=None), *levels[index + 1 :]]


def _noise(level: Level, t: float) -> float:
    alpha = level.schedule.alpha(t)
    return level.schedule.sigma(t) / alpha if alpha > 0 else math.inf


def draw_from(
    model: Model,
    canvas: Canvas,
    levels: Sequence[Level],
    strength: float,
    count: int,
    seed: int,
    guides: Callable[[Sequence[Level], Sequence[int]], Sequence[Guide]] | None = None,
) -> Iterator[Frame]:
    """Draw pictures that begin as the canvas, with the noise that belongs to `strength`.

    There is a least noise, since patches are copies even without noise. Less strength mixes the result with the canvas.
    """
    if strength == 0:
        return _unchanged(model, canvas, levels[-1], count, seed)
    some = entered(levels, strength)
    start = resize(canvas.tensor(model.channels), some[0].size).to(model.device)
    fresh = None if guides is None else partial(guides, some)
    mixed = replace(canvas, new=canvas.new * min(strength / MIXED, 1.0))
    return draw(model, Run(some, start), count, seed, guides=fresh, canvas=mixed)


def entering(model: Model, picture: Canvas, levels: Sequence[Level], strength: float) -> Run:
    """A run that begins as a picture, which is stretched to its first level, with the noise that belongs to `strength`.

    Little strength would mix the result with the stretched picture at full size, which `draw_from` does.
    """
    if strength < MIXED:
        raise UnicaError(f"in parts, strength must be at least {MIXED}, not {strength:g}")
    some = prepared(entered(levels, strength), guided=True)
    return Run(some, resize(picture.tensor(model.channels), some[0].size).to(model.device))


def _unchanged(model: Model, canvas: Canvas, level: Level, count: int, seed: int) -> Iterator[Frame]:
    x0 = canvas.tensor(model.channels).to(model.device)
    state = State(0, 1, 1, 1, x0, x0)
    for index in range(count):
        denoiser = model.denoiser([seed + index])
        yield Frame(index, seed + index, 1.0, (index + 1) / count, state, model, denoiser, canvas=canvas.all_kept())
