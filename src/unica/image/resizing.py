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

from unica.image.maps import parts, settled
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
    if picture.maps:
        return _shrunk_maps(picture, size)
    top = 2**picture.bits - 1
    pixels = (resize(picture.pixels[None], size, "lanczos")[0].clamp(-1, 1) + 1) / 2
    alpha = None if picture.alpha is None else resize(picture.alpha[None], size, "bilinear")[0].clamp(0, 1)
    return replace(
        picture,
        pixels=(pixels * top).round() / top * 2 - 1,
        alpha=None if alpha is None else (alpha * top).round() / top,
    )


def _shrunk_maps(picture: Picture, size: tuple[int, int]) -> Picture:
    """Each map as its kind wants it, and rounded to numbers that its file can have."""
    known = torch.ones_like(picture.pixels[:1]) if picture.unknown is None else 1 - picture.unknown.float()
    alpha = known if picture.alpha is None else known * picture.alpha
    weight = resize(alpha[None], size, "bilinear")[0]
    smooth = resize((picture.pixels * alpha)[None], size, "bilinear")[0] / weight.clamp_min(1e-6)
    sharp = resize(picture.pixels[None], size, "lanczos")[0] if bool((alpha == 1).all()) else smooth
    planes, exact = [], {}
    for one, channels in parts(picture.maps):
        made = (sharp if one.kind in ("color", "scalar") else smooth)[channels].clamp(-one.amplitude, one.amplitude)
        values = one.decoded(settled(made, (one,)))
        planes.append(one.encoded(values))
        if one.real:
            exact[one.name] = torch.from_numpy(values.astype(np.float32)).movedim(-1, 0)
    unknown = None if picture.unknown is None else resize(known[None], size, "bilinear")[0] < 0.5
    for numbers in exact.values() if unknown is not None else ():
        numbers.masked_fill_(unknown, torch.nan)
    share = None if picture.alpha is None else resize(picture.alpha[None], size, "bilinear")[0].clamp(0, 1)
    return replace(picture, pixels=torch.cat(planes), alpha=share, exact=exact, unknown=unknown)
