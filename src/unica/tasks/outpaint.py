"""The picture goes on beyond its edges; what was there stays as it is (SinDiffusion, Eq. 6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.errors import UnicaError
from unica.guides import Known
from unica.model import Model
from unica.tasks.task import LARGEST_COUNT, Frame, Task, canvas, check_run, draw

LARGEST_REPEAT = 1000


def _outpaint(
    model: Model,
    left: int = 0,
    right: int = 0,
    up: int = 0,
    down: int = 0,
    repeat: int = 1,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """So many pixels more on each side, `repeat` times. Where the new begins can still be seen.

    Where one side of an axis grows, a round sees no more of the picture than the source's length of it: each takes as
    long as the one before."""
    check_run(count, seed)
    margins = (left, right, up, down)
    if min(margins) < 0 or not any(margins):
        raise UnicaError(f"left, right, up and down must be pixels to add, not {', '.join(map(str, margins))}")
    if not 1 <= repeat <= LARGEST_REPEAT:
        raise UnicaError(f"repeat must lie between 1 and {LARGEST_REPEAT}, not {repeat}")
    if not model.source:
        raise UnicaError("this model was saved without its source: there is no picture to extend")
    if model.channels != model.picture.pixels.shape[0] or model.picture.alpha is not None:
        raise UnicaError("pictures with transparency cannot be extended yet; save it without")
    width, height = model.picture.size
    canvas(model, (width + repeat * (left + right), height + repeat * (up + down)))
    return _frames(model, margins, repeat, count, seed)


def _frames(model: Model, margins: tuple[int, int, int, int], repeat: int, count: int, seed: int) -> Iterator[Frame]:
    for index in range(count):
        picture = model.picture.pixels[None].to(model.device)
        for turn in range(repeat):
            mine = (seed + index + turn * LARGEST_COUNT) % 2**63  # a run's rounds all differ
            for frame in _round(model, picture, margins, mine):
                fraction = (turn + frame.fraction) / repeat
                done = (index + fraction) / count
                if frame.last:
                    picture = frame.state.x0
                if not frame.last or turn == repeat - 1:
                    yield replace(frame, index=index, seed=seed + index, fraction=fraction, done=done)


def _round(
    model: Model, picture: Float[Tensor, "1 c h w"], margins: tuple[int, int, int, int], seed: int
) -> Iterator[Frame]:
    """Draws around the part of the picture that matters, and puts the rest of it back at the end."""
    left, right, up, down = margins
    (height, width), (h0, w0) = picture.shape[-2:], model.picture.pixels.shape[-2:]
    top, bottom = _seen(height, h0, up, down)
    first, last = _seen(width, w0, left, right)
    seen = F.pad(picture[..., top:bottom, first:last], margins)
    free = F.pad(torch.zeros_like(picture[:, :1, top:bottom, first:last]), margins, value=1.0)
    levels = model.levels((seen.shape[-2], seen.shape[-1]))
    for frame in draw(model, levels, 1, seed, known=Known(seen, free)):
        if frame.last:
            whole = F.pad(picture, margins)
            drawn = frame.state.x0.where(free > 0, seen)
            whole[..., top : top + drawn.shape[-2], first : first + drawn.shape[-1]] = drawn
            frame = replace(frame, state=frame.state._replace(x0=whole))
        yield frame


def _seen(length: int, most: int, before: int, after: int) -> tuple[int, int]:
    """The part of an axis that a round looks at: all, but for what is far from the only side that grows."""
    if (before and after) or not (before or after):
        return 0, length
    return (0, min(length, most)) if before else (max(length - most, 0), length)


outpaint = Task(_outpaint)
