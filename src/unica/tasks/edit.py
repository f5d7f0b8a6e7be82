"""Parts of the picture are moved, copied, scaled or erased; holes are filled and borders healed, and the rest stays."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Boxes, Flag, Group, Numbers, Param, Placements, Whole
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.regions import Box, Region, corners
from unica.tasks.declare import CHANGING, Count, Dilate, Seed, task
from unica.tasks.region import Placement

if TYPE_CHECKING:
    from unica.masks import Mask
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame


def _planned(
    model: Model,
    move: Sequence[Placement],
    copy: Sequence[Placement],
    erase: Sequence[Box],
    where: Region | None,
    shift: Sequence[int] | None,
    leave: bool,
    dilate: int | None,
    seam: int | None,
    **_: Any,
) -> "tuple[Canvas, Mask]":
    """The canvas, and its holes: where something was that is drawn nowhere else."""
    import torch

    from unica.tasks.canvas import Canvas

    if where is None and (shift is not None or leave):
        raise UnicaError("shift moves what is marked; mark it with --mask, --mask-alpha, --box or --polygon")
    if not (move or copy or erase or where):
        raise UnicaError("nothing is to be done; give --move, --copy or --erase, or mark something, as with --mask")
    if leave and shift is None:
        raise UnicaError("leave needs a shift, or nothing would change")
    height, width = model.picture.pixels.shape[-2:]
    seam = min(max(round(min(height, width) / 50), 3), 64) if seam is None else seam
    holes = torch.zeros(1, height, width, dtype=torch.bool)
    marked = holes if where is None else where.on(model.picture, dilate)
    if not leave:
        holes = holes | marked
    for box, option in [*((box, "move") for box, _ in move), *((box, "erase") for box in erase)]:
        left, top, right, bottom = corners(box, model.picture, option)
        holes[:, top:bottom, left:right] = True
    new, canvas = holes.clone(), Canvas.of_source(model.picture)
    for (box, place), option in [*((put, "copy") for put in copy), *((put, "move") for put in move)]:
        canvas, new = _with_copy(model, canvas, new, box, place, option, seam)
    if shift is not None:
        canvas, new = _with_shifted(model, canvas, new, marked, shift, seam)
    if new.all():
        raise UnicaError("nothing of the picture would stay; move, copy or erase less")
    return replace(canvas, new=new.float()), holes


def _canvas(model: Model, **arguments: Any) -> "Canvas":
    return _planned(model, **arguments)[0]


@task(CHANGING, needs_source=True, preview=_canvas)
def edit(
    model: Model,
    move: Annotated[
        Sequence[Placement],
        Param(
            "A box, and where it goes: 10,20,64,48@100,20. It is scaled if a size follows, as 100,20,32,24."
            " May be repeated.",
            Placements(),
        ),
    ] = (),
    copy: Annotated[
        Sequence[Placement], Param("A box, and where a copy of it goes, as for move. May be repeated.", Placements())
    ] = (),
    erase: Annotated[Sequence[Box], Param("A box to erase and fill; may be repeated.", Boxes())] = (),
    where: Annotated[Region | None, Param("What is erased; with a shift it is moved instead.", Group(Region))] = None,
    shift: Annotated[
        Sequence[int] | None,
        Param(
            "Move what is marked by so many pixels to the right and down (-: left, up).",
            Numbers("X,Y", "40,-10"),
        ),
    ] = None,
    leave: Annotated[bool, Param("With a shift: copy what is marked, instead of moving it.", Flag())] = False,
    dilate: Dilate = None,
    seam: Annotated[
        int | None,
        Param(
            "Pixels on both sides of a border drawn anew (default: a fiftieth of the shorter side, 3 at least).",
            Whole(0, 64),
            advanced=True,
        ),
    ] = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Move, copy, scale or erase parts of the picture. The rest of it stays as it is, unlike in `region`.

    Boxes are in pixels of the picture as its file has it. What is put into a box of another size is scaled, and takes
    the tone of the ground there. What is marked, by a mask or in another way, is erased; or it is moved by a shift.
    """
    from unica.tasks.run import draw

    canvas, holes = _planned(model, move, copy, erase, where, shift, leave, dilate, seam)
    hiding = model.hiding(holes)
    return draw(hiding, hiding.run(canvas.size), count, seed, canvas=canvas)


