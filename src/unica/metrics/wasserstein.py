"""The sliced Wasserstein distance between the patches of two pictures, at several scales.

"Wasserstein barycenter and its application to texture mixing" (Rabin et al., SSVM 2011), of the 7x7 patches of a
pyramid as in "Progressive growing of GANs" (Karras et al., ICLR 2018), but in pixel values: nothing is normalized,
and a level is the picture shrunk. Unlike a distance to the nearest patch, it asks how often each patch appears.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unica.metrics.patches import SCALES, shrink, windows

CHUNK = 16  # directions at a time


@torch.no_grad()
def sliced_wasserstein(
    output: Float[Tensor, "b c h w"],
    source: Float[Tensor, "k c y x"],
    patch: int = 7,
    scales: Sequence[float] = SCALES,
    directions: int = 128,
    limit: int | None = 20000,
    seed: int = 0,
) -> float:
    """√ of the mean over unit directions θ of W₂²(θ·p, θ·q), averaged over the scales; p, q: patches of the two.

    In units of one value of a pixel: a picture d brighter is at |d| √ of the mean of (θ·1)², which is about |d|,
    and exactly where `directions` is a multiple of the c·patch² values of a patch. At most `limit` patches a
    picture and scale, drawn with `seed`; pictures of one size are drawn at the same positions.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = _axes(directions, source.shape[1] * patch * patch, generator).to(source)
    distances = []
    for scale in scales:
        ours, theirs = (_patches(shrink(image, scale), patch, limit, seed) for image in (output, source))
        costs = [_square_distance(_sorted(ours, some), _sorted(theirs, some)) for some in axes.split(CHUNK)]
        distances.append(torch.cat(costs).mean().sqrt())
    return torch.stack(distances).mean().item()


def _axes(count: int, dim: int, generator: torch.Generator) -> Float[Tensor, "k d"]:
    """Unit vectors, each uniform on the sphere, in orthogonal sets: fewer make as good a mean.

    "Orthogonal estimation of Wasserstein distances" (Rowland et al., AISTATS 2019).
    """
    frames = torch.linalg.qr(torch.randn(-(-count // dim), dim, dim, generator=generator)).Q
    return frames.mT.flatten(0, 1)[:count]


def _patches(images: Float[Tensor, "b c h w"], size: int, limit: int | None, seed: int) -> Float[Tensor, "n d"]:
    every = windows(images, size)
    count = every[..., 0, 0, 0].numel()
    if limit is None or limit >= count:
        return every.flatten(0, 2).flatten(1)
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:limit]
    return every[torch.unravel_index(drawn.to(images.device), every.shape[:3])].flatten(1)


def _sorted(patches: Float[Tensor, "n d"], axes: Float[Tensor, "k d"]) -> Float[Tensor, "k n"]:
    """Projections in order, by NumPy: its sort is many times faster than PyTorch's on a CPU."""
    return torch.from_numpy(np.sort((axes @ patches.mT).cpu().numpy(), axis=1))


def _square_distance(x: Float[Tensor, "k n"], y: Float[Tensor, "k m"]) -> Float[Tensor, " k"]:
    """W₂² = ∫₀¹ (F⁻¹(t) − G⁻¹(t))² dt of rows in order: the quantile functions step at i/n and j/m, so a sum."""
    n, m = x.shape[1], y.shape[1]
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # of pieces, times n·m
    widths = ends.diff(prepend=ends.new_zeros(1)).to(x) / (n * m)
    return (x[:, (ends - 1) // m] - y[:, (ends - 1) // n]).square() @ widths
