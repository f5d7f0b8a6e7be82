"""The sliced Wasserstein distance between the patches of two pictures, at several scales.

"Wasserstein Barycenter and its Application to Texture Mixing" (Rabin et al., 2011); for generated ones,
"Progressive Growing of GANs" (Karras et al., 2018). Whole distributions are compared: a patch used too often counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.metrics.patches import SCALES, shrink

DIRECTIONS = 128
LIMIT = 10_000  # patches a picture and scale, about: from a regular grid


@torch.no_grad()
def sliced_wasserstein(
    output: Float[Tensor, "1 c h w"],
    source: Float[Tensor, "1 c y x"],
    patch: int = 7,
    scales: Sequence[float] = SCALES,
    directions: int = DIRECTIONS,
    limit: int = LIMIT,
) -> float:
    """√ E_θ W₂²(θ·p, θ·q) over random unit directions θ, averaged over the scales.

    W₂ of projections is the distance of their quantile functions. A shift of all values by d gives about d.
    """
    channels = output.shape[1]
    random = torch.Generator().manual_seed(0)
    theta = torch.randn(directions, channels, patch, patch, generator=random).to(output.device)
    theta = theta / torch.linalg.vector_norm(theta, dim=(1, 2, 3), keepdim=True)
    distances = []
    for scale in scales:
        ours, theirs = (_quantiles(shrink(image, scale), theta, limit) for image in (output, source))
        count = max(ours.shape[1], theirs.shape[1])
        distances.append((_resample(ours, count) - _resample(theirs, count)).square().mean().sqrt().item())
    return sum(distances) / len(distances)


def _quantiles(image: Float[Tensor, "1 c h w"], theta: Float[Tensor, "d c p p"], limit: int) -> Float[Tensor, "d n"]:
    """The sorted projections of the patches: a convolution."""
    stride = max(1, ceil(sqrt(image.shape[-2] * image.shape[-1] / limit)))
    return F.conv2d(image, theta, stride=stride)[0].flatten(1).sort(dim=1).values


def _resample(quantiles: Float[Tensor, "d n"], count: int) -> Float[Tensor, "d m"]:
    where = (torch.arange(count, device=quantiles.device) + 0.5) * (quantiles.shape[1] / count)
    return quantiles[:, where.long()]
