"""Honesty: how much of a picture is copied from the source, and how often the same patch is stamped.

All of them read a field: for each pixel of a picture, the row and column of the source pixel it comes from.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unica.patches.kernels import component_sizes

PATCH = 7
CONTRAST = 0.5  # a patch is verbatim if it differs by less than this share of its own contrast ...
GRAY_LEVELS = 4 * 2 / 255  # ... or by less than four gray levels: a JPEG of a copy is a copy
LEAST = 1 / 64  # of the picture: smaller verbatim regions are what any patch method is made of
TRANSLATIONS = 48  # the most frequent ones that are followed


class Copies(NamedTuple):
    share: float  # of the picture that lies in verbatim regions of at least LEAST of it
    largest: float  # the largest one, as a share of the picture


@torch.no_grad()
def copies(output: Float[Tensor, "c h w"], source: Float[Tensor, "c y x"], field: Int[Tensor, "h w 2"]) -> Copies:
    """A verbatim region is connected, and equals the source under one translation.

    "Equals": the RMSE of the patch around each pixel is below CONTRAST of the patch's deviation, or GRAY_LEVELS.
    The translations tried are the field's most frequent ones; a pixel belongs to the largest region there is.
    """
    height, width = output.shape[1:]
    contrast = _deviation(output)
    largest = torch.zeros(height, width, dtype=torch.int64)
    for shift in _translations(field):
        same = _verbatim(output, source, shift, contrast)
        if same.count_nonzero() >= LEAST * same.numel():
            largest = largest.maximum(component_sizes(same))
    kept = largest >= LEAST * largest.numel()
    return Copies(kept.float().mean().item(), largest.max().item() / largest.numel())


@torch.no_grad()
def repetition(field: Int[Tensor, "h w 2"], source: tuple[int, int]) -> float:
    """K sum_k (n_k / N)^2 over the K patches of the source, patch k being used by n_k of the N pixels.

    1: all are used equally. 2: the patch under a typical pixel is stamped twice as often as it should be.
    """
    height, width = source
    uses = torch.bincount((field[..., 0].long() * width + field[..., 1]).flatten(), minlength=height * width).double()
    return (uses.numel() * (uses / uses.sum()).square().sum()).item()


def _translations(field: Int[Tensor, "h w 2"]) -> list[tuple[int, int]]:
    """Source minus picture coordinates, the most frequent ones first."""
    height, width = field.shape[:2]
    i, j = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    shifts, counts = (
        torch.stack([field[..., 0] - i, field[..., 1] - j], -1).view(-1, 2).unique(dim=0, return_counts=True)
    )
    return [(int(a), int(b)) for a, b in shifts[counts.argsort(descending=True, stable=True)[:TRANSLATIONS]]]


def _verbatim(
    output: Float[Tensor, "c h w"],
    source: Float[Tensor, "c y x"],
    shift: tuple[int, int],
    contrast: Float[Tensor, "h w"],
) -> Bool[Tensor, "h w"]:
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
    """The standard deviation of the pixels of the patch around each one."""
    return torch.stack([(_blur(p.square()) - _blur(p).square()).clamp(min=0) for p in x]).mean(0).sqrt()


def _blur(x: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """The mean of the patch around each pixel, as far as there is one."""
    return F.avg_pool2d(x[None, None], PATCH, 1, PATCH // 2, count_include_pad=False)[0, 0]
