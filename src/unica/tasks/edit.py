"""Parts of the picture moved, copied, scaled or erased: what they leave is filled, seams are healed, the rest stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from unica.errors import UnicaError
from unica.model import Model
from unica.pyramid import pyramid
from unica.regions import Box, corners, grown
from unica.tasks.given import Given, given
from unica.tasks.region import Put
from unica.tasks.task import Frame, Task, check_run, check_source, draw
from unica.tone import adapted


def _edit(
    model: Model,
    move: Sequence[Put] = (),
    copy: Sequence[Put] = (),
    erase: Sequence[Box] = (),
    seam: int = 3,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """Boxes in pixels of the picture as its file has it; what lands on another size is scaled, and takes the tone of
    the ground there. Erased and vacated boxes are drawn anew, and `seam` pixels on both sides of the border of what was
    put somewhere."""
    check_run(count, seed)
    check_source(model)
    if not (move or copy or erase):
        raise UnicaError("nothing is to be done; say what with --move, --copy or --erase")
    if not 0 <= seam <= 64:
        raise UnicaError(f"seam must lie between 0 and 64 pixels, not {seam}")
    height, width = model.picture.pixels.shape[-2:]
    holes = torch.zeros(1, height, width, dtype=torch.bool)
    for box, option in [*((box, "move") for box, _ in move), *((box, "erase") for box in erase)]:
        left, top, right, bottom = corners(box, model.picture, option)
        holes[:, top:bottom, left:right] = True
    free, edited = holes.clone(), given(model.picture)
    for (box, place), option in [*((put, "copy") for put in copy), *((put, "move") for put in move)]:
        edited, free = _put(model, edited, free, box, place, option, seam)
    if free.all():
        raise UnicaError("nothing of the picture would stay; move, copy or erase less")
    edited = replace(edited, share=free.float())
    return draw(model.without(holes), model.levels((height, width)), count, seed, given=edited)


def _put(
    model: Model, onto: Given, free: torch.Tensor, box: Box, place: Box, option: str, seam: int
) -> tuple[Given, torch.Tensor]:
    source = model.picture
    left, top, right, bottom = corners(box, source, option)
    x, y, x_end, y_end = corners(place, source, option)
    size = (y_end - y, x_end - x)
    canvas, alpha, origins = onto.pixels.clone(), onto.alpha, onto.origins.clone()
    clear = None if source.alpha is None else source.alpha[:, top:bottom, left:right]
    (part,) = pyramid(source.pixels[:, top:bottom, left:right], clear, [size])
    canvas[:, y:y_end, x:x_end] = part.pixels
    if alpha is not None and part.alpha is not None:
        alpha = alpha.clone()
        alpha[:, y:y_end, x:x_end] = part.alpha
    rows, columns = (
        (first + (torch.arange(now) + 0.5) * (last - first) / now).int()
        for now, first, last in zip(size, (top, left), (bottom, right))
    )
    origins[y:y_end, x:x_end] = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    inside = torch.zeros_like(free)
    inside[:, y:y_end, x:x_end] = True
    border = grown(inside, seam) & grown(~inside, seam)
    known = ~free if onto.alpha is None else ~free & (onto.alpha > 0)
    canvas = adapted(canvas, onto.pixels, inside, known)
    return Given(canvas, alpha, onto.share, origins), (free & ~inside) | border


edit = Task(_edit)
