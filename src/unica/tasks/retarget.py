"""Another width and height, with the content kept."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Param, Size, Stretch
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.tasks.declare import BY_ENGINE, CHANGING, Count, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame


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


@task(CHANGING, needs_source=True)
def retarget(
    model: Model,
    size: Annotated[
        tuple[int | None, int | None] | None, Param("Size of the result; a width or a height is enough.", _Sides())
    ] = None,
    stretch: Annotated[
        tuple[float, float] | None,
        Param("Size of the result as multiples of the source's; 60% is a width.", _Shares()),
    ] = None,
    strength: Annotated[float, strength(fallback=0.7)] = BY_ENGINE,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Change width and height, keeping the content and not stretching it.

    The stretched source enters the run so early that things get their own proportions again.
    """
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from

    if size is None and stretch is None:
        raise UnicaError("say with size or stretch how large the result is to be")
    width, height = model.picture.size
    full = None if size is None else (size[0] or width, size[1] or height)
    wanted = canvas_size(model, full, stretch)
    canvas = Canvas.of_resized(model.picture, wanted)
    return draw_from(model, canvas, model.run(wanted).levels, strength, count, seed)
