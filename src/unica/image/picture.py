"""A picture, as the models see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unica.image.maps import Map

LARGEST = 250_000_000  # pixels that unica works with


@dataclass(frozen=True)
class Picture:
    """An image in memory. Where alpha is 0 the colour means nothing: multiply by alpha before resizing."""

    pixels: Float[Tensor, "c h w"]  # in [-1, 1]: one channel of gray or three of sRGB, or those of `maps`
    alpha: Float[Tensor, "1 h w"] | None  # in [0, 1]; None where the file has no transparency at all
    bits: int  # 8 or 16: of the file, and of what is written
    sha256: str  # of the file's bytes; for a Pillow image, of its mode, size, palette and pixels
    name: str  # the stem of the file's name, or "picture"
    original_size: tuple[int, int]  # (width, height) before `max_side` shrank it
    maps: tuple[Map, ...] = ()  # what its channels mean; none: it is an ordinary picture
    exact: Mapping[str, Float[Tensor, "n h w"]] = field(default_factory=dict)  # of maps of floats, the file's numbers
    unknown: Bool[Tensor, "1 h w"] | None = None  # where the file has no numbers
    shown: tuple[int, ...] | None = None  # channels of which a preview is made, from 1; None: the first

    @property
    def size(self) -> tuple[int, int]:
        """The current (width, height)."""
        return self.pixels.shape[2], self.pixels.shape[1]

    @property
    def visibility(self) -> Float[Tensor, "1 h w"] | None:
        """How much of each pixel can be drawn from, between 0 and 1; None: every pixel can be."""
        if self.unknown is None:
            return self.alpha
        return (~self.unknown).float() if self.alpha is None else self.alpha * ~self.unknown

    def with_alpha_channel(self) -> Picture:
        """The same with transparency as one more channel in [-1, 1]; hidden colours are gray."""
        if self.alpha is None:
            return self
        return replace(self, pixels=torch.cat([self.pixels * (self.alpha > 0), self.alpha * 2 - 1]), alpha=None)
