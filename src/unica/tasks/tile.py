"""This picture, without a seam where it is repeated: what is near its edges is drawn anew on a torus."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Choice, Number, Param
from unica.engines.base import Model
from unica.tasks.declare import CHANGING, Count, Feather, Seed, task
from unica.torus import Axes

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame


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


def _canvas(model: Model, axis: str, band: float, feather: int, **_: Any) -> "Canvas":
    import torch

    from unica.tasks.canvas import Canvas

    width, height = model.picture.size
    new = torch.zeros(1, height, width, dtype=torch.bool)
    if "x" in axis:
        new[..., _ends(width, band)] = True
    if "y" in axis:
        new[:, _ends(height, band)] = True
    return Canvas.of_source(model.picture, new, feather)


@task(CHANGING, needs_source=True, preview=_canvas, notes=_notes)
def tile(
    model: Model,
    axis: Annotated[Axes, Param("Axes along which it repeats.", Choice("x", "y", "xy"))] = "xy",
    band: Annotated[
        float,
        Param("Share of a side that is drawn anew at each end.", Number(0, 0.5, above=True, below=True), advanced=True),
    ] = 0.12,
    feather: Feather = 4,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make this picture repeat without a seam, by drawing anew what is near its edges."""
    from unica.tasks.run import draw

    canvas = _canvas(model, axis, band, feather)
    return draw(model, model.run(canvas.size, axis), count, seed, canvas=canvas)


def _ends(length: int, band: float) -> list[int]:
    wide = max(round(length * band), 2)
    return [i for i in range(length) if i < wide or i >= length - wide]
