"""This picture, without a seam where it is repeated: what is near its edges is drawn anew on a torus."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Choice, Number, Param, Size
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.tasks.declare import CHANGING, Count, Feather, Seed, task
from unica.torus import Axes

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame
    from unica.tasks.sketch import Sketch


def seam(pixels: "Float[Tensor, 'c h w']", axis: str) -> float:
    """How much larger the step over an edge is than steps within the picture: 1 is no seam. The worse of two axes."""
    scores = []
    for name, dim in (("x", -1), ("y", -2)):
        if name in axis:
            over = (pixels.select(dim, 0) - pixels.select(dim, -1)).abs().mean()
            scores.append((over / pixels.diff(dim=dim).abs().mean().clamp_min(1e-6)).item())
    return max(scores)


def _notes(frame: "Frame", axis: str, **_: Any) -> Mapping[str, float]:
    """The seam of the source and of the result."""
    return {
        "seam_before": round(seam(frame.model.picture.pixels, axis), 2),
        "seam": round(seam(frame.pixels, axis), 2),
    }


def _margins(model: Model, size: tuple[int, int] | None) -> tuple[int, int, int, int]:
    """Pixels to add on the left, right, above and below."""
    if size is None:
        return 0, 0, 0, 0
    width, height = (now - before for now, before in zip(size, model.picture.size))
    if min(width, height) < 0:
        (w, h), (w0, h0) = size, model.picture.size
        raise UnicaError(f"size {w}x{h} is smaller than the picture, which has {w0}x{h0} pixels")
    return width // 2, width - width // 2, height // 2, height - height // 2


def _source(model: Model, axis: str, band: float, feather: int) -> "Canvas":
    """The source, of which the ends are new."""
    import torch

    from unica.tasks.canvas import Canvas

    width, height = model.picture.size
    new = torch.zeros(1, height, width, dtype=torch.bool)
    if "x" in axis:
        new[..., _ends(width, band)] = True
    if "y" in axis:
        new[:, _ends(height, band)] = True
    return Canvas.of_source(model.picture, new, feather)


def _canvas(model: Model, axis: str, size: tuple[int, int] | None, band: float, feather: int, **_: Any) -> "Canvas":
    return _source(model, axis, band, feather).extended(*_margins(model, size), feather)


def _sketch(model: Model, axis: Axes, size: tuple[int, int] | None, band: float, feather: int, **_: Any) -> "Sketch":
    from unica.tasks.run import canvas_size
    from unica.tasks.sketch import Inset, Sketch

    inset = Inset.of(_source(model, axis, band, feather), *_margins(model, size), feather)
    return Sketch(model.run(canvas_size(model, size, whole=False), axis), inset)


@task(CHANGING, needs_source=True, preview=_canvas, notes=_notes, sketch=_sketch)
def tile(
    model: Model,
    axis: Annotated[Axes, Param("Axes along which it repeats.", Choice("x", "y", "xy"))] = "xy",
    size: Annotated[
        tuple[int, int] | None,
        Param("Size of the result (default: the picture's); what is added around it is new.", Size()),
    ] = None,
    band: Annotated[
        float,
        Param("Share of a side that is drawn anew at each end.", Number(0, 0.5, above=True, below=True), advanced=True),
    ] = 0.12,
    feather: Feather = 4,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make this picture repeat without a seam, by drawing anew what is near its edges."""
    from unica.tasks.run import canvas_size, draw

    canvas_size(model, size)
    canvas = _canvas(model, axis, size, band, feather)
    return draw(model, model.run(canvas.size, axis), count, seed, canvas=canvas)


def _ends(length: int, band: float) -> list[int]:
    wide = max(round(length * band), 2)
    return [i for i in range(length) if i < wide or i >= length - wide]
