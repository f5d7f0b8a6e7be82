"""How much the pixels of samples vary."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from unica.metrics.base import ONE_SIZE, SampleSet, at_least, measure


class RunningVariance:
    """Mean and variance of tensors that come one at a time (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0  # sum of squared deviations from the mean

    def add(self, x: Tensor) -> None:
        self.count += 1
        off = x - self.mean
        self.mean = self.mean + off / self.count
        self.squares = self.squares + off * (x - self.mean)

    def variance(self, correction: int) -> Tensor:
        """The sum of squared deviations over (count - correction)."""
        return torch.as_tensor(self.squares) / (self.count - correction)


def pixel_diversity(samples: Iterable[Float[Tensor, "b c h w"]], source: Float[Tensor, "1 c y x"]) -> float:
    """Standard deviation over samples of each gray pixel, averaged over pixels, over that of the source's gray pixels.

    "SinGAN" (Shaham et al., ICCV 2019), Sec. 3.1. Both are population deviations (divided by n).
    """
    running = RunningVariance()
    for batch in samples:
        for gray in batch.mean(dim=1):
            running.add(gray)
    return (running.variance(0).sqrt().mean() / source.mean(dim=1).std(correction=0)).item()


@measure(
    "pixel_diversity",
    "diversity",
    "higher",
    "pixel diversity (SinGAN)",
    "standard deviation over samples of each gray pixel, averaged over pixels, over that of the source's gray pixels",
    of="set",
    needs=(at_least(2), ONE_SIZE),
)
def _pixel_diversity(samples: SampleSet) -> float:
    return pixel_diversity(samples.images, samples.source.pixels)
