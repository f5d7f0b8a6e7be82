"""A short loop: the same run again and again, with noise that walks in a circle (SinGAN's animation)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from unica.diffusion import Noise, seeded
from unica.errors import UnicaError
from unica.model import Model
from unica.tasks.entry import draw_from, entered
from unica.tasks.given import drawn_on, given
from unica.tasks.task import Frame, Task, check_run, check_source

LARGEST = 1000  # pictures of a loop
_STRENGTHS = {"instant": 0.93, "sinddm": 0.6, "sindiffusion": 0.6}
_BETWEEN = {"instant": 3, "sinddm": 0, "sindiffusion": 0}  # patches jump, what a network draws does not
_FAR = 2**40  # between the seeds of a loop's three noises


def _animate(
    model: Model,
    frames: int = 24,
    motion: float = 0.3,
    strength: float | None = None,
    between: int | None = None,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """`frames` pictures of a loop, `count` loops one after the other. The source enters every run; its noise walks in a
    circle of radius `motion` around one that stays. `between` two pictures that are drawn, so many dissolve one into
    the other."""
    check_run(count, seed)
    check_source(model)
    strength = _STRENGTHS[model.engine] if strength is None else strength
    between = _BETWEEN[model.engine] if between is None else between
    if not 2 <= frames <= LARGEST:
        raise UnicaError(f"frames must lie between 2 and {LARGEST}, not {frames}")
    if not 0 < motion <= 10:
        raise UnicaError(f"motion must lie above 0 and not above 10, not {motion:g}")
    if not 0 <= between <= LARGEST:
        raise UnicaError(f"between must lie between 0 and {LARGEST}, not {between}")
    source = given(model.picture)
    start = drawn_on(source.pixels, source.alpha, free=True)
    width, height = model.picture.size
    levels = model.levels((height, width))
    entered(levels, strength)  # one that is none is refused now
    keys = max(round(frames / (between + 1)), 2)
    return (
        replace(frame, index=index)
        for index in range(count)
        for frame in _dissolving(
            (
                replace(frame, done=(index + (key + frame.fraction) / keys) / count)
                for key in range(keys)
                for frame in draw_from(
                    model, start, levels, strength, 1, seed + index, noise=_circle(key / keys, motion)
                )
            ),
            keys,
            frames,
        )
    )


def _dissolving(drawn: Iterator[Frame], keys: int, frames: int) -> Iterator[Frame]:
    """All pictures of a loop, in order, of some that are drawn at even distances."""
    at = [keys * number / frames for number in range(frames)]  # in keys
    ends = -1  # the key that was finished last
    first = before = None
    for frame in drawn:
        if not frame.last:
            yield frame
            continue
        ends += 1
        first, before = first or frame, before or frame
        yield from (_mixed(before, frame, 1 + t - ends) for t in at if ends - 1 < t <= ends)
        before = frame
    if first is not None and before is not None:
        yield from (_mixed(before, first, 1 + t - keys) for t in at if t > keys - 1)


def _mixed(a: Frame, b: Frame, share: float) -> Frame:
    """Between two finished pictures; what cannot be seen has no colour to give."""
    if share == 1:
        return b
    if a.alpha is None or b.alpha is None:
        return b.finished(drawn_on(a.pixels.lerp(b.pixels, share), None))
    first, second = (1 - share) * a.alpha, share * b.alpha
    alpha = first + second
    return b.finished(drawn_on((first * a.pixels + second * b.pixels) / alpha.clamp_min(1e-6), alpha))


def _circle(turn: float, radius: float) -> Callable[[Sequence[int], torch.device], Noise]:
    """Noise of unit variance, at this part of a turn."""
    across, along = (radius * f(2 * math.pi * turn) for f in (math.cos, math.sin))
    size = math.sqrt(1 + radius**2)

    def made(seeds: Sequence[int], device: torch.device) -> Noise:
        three = [seeded([(seed + n * _FAR) % 2**63 for seed in seeds], device) for n in range(3)]

        def noise(shape: Sequence[int]) -> Tensor:
            middle, x, y = (one(shape) for one in three)
            return (middle + across * x + along * y) / size

        return noise

    return made


animate = Task(_animate)
