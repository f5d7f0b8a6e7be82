"""From Pillow images to tensors and back."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor


def to_pil(pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None = None, bits: int = 8) -> Image.Image:
    """A Pillow image (L, LA, RGB, RGBA or I;16) of pixels in [-1, 1], which are clipped and rounded.

    Only gray without alpha gets 16 bits. Pillow has no other images of 16 bits, so everything else becomes 8-bit.
    """
    if len(pixels) not in (1, 3) or bits not in (8, 16):
        raise ValueError(f"expected 1 or 3 channels of 8 or 16 bits, got {len(pixels)} of {bits}")
    array = to_array(pixels, alpha, 16 if bits == 16 and len(pixels) == 1 and alpha is None else 8)
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def to_array(
    pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None = None, bits: int = 8
) -> Shaped[np.ndarray, "h w n"]:
    """Whole numbers of 8 or 16 bits, of pixels in [-1, 1], which are clipped and rounded; alpha is the last channel."""
    planes = (pixels.detach().cpu().float() + 1) / 2
    if alpha is not None:
        planes = torch.cat([planes, alpha.detach().cpu().float()])
    if not planes.isfinite().all():
        raise ValueError("the pixels are not all finite numbers")
    top, dtype = (65535, np.uint16) if bits == 16 else (255, np.uint8)
    return (planes.clamp(0, 1) * top).round().permute(1, 2, 0).numpy().astype(dtype)


def to_tensor(image: Image.Image, top: int) -> Float[Tensor, "c h w"]:
    """The channels of an image, divided by `top`."""
    levels = torch.from_numpy(np.asarray(image, np.float32) / top)
    return levels[None] if levels.ndim == 2 else levels.permute(2, 0, 1).contiguous()


def eight_bits(image: Image.Image) -> np.ndarray:
    """The pixels of a 16-bit gray image, rounded to 256 levels."""
    return (np.asarray(image, np.float32).clip(0, 65535) / 257).round().astype(np.uint8)
