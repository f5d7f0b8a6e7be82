"""A pasted object becomes part of the scene (SinDDM; SinGAN's harmonization)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import File, Group, Param, Whole
from unica.engines.base import Model
from unica.regions import Region
from unica.tasks.declare import OTHERS, Count, Feather, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame

_TONE, _FULL_TONE = 0.3, 0.1  # how much nearer colours get to those around, and the strength from which they do


@task(OTHERS)
def harmonize(
    model: Model,
    content: Annotated[Any, Param("The scene with something pasted into it.", File())],
    where: Annotated[Region, Param("Where in the content something was pasted.", Group(Region, of_picture="content"))],
    strength: Annotated[float, strength()] = 0.2,
    dilate: Annotated[int, Param("Pixels around the mask that are drawn anew too.", Whole(0, 256))] = 1,
    feather: Feather = 1,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make what was pasted into a scene a part of it. The rest of the scene stays as it is.

    What was pasted keeps its shapes and its edges. Its colours get nearer to those around it, and it gets the fine
    texture of what the scene would have in its place: the more strength, the coarser.
    """
    from unica.masks import grown
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from, read_content
    from unica.tone import nearer

    picture = read_content(model, content)
    pasted = where.on(picture)
    toned = replace(picture, pixels=nearer(picture.pixels, pasted, _TONE * min(strength / _FULL_TONE, 1)))
    canvas = Canvas.of_other(toned, model, grown(pasted, dilate), feather)
    levels = model.run(canvas_size(model, picture.size)).levels
    frames = draw_from(model.with_small_patches(), canvas, levels, strength, count, seed)
    return (_textured(frame, canvas) if frame.last else frame for frame in frames)


def _textured(frame: "Frame", canvas: "Canvas") -> "Frame":
    """The finished picture: what was pasted, with the texture of what was drawn there."""
    from unica.tone import textured

    pixels = textured(canvas.pixels, frame.pixels, canvas.new > 0)
    return frame.finished(replace(canvas, pixels=pixels, alpha=frame.alpha).all_kept())
