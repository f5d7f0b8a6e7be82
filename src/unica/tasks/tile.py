"""This picture, without a seam where it is repeated: what is near its edges is drawn anew on a torus."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from unica.errors import UnicaError
from unica.model import Model
from unica.tasks.given import check_feather, given
from unica.tasks.task import Frame, Task, check_run, check_source, draw
from unica.tasks.unconditional import axes


def _tile(
    model: Model, axis: str = "xy", band: float = 0.12, feather: int = 4, count: int = 1, seed: int = 0
) -> Iterator[Frame]:
    """So that edges meet along x, y or both. A share `band` of a side is drawn anew at each of its ends; the rest stays
    as it is, but for `feather` pixels."""
    check_run(count, seed)
    check_source(model)
    check_feather(feather)
    wrap = axes(axis, "axis")
    if not wrap:
        raise UnicaError("axis must be x, y or xy")
    if not 0 < band < 0.5:
        raise UnicaError(f"band must lie between 0 and 0.5 of a side, not {band:g}")
    width, height = model.picture.size
    free = torch.zeros(1, height, width, dtype=torch.bool)
    if "x" in wrap:
        free[..., _ends(width, band)] = True
    if "y" in wrap:
        free[:, _ends(height, band)] = True
    return draw(model, model.levels((height, width), wrap), count, seed, given=given(model.picture, free, feather))


def _ends(length: int, band: float) -> list[int]:
    wide = max(round(length * band), 2)
    return [i for i in range(length) if i < wide or i >= length - wide]


def seam(pixels: Float[Tensor, "c h w"], axis: str) -> float:
    """How much larger the step over the edge is than steps within the picture: 1 is no seam. The worse of two axes."""
    scores = []
    for name, dim in (("x", -1), ("y", -2)):
        if name in axis:
            over = (pixels.select(dim, 0) - pixels.select(dim, -1)).abs().mean()
            scores.append((over / pixels.diff(dim=dim).abs().mean().clamp_min(1e-6)).item())
    return max(scores)


tile = Task(_tile)
