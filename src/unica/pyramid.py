"""One picture at several sizes. Pure: nothing is written anywhere."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unica.image import resize

Size = tuple[int, int]  # height, width


class Scale(NamedTuple):
    """The source at one size, and where it can be seen: hidden pixels are never sampled from."""

    pixels: Float[Tensor, "c h w"]
    alpha: Float[Tensor, "1 h w"] | None
    visible: Bool[Tensor, "h w"]

    @property
    def size(self) -> Size:
        return self.pixels.shape[-2], self.pixels.shape[-1]


def level_sizes(size: Size, coarsest_area: int, levels: int | None = None) -> list[Size]:
    """Sizes from coarse to fine. The coarsest has about `coarsest_area` pixels; neighbours differ by about 2 a side,
    or by what it takes to have `levels` of them."""
    height, width = size
    shrink = max(math.sqrt(height * width / coarsest_area), 1.0)
    count = levels or round(math.log2(shrink)) + 1
    steps = [shrink ** (1 - i / (count - 1)) for i in range(count)] if count > 1 else [1.0]
    return [(max(round(height / step), 4), max(round(width / step), 4)) for step in steps]


def canvas_sizes(size: Size, source: list[Size]) -> list[Size]:
    """Sizes of a canvas at each level of a source: the finest is `size`, things keep their size in pixels."""
    full = source[-1]
    coarser = [tuple(max(round(want * level / of), 4) for want, level, of in zip(size, s, full)) for s in source[:-1]]
    return [*((height, width) for height, width in coarser), size]


def pyramid(pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None, sizes: list[Size]) -> list[Scale]:
    """The source at `sizes`. Colour is weighted by alpha, so that what is hidden never leaks."""
    return [_scale(pixels, alpha, size) for size in sizes]


def _scale(pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None, size: Size) -> Scale:
    if alpha is None:
        small = resize(pixels[None], size)[0].clamp(-1, 1)
        return Scale(small, None, torch.ones(size, dtype=torch.bool, device=pixels.device))
    if size == pixels.shape[-2:]:
        return Scale(pixels, alpha, alpha[0] > 0)
    weight = resize(alpha[None], size, "bilinear")[0]
    small = resize((pixels * alpha)[None], size, "bilinear")[0] / weight.clamp_min(1e-6)
    return Scale(small.clamp(-1, 1), weight.clamp(0, 1), weight[0] > 0.5 / 255)
