"""The picture, larger, with detail like its own finest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from unica.declare import Number, Param
from unica.engines.base import Model
from unica.tasks.declare import CHANGING, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.diffusion import Level
    from unica.pyramid import Size
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame

_LARGEST_STEP = 2.0  # by which a side grows at most before detail is drawn
_STEP = 1.5  # by which a side grows at most from one level to the next
_PROJECTIONS = 8
_GROWTH = 0.3  # of the steps of a run with one level, where that is used again on a larger canvas


@task(CHANGING, needs_source=True)
def upscale(
    model: Model,
    factor: Annotated[float, Param("How many times as large.", Number(1, 4, above=True))] = 2.0,
    strength: Annotated[float, strength()] = 1.0,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make the picture larger, with detail like its own finest.

    Made smaller again, the result is the picture, without the noise and the traces of JPEG that it has.
    """
    from unica.image import noise_level, without_noise
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size

    width, height = model.picture.size
    wanted = canvas_size(model, (round(width * factor), round(height * factor)))
    quiet = without_noise(model.picture.pixels, noise_level(model.picture.pixels))
    given = Canvas.finished(quiet, model.picture.alpha)
    levels = model.run((height, width)).levels
    return (
        replace(frame, index=index, done=(index + frame.fraction) / count)
        for index in range(count)
        for frame in enlarged(model, given, levels, wanted, strength, seed + index, exact=True)
    )


def enlarged(
    model: Model, given: "Canvas", levels: "Sequence[Level]", wanted: "Size", strength: float, seed: int, exact: bool
) -> "Iterator[Frame]":
    """A picture at the wanted size. If it is to be exact, it is the given one when it is made as small again.

    Otherwise it is softer, and faults around edges of the given picture are not made sharp. Detail is drawn by the last
    of the levels, whose canvas has the size of the given picture. What becomes more than twice as large does so in two
    steps: the second enlarges the detail of the first.
    """
    from unica.guides import LowPass
    from unica.tasks.canvas import Canvas
    from unica.tasks.strength import draw_from

    factor = max(want / have for want, have in zip(wanted, given.size))
    sizes = [wanted]
    if factor > _LARGEST_STEP:
        height, width = given.size
        sizes = [(round(height * _LARGEST_STEP), round(width * _LARGEST_STEP)), wanted]
    for turn, size in enumerate(sizes):
        canvas = given.resized(size)
        reference = canvas.tensor(model.channels)
        step = max(want / have for want, have in zip(size, given.size))
        frames = draw_from(
            model, canvas, growing(levels, size), strength, 1, seed,
            guides=lambda some, _, reference=reference, step=step: [LowPass(reference, some, step, share=1.0)],
        )  # fmt: skip
        for frame in frames:
            fraction = (turn + frame.fraction) / len(sizes)
            if not frame.last:
                yield replace(frame, fraction=fraction)
                continue
            drawn = _projected(frame, given) if exact else frame
            if turn == len(sizes) - 1:
                yield replace(drawn, fraction=fraction)
            else:
                given = Canvas.finished(drawn.pixels, drawn.alpha)
                levels = [*levels[:-1], replace(levels[-1], size=size)]


def growing(levels: "Sequence[Level]", wanted: "Size") -> "list[Level]":
    """The finest level again and again, on canvases that grow to the wanted size."""
    import math

    from unica.diffusion import late

    finest = levels[-1]
    growth = max(want / have for want, have in zip(wanted, finest.size))
    count = math.ceil(math.log(growth) / math.log(_STEP) - 1e-9) if growth > 1 else 0
    again = late(finest, 1 - _GROWTH) if len(levels) == 1 else finest
    sizes = [
        tuple(round(have * (want / have) ** (i / count)) for want, have in zip(wanted, finest.size))
        for i in range(1, count + 1)
    ]
    return [replace(again, size=(height, width)) for height, width in sizes]


def _projected(frame: "Frame", given: "Canvas") -> "Frame":
    """The finished picture, corrected until it is the given one when it is made as small."""
    from unica.image import resize
    from unica.tasks.canvas import Canvas

    pixels = frame.pixels[None]
    for _ in range(_PROJECTIONS):
        missing = given.pixels - resize(pixels, given.size)
        pixels = (pixels + resize(missing, (pixels.shape[-2], pixels.shape[-1]))).clamp(-1, 1)
    return frame.finished(Canvas.finished(pixels[0], frame.alpha))
