"""Where a picture that anyone made comes from: the nearest patch of the source for each of its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.image import resize
from unica.patches.exact import Edges, posterior
from unica.patches.search import refine, upscale
from unica.pyramid import Scale, canvas_sizes

_SIGMA = 0.05  # of the exact coarsest level: the likeliest patch is the nearest
_FREE = Edges(rows=0.0, columns=0.0, outside=20.0)


@torch.no_grad()
def match(
    picture: Float[Tensor, "c h w"], scales: Sequence[Scale], patch: int = 7, passes: int = 4, jitter: int = 4
) -> Int[Tensor, "h w 2"]:
    """Row and column of each pixel's match: every patch is looked at on the coarsest level, a few near the coarser
    match on finer ones."""
    sizes = canvas_sizes((picture.shape[-2], picture.shape[-1]), [scale.size for scale in scales])
    field: Tensor | None = None
    for level, (scale, size) in enumerate(zip(scales, sizes)):
        seen = resize(picture[None], size)[0].clamp(-1, 1)
        if field is None:
            field = posterior(seen, scale, _SIGMA, patch, _FREE, overlap=1).field
        else:
            field = upscale(field, size, scales[level - 1].size, scale.size)
        field, _ = refine(seen, scale.pixels, scale, field, patch, passes, jitter, reach=jitter, seed=level)
    if field is None:
        raise ValueError("there is no level to look at")
    return field
