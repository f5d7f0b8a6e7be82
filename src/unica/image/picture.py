"""A picture, as the models see it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

LARGEST = 250_000_000  # pixels that unica works with


@dataclass(frozen=True)
class Picture:
    """An image in memory. Where alpha is 0 the colour means nothing: multiply by alpha before resizing."""

    pixels: Float[Tensor, "c h w"]  # in [-1, 1]: one channel of gray or three of sRGB
    alpha: Float[Tensor, "1 h w"] | None  # in [0, 1]; None where the file has no transparency at all
    bits: int  # 8 or 16: of the file, and of what is written
    sha256: str  # of the file's bytes; for a Pillow image, of its mode, size, palette and pixels
    name: str  # the stem of the file's name, or "picture"
    original_size: tuple[int, int]  # (width, height) before `max_side` shrank it

    @property
    def size(self) -> tuple[int, int]:
        """The current (width, height)."""
        return self.pixels.shape[2], self.pixels.shape[1]

    def with_alpha_channel(self) -> Picture:
        """The same with transparency as one more channel in [-1, 1]; hidden colours are gray."""
        if self.alpha is None:
            return self
        return replace(self, pixels=torch.cat([self.pixels * (self.alpha > 0), self.alpha * 2 - 1]), alpha=None)
