"""How crisp a picture is, compared with its source."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unica.metrics.base import Sample, measure


def sharpness(output: Float[Tensor, "b c h w"], source: Float[Tensor, "1 c y x"]) -> float:
    """Mean gradient magnitude over that of the source. Below 1 the output is blurred, above 1 it is noisy."""
    return (_mean_gradient(output) / _mean_gradient(source)).item()


@measure(
    "sharpness",
    "honesty",
    "near 1",
    "sharpness over the source's",
    "mean gradient magnitude of the gray picture, over that of the source",
    captioned=True,
)
def _sharpness(sample: Sample) -> float:
    return sharpness(sample.pixels, sample.source.pixels)


def _mean_gradient(images: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    gray = images.mean(dim=1)
    down = gray[:, 1:, :-1] - gray[:, :-1, :-1]
    right = gray[:, :-1, 1:] - gray[:, :-1, :-1]
    return torch.hypot(down, right).mean()
