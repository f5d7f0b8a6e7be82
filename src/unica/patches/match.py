"""Where the pixels of any picture come from: the nearest patch of the source for each of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.image import resize
from unica.patches.exact import Edges, posterior
from unica.patches.search import refine, upscale
from unica.pyramid import Scale, canvas_sizes, level_sizes, pyramid

_SIGMA = 0.05  # of the exact coarsest level: so little that the likeliest patch is the nearest one
_EDGES = Edges(rows=0.0, columns=0.0, outside=20.0)
_COARSEST_AREA = 3072  # pixels


def nearest_origins(x0: Float[Tensor, "c h w"], source: Float[Tensor, "k h2 w2"]) -> Int[Tensor, "h w 2"]:
    """Row and column in the source of the patch nearest to each pixel of a finished picture, on the CPU.

    Channels of x0 beyond those of the source are ignored.
    """
    sizes = level_sizes((source.shape[-2], source.shape[-1]), _COARSEST_AREA)
    return match(x0[: len(source)].clamp(-1, 1).cpu(), pyramid(source, None, sizes))


@torch.no_grad()
def match(
    picture: Float[Tensor, "c h w"], scales: Sequence[Scale], patch: int = 7, passes: int = 4, jitter: int = 4
) -> Int[Tensor, "h w 2"]:
    """Row and column in the source of the patch nearest to each pixel.

    The coarsest level compares all patches. Finer levels search near the coarser result.
    """
    sizes = canvas_sizes((picture.shape[-2], picture.shape[-1]), [scale.size for scale in scales])
    origins: Tensor | None = None
    for level, (scale, size) in enumerate(zip(scales, sizes)):
        x = resize(picture[None], size)[0].clamp(-1, 1)
        if origins is None:
            origins = posterior(x, scale, _SIGMA, patch, _EDGES, overlap=1).origins
        else:
            origins = upscale(origins, size, scales[level - 1].size, scale.size)
        origins, _ = refine(x, scale.pixels, scale, origins, patch, passes, jitter, reach=jitter, seed=level)
    if origins is None:
        raise ValueError("expected at least one scale")
    return origins
