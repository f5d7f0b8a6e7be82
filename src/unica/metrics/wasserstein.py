"""The sliced Wasserstein distance between the patches of two pictures, at several scales.

"Wasserstein barycenter and its application to texture mixing" (Rabin et al., SSVM 2011), on the 7x7 patches of a
pyramid as in "Progressive growing of GANs" (Karras et al., ICLR 2018). Unlike there, patches are not normalized, and a
level is the picture shrunk. Unlike a distance to the nearest patch, this one also compares how often patches appear.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unica.metrics.base import Sample, measure
from unica.metrics.patches import SCALES, resized, windows

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
    """√ of the mean over unit directions θ of W₂²(θ·p, θ·q), averaged over the scales; p and q are the patches.

    The unit is that of pixel values. A picture that is d brighter has a distance of about |d|, and of exactly |d| if
    `directions` is a multiple of the c·patch² values of a patch. At most `limit` patches of each picture and scale
    are used. `seed` draws them, at the same positions in pictures of the same size.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = _axes(directions, source.shape[1] * patch * patch, generator).to(source)
    distances = []
    for scale in scales:
        ours, theirs = (_patches(resized(image, scale), patch, limit, seed) for image in (output, source))
        costs = [_square_distance(_sorted(ours, some), _sorted(theirs, some)) for some in axes.split(CHUNK)]
        distances.append(torch.cat(costs).mean().sqrt())
    return torch.stack(distances).mean().item()


@measure(
    "swd",
    "fidelity",
    "lower",
    "sliced Wasserstein of patches",
    "W₂ between the 7x7 patches, projected on 128 directions: root mean square over the directions, mean over the"
    " scales 1, 1/2 and 1/4",
)
def _swd(sample: Sample) -> float:
    return sliced_wasserstein(sample.pixels, sample.source.pixels)


def _axes(count: int, dim: int, generator: torch.Generator) -> Float[Tensor, "k d"]:
    """Random unit vectors in orthogonal sets, which need fewer directions for the same precision.

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
    """Sorted projections. NumPy sorts many times faster than PyTorch on a CPU."""
    return torch.from_numpy(np.sort((axes @ patches.mT).cpu().numpy(), axis=1))


def _square_distance(x: Float[Tensor, "k n"], y: Float[Tensor, "k m"]) -> Float[Tensor, " k"]:
    """W₂² = ∫₀¹ (F⁻¹(t) − G⁻¹(t))² dt of sorted rows. The quantile functions are steps, so the integral is a sum."""
    n, m = x.shape[1], y.shape[1]
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # of the steps, times n·m
    widths = ends.diff(prepend=ends.new_zeros(1)).to(x) / (n * m)
    return (x[:, (ends - 1) // m] - y[:, (ends - 1) // n]).square() @ widths
