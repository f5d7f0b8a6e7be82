"""Parts of the picture are moved, copied, scaled or erased; holes are filled and borders healed, and the rest stays."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from unica.declare import Boxes, Param, Placements, Whole
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.regions import Box, corners
from unica.tasks.declare import CHANGING, Count, Seed, task
from unica.tasks.region import Placement

if TYPE_CHECKING:
    from unica.masks import Mask
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame


@task(CHANGING, needs_source=True)
def edit(
    model: Model,
    move: Annotated[Sequence[Placement], Param("A box, and where it goes; may be repeated.", Placements())] = (),
    copy: Annotated[
        Sequence[Placement], Param("A box, and where a copy of it goes; may be repeated.", Placements())
    ] = (),
    erase: Annotated[Sequence[Box], Param("A box to erase and fill; may be repeated.", Boxes())] = (),
    seam: Annotated[int, Param("Pixels on both sides of a border that are drawn anew.", Whole(0, 64))] = 3,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Move, copy, scale or erase parts of the picture. The rest stays as it is.

    Boxes are in pixels of the picture as its file has it. What is put into a box of another size is scaled, and takes
    the tone of the ground there.
    """
    import torch

    from unica.tasks.canvas import Canvas
    from unica.tasks.run import draw

    if not (move or copy or erase):
        raise UnicaError("nothing is to be done; say what with --move, --copy or --erase")
    height, width = model.picture.pixels.shape[-2:]
    holes = torch.zeros(1, height, width, dtype=torch.bool)
    for box, option in [*((box, "move") for box, _ in move), *((box, "erase") for box in erase)]:
        left, top, right, bottom = corners(box, model.picture, option)
        holes[:, top:bottom, left:right] = True
    new, canvas = holes.clone(), Canvas.of_source(model.picture)
    for (box, place), option in [*((put, "copy") for put in copy), *((put, "move") for put in move)]:
        canvas, new = _with_copy(model, canvas, new, box, place, option, seam)
    if new.all():
        raise UnicaError("nothing of the picture would stay; move, copy or erase less")
    hiding = model.hiding(holes)
    return draw(hiding, hiding.run((height, width)), count, seed, canvas=replace(canvas, new=new.float()))


def _with_copy(
    model: Model, canvas: "Canvas", new: "Mask", box: Box, place: Box, option: str, seam: int
) -> "tuple[Canvas, Mask]":
    """The canvas with a box of the source at another place, and what is new on it: the border is, the box is not."""
    import torch

    from unica.masks import grown
    from unica.pyramid import pyramid
    from unica.tasks.canvas import Canvas
    from unica.tone import adapted

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
    border = grown(inside, seam) & grown(~inside, seam)
    known = ~new if canvas.alpha is None else ~new & (canvas.alpha > 0)
    pixels = adapted(pixels, canvas.pixels, inside, known)
    return Canvas(pixels, alpha, canvas.new, origins), (new & ~inside) | border
