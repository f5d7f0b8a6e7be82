"""NIQE: how far the local statistics of one picture are from those of pristine photographs. Lower is better.

"Making a 'Completely Blind' Image Quality Analyzer" (Mittal, Soundararajan and Bovik, IEEE Signal Processing
Letters 2013). Every step is that of the authors' MATLAB release. The pristine model is theirs, too, as BasicSR
distributes it (Apache-2.0, `data/LICENSE.niqe`). One thing differs: the gray picture is the luma of `rgb2ycbcr`, not of
`rgb2gray`, as is usual in restoration.
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

from unica.metrics.base import Sample, measure, sample_side
from unica.metrics.frechet import Gaussian

BLOCK = 96
LUMA = (65481, 128553, 24966)  # of red, green and blue in 0..255, in 255 000ths above 16
HALVING = (-3, -9, 29, 111, 111, 29, -9, -3)  # in 256ths: Keys' cubic with a = -½ at ±¼, ±¾, ±1¼ and ±1¾
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
SHAPES = torch.arange(200, 10001, dtype=torch.float64) / 1000
ROUNDING = 1e-9  # smaller coefficients are rounding errors, and count as zero


class Pristine(NamedTuple):
    model: Gaussian
    window: Float[Tensor, "p p"]


class Asymmetric(NamedTuple):
    """Generalized Gaussians of density ∝ exp(−(|x| / β)^α), where β is `left` below zero and `right` above."""

    shape: Float[Tensor, "*n"]
    left: Float[Tensor, "*n"]
    right: Float[Tensor, "*n"]


@lru_cache(maxsize=1)
def pristine() -> Pristine:
    """The release's model of 125 photographs, and its window: 7x7, Gaussian, σ = 7/6."""
    with (files("unica.metrics") / "data" / "niqe_pris_params.npz").open("rb") as file, np.load(file) as arrays:
        names = ("mu_pris_param", "cov_pris_param", "gaussian_window")
        mean, cov, window = (torch.from_numpy(arrays[name]) for name in names)
    return Pristine(Gaussian(mean[0], cov), window)


@torch.no_grad()
def niqe(image: Float[Tensor, "1 c h w"]) -> float:
    """√((μ − ν)ᵀ ((C + D) / 2)⁺ (μ − ν)): from the Gaussian of the features of 96x96 blocks to the pristine one.

    Computed in float64 from 8-bit values. Pixels beyond the last whole block are ignored. A flat block lacks some
    features: μ ignores these features of it, and C ignores the block. The result is always a number, also where
    MATLAB gives NaN: C is zero if there are fewer than two blocks, and a feature that no block has is zero.
    """
    if min(image.shape[-2:]) < BLOCK:
        raise ValueError(f"no {BLOCK}x{BLOCK} block fits in {image.shape[-1]}x{image.shape[-2]} pixels")
    model, window = pristine()
    height, width = (side // BLOCK * BLOCK for side in image.shape[-2:])
    gray = luma(image)[..., :height, :width]
    pyramid = ((gray, BLOCK), (halved(gray), BLOCK // 2))
    features = [block_features(_blocks(normalized(x, window), size)) for x, size in pyramid]
    mean, cov = _gaussian(torch.cat(features, dim=1))
    difference = mean - model.mean
    square = difference @ torch.linalg.pinv((cov + model.cov) / 2, hermitian=True) @ difference
    return square.clamp(min=0).sqrt().item()


@measure(
    "niqe",
    "quality",
    "lower",
    "NIQE",
    f"as the authors' MATLAB release computes it; needs sides of at least {BLOCK} pixels",
    needs=(sample_side(BLOCK),),
    captioned=True,
)
def _niqe(sample: Sample) -> float:
    return niqe(sample.pixels)


def luma(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """Y in 16..235 of the 8-bit values, rounded to a whole number. Integer arithmetic, so that halves round up."""
    values = (image.cpu().double().expand(-1, 3, -1, -1) * 127.5 + 127.5).round().clamp(0, 255)
    weighted = torch.einsum("bchw,c->bhw", values, values.new_tensor(LUMA))[:, None]
    return ((weighted + 127500) / 255000).floor() + 16


def halved(images: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 y x"]:
    """MATLAB's `imresize(images, 0.5)` for even sides: antialiased cubic, mirrored at the borders."""
    return _halved_width(_halved_width(images).mT).mT


def _halved_width(images: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h x"]:
    mirrored = torch.cat([images[..., :3].flip(-1), images, images[..., -3:].flip(-1)], dim=-1)
    return F.conv2d(mirrored, images.new_tensor([[[HALVING]]]) / 256, stride=(1, 2))


def normalized(images: Float[Tensor, "b 1 h w"], window: Float[Tensor, "p p"]) -> Float[Tensor, "b 1 h w"]:
    """(x − μ) / (σ + 1), with the mean and standard deviation under the window; exactly 0 on flat ground."""
    padded = F.pad(images, [len(window) // 2] * 4, mode="replicate")
    mean, square = (F.conv2d(x, window[None, None]) for x in (padded, padded.square()))
    coefficients = (images - mean) / ((square - mean.square()).abs().sqrt() + 1)
    return coefficients.where(coefficients.abs() > ROUNDING, 0)


def block_features(blocks: Float[Tensor, "n p p"]) -> Float[Tensor, "n 18"]:
    """18 features of each block: shape and mean scale of its coefficients; and of their products with each of four
    neighbours, shape, mean and both scales."""
    shape, left, right = fit_asymmetric(blocks.flatten(1))
    products = torch.stack([blocks * blocks.roll(shift, dims=(1, 2)) for shift in NEIGHBOURS], dim=1)
    shapes, lefts, rights = fit_asymmetric(products.flatten(2))
    means = (rights - lefts) * (torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes)).exp()
    pairs = torch.stack([shapes, means, lefts, rights], dim=-1)
    return torch.cat([torch.stack([shape, (left + right) / 2], dim=-1), pairs.flatten(1)], dim=1)


def fit_asymmetric(x: Float[Tensor, "*n p"]) -> Asymmetric:
    """Fit by moments: the shape α whose Γ(2/α)² / (Γ(1/α) Γ(3/α)) is nearest to (E|x|)² / E x² of the samples.

    "Multiscale skewed heavy tailed model for texture analysis" (Lasmar, Stitou and Berthoumieu, ICIP 2009). If no
    sample is below zero, or none above, then the scales are NaN and the shape is the smallest.
    """
    square = x.square()
    left, right = ((square * side).sum(dim=-1).div(side.sum(dim=-1)).sqrt() for side in (x < 0, x > 0))
    skew = left / right
    ratio = x.abs().mean(dim=-1).square() / square.mean(dim=-1)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew.square() + 1).square()
    one, two, three = (torch.lgamma(k / SHAPES) for k in (1, 2, 3))
    ratios = (2 * two - one - three).exp()
    shape = SHAPES[torch.bucketize(ratio.nan_to_num(0), (ratios[1:] + ratios[:-1]) / 2)]
    scale = ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()
    return Asymmetric(shape, left * scale, right * scale)


def _blocks(images: Float[Tensor, "b 1 h w"], size: int) -> Float[Tensor, "n p p"]:
    return images.unfold(2, size, size).unfold(3, size, size).flatten(0, 3)


def _gaussian(features: Float[Tensor, "n d"]) -> Gaussian:
    complete = features[~features.isnan().any(dim=1)]
    centred = complete - complete.mean(dim=0)
    return Gaussian(features.nanmean(dim=0).nan_to_num(0), centred.T @ centred / max(len(complete) - 1, 1))
