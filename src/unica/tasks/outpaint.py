"""The picture is extended beyond its edges; what was there stays as it is (SinDiffusion, Eq. 6)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Param, Size, Text, Whole
from unica.engines.base import Model
from unica.errors import UnicaError, short
from unica.tasks.declare import CHANGING, LARGEST_COUNT, Count, Feather, Seed, task

if TYPE_CHECKING:
    from unica.pyramid import Size as HeightWidth
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame
    from unica.tasks.sketch import Sketch

ANCHORS = {"left": 0.0, "up": 0.0, "center": 0.5, "right": 1.0, "down": 1.0}
_Pixels = Whole(0, 10**6)


def _canvas(
    model: Model,
    left: int,
    right: int,
    up: int,
    down: int,
    size: tuple[int, int] | None,
    anchor: str,
    repeat: int,
    feather: int,
    **_: Any,
) -> "Canvas":
    from unica.tasks.canvas import Canvas

    margins = (left, right, up, down) if size is None else _margins(model, size, anchor)
    left, right, up, down = (repeat * margin for margin in margins)
    return Canvas.of_source(model.picture).extended(left, right, up, down, feather)


def _sketch(model: Model, repeat: int, feather: int, **values: Any) -> "Sketch":
    from unica.tasks.canvas import Canvas
    from unica.tasks.sketch import Inset, Sketch

    margins, full = _wanted(model, repeat=repeat, whole=False, **values)
    if repeat > 1:
        raise UnicaError("in parts, a picture is extended once: give all the pixels to add, and no repeat")
    return Sketch(model.run(full), Inset.of(Canvas.of_source(model.picture), *margins, feather))


@task(CHANGING, needs_source=True, preview=_canvas, sketch=_sketch)
def outpaint(
    model: Model,
    left: Annotated[int, Param("Pixels to add on the left.", _Pixels)] = 0,
    right: Annotated[int, Param("Pixels to add on the right.", _Pixels)] = 0,
    up: Annotated[int, Param("Pixels to add above.", _Pixels)] = 0,
    down: Annotated[int, Param("Pixels to add below.", _Pixels)] = 0,
    size: Annotated[
        tuple[int, int] | None, Param("Size of the result, instead of pixels to add.", Size(), advanced=True)
    ] = None,
    anchor: Annotated[
        str,
        Param(
            "With a size, where the picture stays: center, left, right, up, down or as left-up.",
            Text("PLACE"),
            advanced=True,
        ),
    ] = "center",
    repeat: Annotated[int, Param("How many times to extend by that much.", Whole(1, 1000), advanced=True)] = 1,
    feather: Feather = 0,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Extend the picture beyond its edges. What was there stays as it is.

    Where one side alone grows, a round looks at no more of the picture than the source's length, so each round takes as
    long as the one before.
    """
    margins, _ = _wanted(model, left, right, up, down, size, anchor, repeat)
    return _frames(model, margins, repeat, feather, count, seed)


def _wanted(
    model: Model,
    left: int,
    right: int,
    up: int,
    down: int,
    size: tuple[int, int] | None,
    anchor: str,
    repeat: int,
    whole: bool = True,
    **_: Any,
) -> "tuple[tuple[int, int, int, int], HeightWidth]":
    """The margins of a round, and the height and width of the result."""
    from unica.tasks.run import canvas_size

    margins = (left, right, up, down) if size is None else _margins(model, size, anchor)
    if size is not None and any((left, right, up, down)):
        raise UnicaError("give a size or margins (left, right, up, down), not both")
    if not any(margins):
        raise UnicaError("nothing would be added: say with left, right, up, down or size where the picture grows")
    left, right, up, down = margins
    width, height = model.picture.size
    full = (width + repeat * (left + right), height + repeat * (up + down))
    return margins, canvas_size(model, full, whole=whole)


def _margins(model: Model, size: tuple[int, int], anchor: str) -> tuple[int, int, int, int]:
    width, height = (new - old for new, old in zip(size, model.picture.size))
    if min(width, height) < 0:
        w, h = model.picture.size
        raise UnicaError(f"size {size[0]}x{size[1]} is smaller than the picture, which has {w}x{h} pixels")
    words = anchor.split("-")
    if not set(words) <= set(ANCHORS) or len(words) > 2:
        raise UnicaError(f"anchor must be {', '.join(ANCHORS)}, or two of them as left-up, not {short(anchor)}")
    across = next((ANCHORS[word] for word in words if word in ("left", "right")), 0.5)
    along = next((ANCHORS[word] for word in words if word in ("up", "down")), 0.5)
    left, up = round(width * across), round(height * along)
    return left, width - left, up, height - up


def _frames(
    model: Model, margins: tuple[int, int, int, int], repeat: int, feather: int, count: int, seed: int
) -> "Iterator[Frame]":
    from unica.tasks.canvas import Canvas

    for index in range(count):
        whole = Canvas.of_source(model.picture)
        for turn in range(repeat):
            own = (seed + index + turn * LARGEST_COUNT) % 2**63  # every round of a run has its own seed
            for frame in _round(model, whole, margins, feather, own):
                fraction = (turn + frame.fraction) / repeat
                if frame.last and frame.canvas is not None:
                    whole = frame.canvas
                if not frame.last or turn == repeat - 1:
                    done = (index + fraction) / count
                    yield replace(frame, index=index, seed=seed + index, fraction=fraction, done=done)


def _round(
    model: Model, whole: "Canvas", margins: tuple[int, int, int, int], feather: int, seed: int
) -> "Iterator[Frame]":
    """Draw around the part of the picture that matters, then put the rest back."""
    from unica.tasks.run import draw

    left, right, up, down = margins
    (height, width), (h0, w0) = whole.size, model.picture.pixels.shape[-2:]
    whole = whole.extended(*margins, feather)
    most = (h0, w0) if not any((left, right)) or not any((up, down)) else (height, width)
    rows, columns = _seen(height, most[0], up, down), _seen(width, most[1], left, right)
    part = whole.part(rows, columns)
    for frame in draw(model, model.run(part.size), 1, seed, canvas=part):
        if frame.last:
            new = part.new.movedim(0, -1) >= 0.5
            origins = frame.origins if model.knows_origins else None
            origins = part.origins.masked_fill(new, -1) if origins is None else origins
            drawn = replace(part, pixels=frame.pixels, alpha=frame.alpha, origins=origins)
            frame = frame.finished(whole.with_part(drawn, rows, columns).all_kept())
        yield frame


def _seen(length: int, most: int, before: int, after: int) -> slice:
    """The part of an extended axis that a round looks at: all of it, unless only one side grows."""
    if (before and after) or not (before or after):
        return slice(0, before + length + after)
    return slice(0, before + min(length, most)) if before else slice(max(length - most, 0), length + after)
