"""Other sizes: of the things in a picture, of a picture whose content is to be kept, and of its detail."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from unica.diffusion import Level
from unica.errors import UnicaError
from unica.guides import LowPass
from unica.image import resize
from unica.model import Model
from unica.pyramid import Size, pyramid
from unica.tasks.entry import draw_from, entered
from unica.tasks.given import Given, drawn_on
from unica.tasks.task import Frame, Task, canvas, check_run, check_source, draw

_STEP = 1.5  # by which a side grows at most from one level to the next
_PROJECTIONS = 8
_GROWTH = 0.3  # of the steps of a run with one level, where that is used again on a larger canvas


def _objects(
    model: Model,
    size_factor: float,
    size: tuple[int, int] | None = None,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """Things are `size_factor` times as large as in the source, on a canvas of any size: levels work on the canvas of
    coarser or finer ones (SinDDM, App. F). A model of one level draws on another canvas, which is resized."""
    check_run(count, seed)
    if not 0.2 <= size_factor <= 5:
        raise UnicaError(f"size-factor must lie between 0.2 and 5, not {size_factor:g}")
    wanted = canvas(model, size)
    height, width = (max(round(side / size_factor), 16) for side in wanted)
    levels = model.levels(canvas(model, (width, height)))
    if size_factor >= 1:
        return draw(model, [*levels, *_larger(levels, wanted)], count, seed)
    fitting = [level for level in levels if level.size[0] <= wanted[0] * 1.1]
    if fitting:
        return draw(model, [*fitting[:-1], replace(fitting[-1], size=wanted)], count, seed)
    return _shrunk(model, levels, wanted, count, seed)


def _larger(levels: list[Level], wanted: Size) -> list[Level]:
    """The finest level once more, on canvases that grow to the wanted one."""
    finest = levels[-1]
    growth = max(want / have for want, have in zip(wanted, finest.size))
    count = math.ceil(math.log(growth) / math.log(_STEP) - 1e-9) if growth > 1 else 0
    again = entered(levels, _GROWTH)[-1] if len(levels) == 1 else finest
    sizes = [
        tuple(round(have * (want / have) ** (i / count)) for want, have in zip(wanted, finest.size))
        for i in range(1, count + 1)
    ]
    return [replace(again, size=(height, width)) for height, width in sizes]


def _shrunk(model: Model, levels: list[Level], wanted: Size, count: int, seed: int) -> Iterator[Frame]:
    for frame in draw(model, levels, count, seed):
        if frame.last:
            (scale,) = pyramid(frame.pixels, frame.alpha, [wanted])
            frame = frame.finished(drawn_on(scale.pixels, scale.alpha))
        yield frame


_RETARGET = {"instant": 0.85, "sinddm": 0.9, "sindiffusion": 0.8}


def _retarget(
    model: Model, size: tuple[int, int], strength: float | None = None, count: int = 1, seed: int = 0
) -> Iterator[Frame]:
    """Another width and height with the content kept: the stretched source enters the run so early that things get
    their own proportions again."""
    check_run(count, seed)
    check_source(model)
    strength = _RETARGET[model.engine] if strength is None else strength
    wanted = canvas(model, size)
    return draw_from(model, _stretched(model, wanted), model.levels(wanted), strength, count, seed)


def _upscale(
    model: Model, factor: float = 2.0, strength: float = 1.0, count: int = 1, seed: int = 0
) -> Iterator[Frame]:
    """The source, larger, with detail as its own finest. What a smaller picture would show stays the source's."""
    check_run(count, seed)
    check_source(model)
    if not 1 < factor <= 4:
        raise UnicaError(f"factor must lie above 1 and not above 4, not {factor:g}")
    width, height = model.picture.size
    wanted = canvas(model, (round(width * factor), round(height * factor)))
    levels = _larger(model.levels((height, width)), wanted)
    start = _stretched(model, wanted)
    reference = start.canvas(model.channels)
    frames = draw_from(
        model,
        start,
        levels,
        strength,
        count,
        seed,
        guides=lambda some, _: [LowPass(reference, some, factor, share=1.0)],
    )
    return (_projected(frame, model) if frame.last else frame for frame in frames)


def _projected(frame: Frame, model: Model) -> Frame:
    """The finished picture, changed until it is the source when it is made as small."""
    source, pixels = model.picture.pixels[None], frame.pixels[None]
    size = (source.shape[-2], source.shape[-1])
    for _ in range(_PROJECTIONS):
        missing = source - resize(pixels, size)
        pixels = (pixels + resize(missing, (pixels.shape[-2], pixels.shape[-1]))).clamp(-1, 1)
    return frame.finished(drawn_on(pixels[0], frame.alpha))


def _stretched(model: Model, wanted: Size) -> Given:
    (scale,) = pyramid(model.picture.pixels, model.picture.alpha, [wanted])
    return drawn_on(scale.pixels, scale.alpha, free=True)


objects, retarget, upscale = Task(_objects), Task(_retarget), Task(_upscale)