def _with_copy(
    model: Model, canvas: "Canvas", new: "Mask", box: Box, place: Box, option: str, seam: int
) -> "tuple[Canvas, Mask]":
    """The canvas with a box of the source at another place, and what is new on it."""
    import torch

    from unica.pyramid import pyramid

    source = model.picture
    left, top, right, bottom = corners(box, source, option)
    x, y, x_end, y_end = corners(place, source, option)
    size = (y_end - y, x_end - x)
    pixels, alpha, origins = canvas.pixels.clone(), canvas.alpha, canvas.origins.clone()
    clear = None if source.alpha is None else source.alpha[:, top:bottom, left:right]
    (part,) = pyramid(source.pixels[:, top:bottom, left:right], clear, [size])
    pixels[:, y:y_end, x:x_end] = part.pixels
    if alpha is not None and part.alpha is not None:
        alpha = alpha.clone()
        alpha[:, y:y_end, x:x_end] = part.alpha
    rows, columns = (
        (first + (torch.arange(now) + 0.5) * (last - first) / now).int()
        for now, first, last in zip(size, (top, left), (bottom, right))
    )
    origins[y:y_end, x:x_end] = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    inside = torch.zeros_like(new)
    inside[:, y:y_end, x:x_end] = True
    return _put(canvas, new, replace(canvas, pixels=pixels, alpha=alpha, origins=origins), inside, seam, adapt=True)


def _with_shifted(
    model: Model, canvas: "Canvas", new: "Mask", marked: "Mask", shift: Sequence[int], seam: int
) -> "tuple[Canvas, Mask]":
    """The canvas with what is marked of the source at another place, and what is new on it. What leaves it is cut."""
    from unica.tasks.canvas import Canvas
    from unica.tone import is_cut_loosely

    if len(shift) != 2:
        raise UnicaError(f"shift must be two numbers, to the right and down, not {','.join(map(str, shift))}")
    (w0, h0), (w, h) = model.picture.original_size, model.picture.size
    right, down = round(shift[0] * w / w0), round(shift[1] * h / h0)
    rows, columns = slice(max(down, 0), min(h + down, h)), slice(max(right, 0), min(w + right, w))
    inside = marked.new_zeros(marked.shape)
    inside[:, rows, columns] = marked.roll((down, right), (1, 2))[:, rows, columns]
    if not inside.any():
        raise UnicaError(f"shift {shift[0]},{shift[1]} moves all that is marked out of the picture")
    source = Canvas.of_source(model.picture)
    return _put(
        canvas,
        new,
        replace(
            source,
            pixels=source.pixels.roll((down, right), (1, 2)),
            alpha=None if source.alpha is None else source.alpha.roll((down, right), (1, 2)),
            origins=source.origins.roll((down, right), (0, 1)),
        ),
        inside,
        seam,
        adapt=is_cut_loosely(source.pixels, marked),
    )


def _put(
    canvas: "Canvas", new: "Mask", part: "Canvas", inside: "Mask", seam: int, adapt: bool
) -> "tuple[Canvas, Mask]":
    """The canvas with what is inside taken from a part, and what is new on it: the border is, the rest of it is not.

    What has ground of its own around it adapts to the tone of the ground here, and its margin is new. What has not
    stays whole, and only the ground around it is new.
    """
    from unica.masks import grown
    from unica.tasks.canvas import Canvas
    from unica.tone import adapted

    border = grown(inside, seam) & (grown(~inside, seam) if adapt else ~inside)
    known = ~new if canvas.alpha is None else ~new & (canvas.alpha > 0)
    pixels = part.pixels.where(inside, canvas.pixels)
    pixels = adapted(pixels, canvas.pixels, inside, known) if adapt else pixels
    alpha = canvas.alpha if canvas.alpha is None or part.alpha is None else part.alpha.where(inside, canvas.alpha)
    origins = part.origins.where(inside.movedim(0, -1), canvas.origins)
    return Canvas(pixels, alpha, canvas.new, origins), (new & ~inside) | border
