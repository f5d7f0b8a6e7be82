"""Colours: profiles, and the distribution of values."""

from __future__ import annotations

import io
from contextlib import suppress

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

_NOISE = 1e-3  # variance of colours that is not made larger: the tint of a gray photograph


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An L, RGB or CMYK image as L or RGB. A profile that is damaged or of another colour model is ignored."""
    mode = "L" if image.mode == "L" else "RGB"
    if profile:
        from PIL import ImageCms

        with suppress(ImageCms.PyCMSError, ImportError, OSError):
            own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            image = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    return image if image.mode == mode else image.convert(mode)


def match_colours(x: Float[Tensor, "c h w"], like: Float[Tensor, "c y x"]) -> Float[Tensor, "c h w"]:
    """x with the mean and the covariance of the colours of `like`, by the linear map that moves colours least.

    That map is A^-1/2 (A^1/2 B A^1/2)^1/2 A^-1/2 for covariances A of x and B of `like` (Monge and Kantorovich; Pitié
    and Kokaram 2007). Channels are not matched one by one, so gray sources make gray pictures.
    """
    (mine, mean), (theirs, wanted) = _statistics(x), _statistics(like)
    mine = mine + _NOISE * torch.eye(len(x)).to(mine)
    root, inverse = _power(mine, 0.5), _power(mine, -0.5)
    moved = inverse @ _power(root @ theirs @ root, 0.5) @ inverse @ (x.flatten(1).double() - mean) + wanted
    return moved.to(x).clamp(-1, 1).view_as(x)


def _statistics(x: Float[Tensor, "c h w"]) -> tuple[Float[Tensor, "c c"], Float[Tensor, "c 1"]]:
    """The covariance of colours, and their mean."""
    values = x.flatten(1).double()
    mean = values.mean(1, keepdim=True)
    return (values - mean) @ (values - mean).mT / values.shape[1], mean


def _power(matrix: Float[Tensor, "c c"], exponent: float) -> Float[Tensor, "c c"]:
    """A power of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(1e-12) ** exponent @ vectors.mT
