"""Pictures at other sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from unica.image.picture import Picture

Resampling = Literal["bilinear", "bicubic", "lanczos", "bilinear8", "lanczos8"]


def resize(
    x: Float[Tensor, "b c h w"], size: tuple[int, int], how: Resampling = "bicubic"
) -> Float[Tensor, "b c height width"]:
    """`x` at another (height, width), antialiased. Bicubic and lanczos may leave the range of values.

    Torch does "bilinear" and "bicubic", with a gradient. Pillow does the others, without one. "bilinear8" and
    "lanczos8" round pixels to bytes before and after resizing, as Pillow does with images.
    """
    if tuple(x.shape[2:]) == size:
        return x
    if how == "bilinear" or how == "bicubic":
        return interpolate(x, size, mode=how, antialias=True, align_corners=False)
    filter = Image.Resampling.BILINEAR if how == "bilinear8" else Image.Resampling.LANCZOS
    planes = x.detach().cpu().float().flatten(0, 1)
    if how != "lanczos":
        planes = ((planes + 1) * 127.5).round().clamp(0, 255).byte()
    resized = [np.asarray(Image.fromarray(plane).resize((size[1], size[0]), filter)) for plane in planes.numpy()]
    out = torch.from_numpy(np.stack(resized)).view(*x.shape[:2], *size).to(x)
    return out if how == "lanczos" else out / 127.5 - 1


def shrink(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at another (height, width), rounded to its own number of bits."""
    if picture.pixels.shape[1:] == size:
        return picture
    top = 2**picture.bits - 1
    pixels = (resize(picture.pixels[None], size, "lanczos")[0].clamp(-1, 1) + 1) / 2
    alpha = None if picture.alpha is None else resize(picture.alpha[None], size, "bilinear")[0].clamp(0, 1)
    return replace(
        picture,
        pixels=(pixels * top).round() / top * 2 - 1,
        alpha=None if alpha is None else (alpha * top).round() / top,
    )
