"""Statistics of pixels, relative to the source: how much samples vary, and how crisp they are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def pixel_diversity(samples: Float[Tensor, "b c h w"], source: Float[Tensor, "1 c y x"]) -> float:
    """std over samples of each gray pixel, averaged over pixels, over the std of the source's gray pixels.

    "SinGAN" (Shaham et al., ICCV 2019), Sec. 3.1. Both are population deviations (divided by n).
    """
    spread = _gray(samples).std(dim=0, correction=0).mean()
    return (spread / _gray(source).std(correction=0)).item()


def sharpness(output: Float[Tensor, "b c h w"], source: Float[Tensor, "1 c y x"]) -> float:
    """Mean gradient magnitude over the source's: below 1 is blurred, above 1 is noisy."""
    return (_mean_gradient(output) / _mean_gradient(source)).item()


def _gray(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b h w"]:
    return images.mean(dim=1)


def _mean_gradient(images: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    gray = _gray(images)
    down = gray[:, 1:, :-1] - gray[:, :-1, :-1]
    right = gray[:, :-1, 1:] - gray[:, :-1, :-1]
    return torch.hypot(down, right).mean()
