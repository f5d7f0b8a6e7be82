"""How much of a picture is copied from the source, and how often the same patch is repeated.

Both read the picture's origins: for each pixel, the row and column of the source pixel that it comes from.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unica.metrics.base import Sample, measure
from unica.patches.kernels import component_sizes

PATCH = 7
CONTRAST = 0.5  # a patch is verbatim if it differs by less than this share of its own contrast ...
GRAY_LEVELS = 4 * 2 / 255  # ... or by less than four gray levels, so that a JPEG of a copy is a copy
LEAST = 1 / 64  # of the picture; smaller verbatim regions do not count: every picture made of patches has them
TRANSLATIONS = 48  # how many of the most frequent translations are tried


class Copies(NamedTuple):
    share: float  # of the picture that lies in verbatim regions of at least LEAST of it
    largest: float  # the largest of them, as a share of the picture


@torch.no_grad()
def copies(output: Float[Tensor, "c h w"], source: Float[Tensor, "c y x"], origins: Int[Tensor, "h w 2"]) -> Copies:
    """How much of a picture lies in verbatim regions. Such a region is connected, and is the source moved once.

    A pixel is verbatim under a translation if the RMSE of the patch around it is below CONTRAST of the patch's
    standard deviation, or below GRAY_LEVELS. The translations tried are the most frequent ones of the origins. A
    pixel counts in the largest region that it belongs to.
    """
    height, width = output.shape[1:]
    contrast = _deviation(output)
    largest = torch.zeros(height, width, dtype=torch.int64)
    for shift in _translations(origins):
        same = _verbatim(output, source, shift, contrast)
        if same.count_nonzero() >= LEAST * same.numel():
            largest = largest.maximum(component_sizes(same))
    kept = largest >= LEAST * largest.numel()
    return Copies(kept.float().mean().item(), largest.max().item() / largest.numel())


@torch.no_grad()
def repetition(origins: Int[Tensor, "h w 2"], source: tuple[int, int]) -> float:
    """K sum_k (n_k / N)^2 over the K patches of the source, where n_k of the N pixels use patch k.

    It is 1 if all patches are used equally often, and 2 if the patch under a typical pixel is used twice as often.
    """
    height, width = source
    uses = torch.bincount(
        (origins[..., 0].long() * width + origins[..., 1]).flatten(), minlength=height * width
    ).double()
    return (uses.numel() * (uses / uses.sum()).square().sum()).item()


def _copies(sample: Sample) -> Copies:
    return copies(sample.pixels[0], sample.source.pixels[0], sample.origins)


@measure(
    "copied",
    "honesty",
    "",
    "share in verbatim regions",
    "share of the pixels in connected regions that are the source under one translation, each at least 1/64 of the"
    " picture",
)
def _copied(sample: Sample) -> float:
    return sample.once(_copies).share


@measure(
    "largest_copy",
    "honesty",
    "lower",
    "largest verbatim region",
    "the largest such region, as a share of the picture",
    captioned=True,
)
def _largest_copy(sample: Sample) -> float:
    return sample.once(_copies).largest


@measure(
    "repetition",
    "honesty",
    "near 1",
    "repetition of patches",
    "K Σ (n_k / N)² over the K patches of the source, where n_k of the N pixels have patch k nearest;"
    " 1 if all are used equally often",
    captioned=True,
)
def _repetition(sample: Sample) -> float:
    return repetition(sample.origins, sample.source.size)


def _translations(origins: Int[Tensor, "h w 2"]) -> list[tuple[int, int]]:
    """Source minus picture coordinates, the most frequent first."""
    height, width = origins.shape[:2]
    i, j = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    shifts, counts = (
        torch.stack([origins[..., 0] - i, origins[..., 1] - j], -1).view(-1, 2).unique(dim=0, return_counts=True)
    )
    return [(int(a), int(b)) for a, b in shifts[counts.argsort(descending=True, stable=True)[:TRANSLATIONS]]]


def _verbatim(
    output: Float[Tensor, "c h w"],
    source: Float[Tensor, "c y x"],
    shift: tuple[int, int],
    contrast: Float[Tensor, "h w"],
) -> Bool[Tensor, "h w"]:
    """Which pixels are verbatim under one translation."""
    rows = [max(0, -shift[0]), min(output.shape[1], source.shape[1] - shift[0])]
    columns = [max(0, -shift[1]), min(output.shape[2], source.shape[2] - shift[1])]
    same = torch.zeros_like(contrast, dtype=torch.bool)
    if min(rows[1] - rows[0], columns[1] - columns[0]) < PATCH:
        return same
    here = (slice(*rows), slice(*columns))
    there = (slice(rows[0] + shift[0], rows[1] + shift[0]), slice(columns[0] + shift[1], columns[1] + shift[1]))
    error = _blur((output[(slice(None), *here)] - source[(slice(None), *there)]).square().mean(0)).sqrt()
    same[here] = error <= (CONTRAST * contrast[here]).clamp(min=GRAY_LEVELS)
    return same


def _deviation(x: Float[Tensor, "c h w"]) -> Float[Tensor, "h w"]:
    """The standard deviation of the patch around each pixel."""
    return torch.stack([(_blur(p.square()) - _blur(p).square()).clamp(min=0) for p in x]).mean(0).sqrt()


def _blur(x: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """The mean of the patch around each pixel. At the border, of the part that is inside the picture."""
    return F.avg_pool2d(x[None, None], PATCH, 1, PATCH // 2, count_include_pad=False)[0, 0]
