"""Statistics of pixels, relative to the source: how much samples vary, and how crisp they are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


class Spread:
    """The mean and the squared deviations from it of tensors that come one at a time (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, x: Tensor) -> None:
        self.count += 1
        off = x - self.mean
        self.mean = self.mean + off / self.count
        self.squares = self.squares + off * (x - self.mean)

    def variance(self, correction: int) -> Tensor:
        return torch.as_tensor(self.squares) / (self.count - correction)


def pixel_diversity(samples: Iterable[Float[Tensor, "b c h w"]], source: Float[Tensor, "1 c y x"]) -> float:
    """std over samples of each gray pixel, averaged over pixels, over the std of the source's gray pixels.

    "SinGAN" (Shaham et al., ICCV 2019), Sec. 3.1. Both are population deviations (divided by n).
    """
    spread = Spread()
    for batch in samples:
        for gray in _gray(batch):
            spread.add(gray)
    return (spread.variance(0).sqrt().mean() / _gray(source).std(correction=0)).item()


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
