"""The picture goes on beyond its edges; what was there stays as it is (SinDiffusion, Eq. 6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from unica.errors import UnicaError
from unica.model import Model
from unica.tasks.given import Given, check_feather, given, pasted
from unica.tasks.task import LARGEST_COUNT, Frame, Task, canvas, check_run, check_source, draw

LARGEST_REPEAT = 1000
ANCHORS = {"left": 0.0, "up": 0.0, "center": 0.5, "right": 1.0, "down": 1.0}


def _outpaint(
    model: Model,
    left: int = 0,
    right: int = 0,
    up: int = 0,
    down: int = 0,
    size: tuple[int, int] | None = None,
    anchor: str = "center",
    repeat: int = 1,
    feather: int = 0,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """So many pixels more on each side, `repeat` times; or as many as make a picture of this (width, height), in which
    the old one is at the `anchor`: center, or a side or corner as left-up. Over `feather` pixels of what was there, old
    fades into new.

    Where one side alone grows, a round sees no more of the picture than the source's length: each takes as long as the
    one before.
    """
    check_run(count, seed)
    check_source(model)
    margins = (left, right, up, down) if size is None else _margins(model, size, anchor)
    if size is not None and any((left, right, up, down)):
        raise UnicaError("give a size or margins (left, right, up, down), not both")
    if min(margins) < 0 or not any(margins):
        raise UnicaError(f"left, right, up and down must be pixels to add, not {', '.join(map(str, margins))}")
    if not 1 <= repeat <= LARGEST_REPEAT:
        raise UnicaError(f"repeat must lie between 1 and {LARGEST_REPEAT}, not {repeat}")
    check_feather(feather)
    left, right, up, down = margins
    width, height = model.picture.size
    canvas(model, (width + repeat * (left + right), height + repeat * (up + down)))
    return _frames(model, margins, repeat, feather, count, seed)


def _margins(model: Model, size: tuple[int, int], anchor: str) -> tuple[int, int, int, int]:
    width, height = (new - old for new, old in zip(size, model.picture.size))
    if min(width, height) < 0:
        raise UnicaError(
            f"size {size[0]}x{size[1]} is smaller than the picture, which has {model.picture.size[0]}x"
            f"{model.picture.size[1]} pixels"
        )
    words = anchor.split("-")
    if not set(words) <= set(ANCHORS) or len(words) > 2:
        raise UnicaError(f"anchor must be {', '.join(ANCHORS)}, or two of them as left-up, not {anchor}")
    across = next((ANCHORS[word] for word in words if word in ("left", "right")), 0.5)
    along = next((ANCHORS[word] for word in words if word in ("up", "down")), 0.5)
    left, up = round(width * across), round(height * along)
    return left, width - left, up, height - up


def _frames(
    model: Model, margins: tuple[int, int, int, int], repeat: int, feather: int, count: int, seed: int
) -> Iterator[Frame]:
    for index in range(count):
        whole = given(model.picture)
        for turn in range(repeat):
            mine = (seed + index + turn * LARGEST_COUNT) % 2**63  # a run's rounds all differ
            for frame in _round(model, whole, margins, feather, mine):
                fraction = (turn + frame.fraction) / repeat
                if frame.last and frame.given is not None:
                    whole = frame.given
                if not frame.last or turn == repeat - 1:
                    done = (index + fraction) / count
                    yield replace(frame, index=index, seed=seed + index, fraction=fraction, done=done)


def _round(model: Model, whole: Given, margins: tuple[int, int, int, int], feather: int, seed: int) -> Iterator[Frame]:
    """Draws around the part of the picture that matters, and puts the rest of it back at the end."""
    left, right, up, down = margins
    (height, width), (h0, w0) = whole.pixels.shape[-2:], model.picture.pixels.shape[-2:]
    whole = whole.extended(*margins, feather)
    most = (h0, w0) if not any((left, right)) or not any((up, down)) else (height, width)
    rows, columns = _seen(height, most[0], up, down), _seen(width, most[1], left, right)
    part = whole.part(rows, columns)
    levels = model.levels((part.pixels.shape[-2], part.pixels.shape[-1]))
    for frame in draw(model, levels, 1, seed, given=part):
        if frame.last:
            new = part.share.movedim(0, -1) >= 0.5
            origins = frame.origins if model.traces else None
            origins = part.origins.masked_fill(new, -1) if origins is None else origins
            drawn = Given(frame.pixels, frame.alpha, part.share, origins)
            frame = frame.finished(pasted(whole, drawn, rows, columns))
        yield frame


def _seen(length: int, most: int, before: int, after: int) -> slice:
    """The part of the extended axis that a round looks at: all, but for what is far from the only side that grows."""
    if (before and after) or not (before or after):
        return slice(0, before + length + after)
    return slice(0, before + min(length, most)) if before else slice(max(length - most, 0), length + after)


outpaint = Task(_outpaint)
