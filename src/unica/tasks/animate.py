"""A short loop: the same run again and again, with noise that moves in a circle (SinGAN's animation)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from unica.declare import Number, Param, Whole
from unica.engines.base import Model
from unica.tasks.declare import BY_ENGINE, CHANGING, Count, Seed, strength, task

if TYPE_CHECKING:
    import torch

    from unica.diffusion import Noise
    from unica.tasks.run import Frame

LONGEST = 1000  # frames of a loop
_FAR = 2**40  # between the seeds of a loop's three noises


@task(CHANGING, needs_source=True, animation=True)
def animate(
    model: Model,
    frames: Annotated[int, Param("Pictures of the loop.", Whole(2, LONGEST))] = 24,
    motion: Annotated[float, Param("How much the picture moves; more is livelier.", Number(0, 10, above=True))] = 0.3,
    strength: Annotated[float, strength(fallback=0.6)] = BY_ENGINE,
    between: Annotated[
        int,
        Param(
            "Pictures between two drawn ones that are only blended from them (default: by the engine).",
            Whole(0, LONGEST),
            fallback=0,
        ),
    ] = BY_ENGINE,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make a short loop in which the picture moves a little.

    The source enters every run. Its noise moves in a circle of radius `motion` around noise that stays. `count` loops
    follow one after the other.
    """
    from unica.tasks.canvas import Canvas
    from unica.tasks.strength import draw_from

    canvas = Canvas.finished(model.picture.pixels, model.picture.alpha).all_new()
    levels = model.run(canvas.size).levels
    keys = max(round(frames / (between + 1)), 2)
    return (
        replace(frame, index=index)
        for index in range(count)
        for frame in _dissolving(
            (
                replace(frame, done=(index + (key + frame.fraction) / keys) / count)
                for key in range(keys)
                for frame in draw_from(
                    model, canvas, levels, strength, 1, seed + index, noise=_circle(key / keys, motion)
                )
            ),
            keys,
            frames,
        )
    )


def _dissolving(drawn: "Iterator[Frame]", keys: int, frames: int) -> "Iterator[Frame]":
    """All pictures of a loop in their order, from a few that are drawn at even distances."""
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


def _mixed(a: "Frame", b: "Frame", share: float) -> "Frame":
    """A picture between two finished ones. Colours count as much as they can be seen."""
    from unica.tasks.canvas import Canvas

    if share == 1:
        return b
    if a.alpha is None or b.alpha is None:
        return b.finished(Canvas.finished(a.pixels.lerp(b.pixels, share), None))
    first, second = (1 - share) * a.alpha, share * b.alpha
    alpha = first + second
    return b.finished(Canvas.finished((first * a.pixels + second * b.pixels) / alpha.clamp_min(1e-6), alpha))


def _circle(turn: float, radius: float) -> "Callable[[Sequence[int], torch.device], Noise]":
    """Noise of unit variance, at this part of a turn."""
    import math

    from unica.diffusion import seeded

    across, along = (radius * f(2 * math.pi * turn) for f in (math.cos, math.sin))
    size = math.sqrt(1 + radius**2)

    def made(seeds: Sequence[int], device: "torch.device") -> "Noise":
        three = [seeded([(seed + n * _FAR) % 2**63 for seed in seeds], device) for n in range(3)]

        def noise(shape: Sequence[int]) -> "torch.Tensor":
            middle, x, y = (one(shape) for one in three)
            return (middle + across * x + along * y) / size

        return noise

    return made
