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
    from unica.tasks.run import Frame

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
    """Make the picture larger, with detail like its own finest. Made smaller again, the result is the picture."""
    from unica.guides import LowPass
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from

    width, height = model.picture.size
    wanted = canvas_size(model, (round(width * factor), round(height * factor)))
    levels = growing(model.run((height, width)).levels, wanted)
    canvas = Canvas.of_resized(model.picture, wanted)
    reference = canvas.tensor(model.channels)
    frames = draw_from(
        model, canvas, levels, strength, count, seed,
        guides=lambda some, _: [LowPass(reference, some, factor, share=1.0)],
    )  # fmt: skip
    return (_projected(frame, model) if frame.last else frame for frame in frames)


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


def _projected(frame: "Frame", model: Model) -> "Frame":
    """The finished picture, corrected until it is the source when it is made as small."""
    from unica.image import resize
    from unica.tasks.canvas import Canvas

    source, pixels = model.picture.pixels[None], frame.pixels[None]
    size = (source.shape[-2], source.shape[-1])
    for _ in range(_PROJECTIONS):
        missing = source - resize(pixels, size)
        pixels = (pixels + resize(missing, (pixels.shape[-2], pixels.shape[-1]))).clamp(-1, 1)
    return frame.finished(Canvas.finished(pixels[0], frame.alpha))
