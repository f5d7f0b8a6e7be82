"""A pasted object becomes part of the scene (SinDDM; SinGAN's harmonization)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import File, Group, Param
from unica.engines.base import Model
from unica.regions import Region
from unica.tasks.declare import OTHERS, Count, Dilate, Feather, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame

_TONE, _FULL_TONE = 0.3, 0.1  # how much nearer colours get to those around, and the strength from which they do


def _canvas(
    model: Model, content: Any, where: Region, strength: float, dilate: int | None, feather: int, **_: Any
) -> "Canvas":
    from unica.tasks.canvas import Canvas
    from unica.tasks.strength import read_content
    from unica.tone import nearer

    picture = read_content(model, content)
    pixels = nearer(picture.pixels, where.on(picture), _TONE * min(strength / _FULL_TONE, 1))
    return Canvas.of_other(replace(picture, pixels=pixels), model, where.on(picture, dilate), feather)


@task(OTHERS, preview=_canvas, local=lambda values: "content")
def harmonize(
    model: Model,
    content: Annotated[Any, Param("The scene with something pasted into it.", File())],
    where: Annotated[Region, Param("Where in the content something was pasted.", Group(Region))],
    strength: Annotated[float, strength()] = 0.2,
    dilate: Dilate = None,
    feather: Feather = 1,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make what was pasted into a scene a part of it. The rest of the scene stays as it is.

    What was pasted keeps its shapes and its edges. Its colours get nearer to those around it, and it gets the fine
    texture of what the scene would have in its place: the more strength, the coarser.
    """
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from

    canvas = _canvas(model, content, where, strength, dilate, feather)
    height, width = canvas.size
    levels = model.run(canvas_size(model, (width, height))).levels
    frames = draw_from(model.with_small_patches(), canvas, levels, strength, count, seed)
    return (_textured(frame, canvas) if frame.last else frame for frame in frames)


def _textured(frame: "Frame", canvas: "Canvas") -> "Frame":
    """The finished picture: what was pasted, with the texture of what was drawn there."""
    from unica.tone import textured

    pixels = textured(canvas.pixels, frame.pixels, canvas.new > 0)
    return frame.finished(replace(canvas, pixels=pixels, alpha=frame.alpha).all_kept())
