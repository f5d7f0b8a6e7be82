"""NIQE: how unlike a natural photograph a picture's local statistics are; no reference, lower is better.

"Making a 'Completely Blind' Image Quality Analyzer" (Mittal, Soundararajan & Bovik, 2013), step by step as the authors'
MATLAB: luma of BT.601 from 16 to 235, blocks of 96 pixels at two scales, 18 features each. The model of pristine
photographs is the authors', as BasicSR distributes it (Apache-2.0, `data/LICENSE.niqe`).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

BLOCK = 96
_LUMA = (65.481, 128.553, 24.966)
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # of the neighbours that are multiplied


class _Pristine(NamedTuple):
    mean: Float[Tensor, " d"]
    cov: Float[Tensor, "d d"]
    window: Float[Tensor, "k k"]


@torch.no_grad()
def niqe(image: Float[Tensor, "1 c h w"]) -> float:
    """√((μ₁ − μ₂)ᵀ ((Σ₁ + Σ₂) / 2)⁺ (μ₁ − μ₂)) of the features of the blocks and of pristine photographs.

    A picture of a single block has no covariance, and a flat block no features: neither then counts.
    """
    rows, columns = (side // BLOCK for side in image.shape[-2:])
    if not rows * columns:
        raise ValueError(f"NIQE needs {BLOCK} pixels a side, not {image.shape[-1]}x{image.shape[-2]}")
    pristine = _pristine()
    luma = _luma(image)[..., : rows * BLOCK, : columns * BLOCK]
    coarse = _half(_half(luma).mT).mT
    features = torch.cat([_features(x, side, pristine.window) for x, side in ((luma, BLOCK), (coarse, BLOCK // 2))], 1)
    mean = features.nanmean(0).nan_to_num()
    whole = features[~features.isnan().any(1)]
    cov = whole.T.cov() if len(whole) > 1 else torch.zeros_like(pristine.cov)
    off = mean - pristine.mean
    return (off @ torch.linalg.pinv((pristine.cov + cov) / 2, hermitian=True) @ off).clamp(min=0).sqrt().item()


@lru_cache(maxsize=1)
def _pristine() -> _Pristine:
    with (files("unica.metrics") / "data" / "niqe_pris_params.npz").open("rb") as file, np.load(file) as data:
        names = ("mu_pris_param", "cov_pris_param", "gaussian_window")
        mean, cov, window = (torch.from_numpy(data[name]).double() for name in names)
    return _Pristine(mean.flatten(), cov, window)


def _luma(image: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 1 h w"]:
    """Whole numbers, of the picture's 8-bit values."""
    eight = ((image.double().expand(-1, 3, -1, -1) + 1) * 127.5).round().clamp(0, 255) / 255
    weights = torch.tensor(_LUMA, dtype=torch.float64).view(3, 1, 1)
    return ((eight * weights).sum(1, keepdim=True) + 16).round()


def _half(x: Float[Tensor, "1 1 h w"]) -> Float[Tensor, "1 1 h w2"]:
    """Half the width as MATLAB's imresize has it: an antialiased cubic, the border mirrored."""
    t = (torch.arange(8, dtype=torch.float64) - 3.5).abs() / 2
    inner, outer = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    kernel = torch.where(t <= 1, inner, outer)
    x = torch.cat([x[..., :3].flip(-1), x, x[..., -3:].flip(-1)], -1)
    return F.conv2d(x, (kernel / kernel.sum()).view(1, 1, 1, 8), stride=(1, 2))


def _features(x: Float[Tensor, "1 1 h w"], side: int, window: Float[Tensor, "k k"]) -> Float[Tensor, "blocks 18"]:
    """Of normalised pixels: the shape and scale of their distribution, and of products with four neighbours."""
    blocks = F.unfold(_normalised(x, window), side, stride=side)[0].T.view(-1, side, side)
    shape, left, right = _asymmetric(blocks)
    columns = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = _asymmetric(blocks * blocks.roll(shift, (1, 2)))
        centre = (right - left) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
        columns += [shape, centre, left, right]
    return torch.stack(columns, 1)


def _normalised(x: Float[Tensor, "1 1 h w"], window: Float[Tensor, "k k"]) -> Float[Tensor, "1 1 h w"]:
    """(x − μ) / (σ + 1) with the local mean and deviation."""
    pad = [window.shape[0] // 2] * 4

    def blur(y: Tensor) -> Tensor:
        return F.conv2d(F.pad(y, pad, mode="replicate"), window[None, None])

    mean = blur(x)
    return (x - mean) / ((blur(x * x) - mean * mean).abs().sqrt() + 1)


def _asymmetric(blocks: Float[Tensor, "n k k"]) -> tuple[Tensor, Tensor, Tensor]:
    """The asymmetric generalised Gaussian with the blocks' moments: its shape, left and right scale."""
    x = blocks.flatten(1)
    left, right = (_rms(x, side) for side in (x < 0, x > 0))
    ratio = left / right
    moments = x.abs().mean(1).square() / x.square().mean(1)
    wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio.square() + 1).square()
    shapes = torch.arange(200, 10001, dtype=torch.float64) / 1000
    of_shape = (2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)).exp()
    shape = shapes[(of_shape - wanted[:, None]).square().argmin(1)]
    shape = torch.where(wanted.isnan(), torch.nan, shape)
    scale = (0.5 * (torch.lgamma(1 / shape) - torch.lgamma(3 / shape))).exp()
    return shape, left * scale, right * scale


def _rms(x: Float[Tensor, "n k"], chosen: Tensor) -> Float[Tensor, " n"]:
    return ((x.square() * chosen).sum(1) / chosen.sum(1)).sqrt()
