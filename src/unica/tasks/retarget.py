"""Another width and height, with the content kept."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Group, Param, Size, Stretch
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.regions import Region
from unica.tasks.declare import BY_ENGINE, CHANGING, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.masks import Mask
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame
    from unica.tasks.sketch import Sketch


class _Sides(Size):
    """A width and a height, of which one may be missing: None in Python, nothing on a command line."""

    example = "400 or 400x300 or x300"

    def parse(self, name: str, text: str) -> tuple[Any, Any]:
        return super().parse(name, text if "x" in text.lower() else f"{text}x")

    def check(self, name: str, value: Any) -> tuple[Any, Any]:
        if isinstance(value, Sequence) and not isinstance(value, str) and all(side is None for side in value):
            raise UnicaError(f"{name} must have a width or a height")
        return super().check(name, value)

    def format(self, value: Any) -> str:
        return "x".join("" if side is None else str(side) for side in value)

    def _number(self, text: str) -> Any:
        return int(text) if text else None

    def _side(self, name: str, value: Any) -> Any:
        return None if value is None else super()._side(name, value)

    def schema(self) -> dict[str, Any]:
        side = {"type": ["integer", "null"], "minimum": 1}
        return {"type": "array", "items": side, "minItems": 2, "maxItems": 2}


class _Shares(Stretch):
    """(width, height) as multiples of the source's. One number alone is a width; 60% is 0.6."""

    example = "60% or 0.6x1"

    def parse(self, name: str, text: str) -> tuple[Any, Any]:
        return super().parse(name, text if "x" in text.lower() else f"{text}x1")

    def _number(self, text: str) -> float:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def _canvas(
    model: Model,
    size: tuple[int | None, int | None] | None,
    stretch: tuple[float, float] | None,
    keep: Region | None,
    **_: Any,
) -> "Canvas":
    from unica.tasks.canvas import Canvas

    canvas = Canvas.of_source(model.picture).resized(_wanted(model, size, stretch))
    for thing in [] if keep is None else keep.parts():
        canvas = _with_thing(canvas, Canvas.of_source(model.picture), thing.on(model.picture))
    return canvas


def _sketch(
    model: Model,
    size: tuple[int | None, int | None] | None,
    stretch: tuple[float, float] | None,
    keep: Region | None,
    strength: float,
    **_: Any,
) -> "Sketch":
    """The source enters the run at the size of its first level."""
    from unica.tasks.canvas import Canvas
    from unica.tasks.sketch import Sketch
    from unica.tasks.strength import entering

    if keep is not None:
        raise UnicaError("in parts, a picture is retargeted as a whole: without anything that must stay whole")
    levels = model.run(_wanted(model, size, stretch, whole=False)).levels
    return Sketch(entering(model, Canvas.of_source(model.picture), levels, strength))


def _wanted(
    model: Model,
    size: tuple[int | None, int | None] | None,
    stretch: tuple[float, float] | None,
    whole: bool = True,
) -> "tuple[int, int]":
    """Height and width of the result."""
    from unica.tasks.run import canvas_size

    if size is None and stretch is None:
        raise UnicaError("say with size or stretch how large the result is to be")
    width, height = model.picture.size
    full = None if size is None else (size[0] or width, size[1] or height)
    return canvas_size(model, full, stretch, whole)


@task(CHANGING, needs_source=True, preview=_canvas, sketch=_sketch)
def retarget(
    model: Model,
    size: Annotated[
        tuple[int | None, int | None] | None, Param("Size of the result; a width or a height is enough.", _Sides())
    ] = None,
    stretch: Annotated[
        tuple[float, float] | None,
        Param("Size of the result as multiples of the source's; 60% is a width.", _Shares()),
    ] = None,
    keep: Annotated[Region | None, Param("What must stay whole.", Group(Region))] = None,
    strength: Annotated[float, strength(fallback=0.7)] = BY_ENGINE,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Change width and height, keeping the content and not stretching it.

    The stretched source enters the run so early that things get their own proportions again. What is marked stays as
    it is, pixel for pixel, and is drawn nowhere else; each box, each polygon and the mask is a thing of its own, which
    keeps its place in proportion.
    """
    from unica.tasks.run import draw
    from unica.tasks.strength import MIXED, draw_from

    if keep is None and strength >= MIXED:
        _wanted(model, size, stretch)
        return draw(model, _sketch(model, size, stretch, keep, strength).run, count, seed)
    if keep is not None:
        model = model.hiding(keep.on(model.picture))
    canvas = _canvas(model, size, stretch, keep)
    return draw_from(model, canvas, model.run(canvas.size).levels, strength, count, seed)


def _with_thing(canvas: "Canvas", source: "Canvas", thing: "Mask") -> "Canvas":
    """The canvas with a thing of the source kept on it, where the thing is in proportion, and within the canvas."""
    from dataclasses import replace

    (rows, columns), starts = (thing[0].any(1 - axis).nonzero() for axis in (0, 1)), []
    for found, now, before in zip((rows, columns), canvas.size, source.size):
        first, length = int(found.min()), int(found.max() - found.min()) + 1
        if length > now:
            raise UnicaError(f"what must stay whole is {length} pixels long, and the result only {now}")
        middle = (first + length / 2) * now / before
        starts.append((first, length, min(max(round(middle - length / 2), 0), now - length)))
    (top, height, y), (left, width, x) = starts
    part = source.part(slice(top, top + height), slice(left, left + width))
    inside = thing[:, top : top + height, left : left + width]
    here = canvas.part(slice(y, y + height), slice(x, x + width))
    alpha = None if part.alpha is None or here.alpha is None else part.alpha.where(inside, here.alpha)
    put = replace(
        here,
        pixels=part.pixels.where(inside, here.pixels),
        alpha=alpha,
        new=here.new.masked_fill(inside, 0.0),
        origins=part.origins.where(inside.movedim(0, -1), here.origins),
    )
    return canvas.with_part(put, slice(y, y + height), slice(x, x + width))
