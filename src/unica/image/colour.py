"""Colours: profiles, and the distribution of values."""

from __future__ import annotations

import io
from contextlib import suppress

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An L, RGB or CMYK image as L or RGB. A profile that is damaged or of another colour model is ignored."""
    mode = "L" if image.mode == "L" else "RGB"
    if profile:
        from PIL import ImageCms

        with suppress(ImageCms.PyCMSError, ImportError, OSError):
            own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            image = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    return image if image.mode == mode else image.convert(mode)


def match_histogram(x: Float[Tensor, "c h w"], like: Float[Tensor, "c y x"]) -> Float[Tensor, "c h w"]:
    """x with the distribution of values of `like`, channel by channel.

    Equal values stay equal, and their order does not change.
    """
    channels = []
    for mine, theirs in zip(x, like, strict=True):
        _, where, counts = mine.flatten().unique(return_inverse=True, return_counts=True)
        rank = (counts.cumsum(0) - counts / 2) / mine.numel()  # equal values share the middle of their ranks
        ordered = theirs.flatten().sort().values
        place = rank.double() * (len(ordered) - 1)
        values = ordered[place.floor().long()].lerp(ordered[place.ceil().long()], place.frac().to(ordered))
        channels.append(values[where].view_as(mine))
    return torch.stack(channels)
