"""One picture at several sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unica.image import Resampling, resize

Size = tuple[int, int]  # height, width


class Scale(NamedTuple):
    """The source at one size. Nothing is drawn from pixels that are not visible."""

    pixels: Float[Tensor, "c h w"]
    alpha: Float[Tensor, "1 h w"] | None
    visible: Bool[Tensor, "h w"]
    smooth: Bool[Tensor, " c"] | None = None  # which channels may have values between those of the source; None: all

    @property
    def size(self) -> Size:
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def to(self, device: torch.device) -> Scale:
        alpha, smooth = (None if part is None else part.to(device) for part in (self.alpha, self.smooth))
        return Scale(self.pixels.to(device), alpha, self.visible.to(device), smooth)


def level_sizes(size: Size, coarsest_area: int, levels: int | None = None) -> list[Size]:
    """Sizes from coarse to fine; the coarsest has about `coarsest_area` pixels.

    Each side about doubles from one level to the next. If `levels` is given, the factor is what that number needs.
    """
    height, width = size
    shrink = max(math.sqrt(height * width / coarsest_area), 1.0)
    count = levels or round(math.log2(shrink)) + 1
    steps = [shrink ** (1 - i / (count - 1)) for i in range(count)] if count > 1 else [1.0]
    return [(max(round(height / step), 4), max(round(width / step), 4)) for step in steps]


def receptive_field_sizes(size: Size, ratio: float = 1.411, largest_area: int = 50_000) -> list[Size]:
    """Sizes from coarse to fine, such that a receptive field of 35x35 covers about 40 % of the coarsest.

    The coarsest has about 3110 pixels; its short side is clamped to 42..55. Neighbouring levels differ by about
    `ratio` a side, adjusted to a whole number of levels. Pictures larger than `largest_area` are shrunk first.
    """
    height, width = size
    shrink = math.sqrt(height * width / largest_area)
    if shrink > 1:
        height, width = int(height / shrink), int(width / shrink)
    short, long = min(height, width), max(height, width)
    coarsest = min(max(round(math.sqrt(3110 * short / long)), 42), 55)
    count = max(round(math.log(short / coarsest) / math.log(ratio)), 0) + 1
    step = (short / coarsest) ** (1 / (count - 1)) if count > 1 else 1.0
    return [(round(height / step**i), round(width / step**i)) for i in reversed(range(count))]


def canvas_sizes(size: Size, source: list[Size]) -> list[Size]:
    """Sizes of a canvas, one for each level of a source. The finest is `size`; objects keep their size in pixels."""
    full = source[-1]
    coarser = [tuple(max(round(want * level / of), 4) for want, level, of in zip(size, s, full)) for s in source[:-1]]
    return [*((height, width) for height, width in coarser), size]


def pyramid(
    pixels: Float[Tensor, "c h w"],
    alpha: Float[Tensor, "1 h w"] | None,
    sizes: Sequence[Size],
    how: Resampling = "bicubic",
) -> list[Scale]:
    """The source at `sizes`. Colour is weighted by alpha, so that hidden colours do not leak."""
    return [_scale(pixels, alpha, size, how) for size in sizes]


def _scale(pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None, size: Size, how: Resampling) -> Scale:
    if alpha is None:
        small = resize(pixels[None], size, how)[0].clamp(-1, 1)
        return Scale(small, None, torch.ones(size, dtype=torch.bool, device=pixels.device))
    if size == pixels.shape[-2:]:
        return Scale(pixels, alpha, alpha[0] > 0)
    weight = resize(alpha[None], size, "bilinear")[0]
    small = resize((pixels * alpha)[None], size, "bilinear")[0] / weight.clamp_min(1e-6)
    return Scale(small.clamp(-1, 1), weight.clamp(0, 1), weight[0] > 0.5 / 255)
