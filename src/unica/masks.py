"""Masks: operations on sets of pixels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

Mask = Bool[Tensor, "1 h w"]


def grown(mask: Mask, by: int) -> Mask:
    """The mask, dilated by a square of `by` pixels to each side."""
    if by == 0:
        return mask
    for axes in ((1, 2 * by + 1), (2 * by + 1, 1)):  # a square is separable
        pad = (axes[0] // 2, axes[1] // 2)
        mask = F.max_pool2d(mask.float()[None], axes, 1, pad)[0] > 0
    return mask


def feathered(mask: Mask, by: int) -> Float[Tensor, "1 h w"]:
    """1 in the mask, falling to 0 over `by` pixels around it."""
    share = mask.float()
    for distance in range(1, by + 1):
        share = share.maximum(grown(mask, distance).float() * (1 - distance / (by + 1)))
    return share


def shown(mask: Mask, pixels: Float[Tensor, "c h w"]) -> Float[Tensor, "3 h w"]:
    """The picture, with the mask in red."""
    red = torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    pixels = pixels.expand(3, -1, -1)
    return pixels.lerp(red, 0.6).where(mask, pixels)


def blurred(x: Float[Tensor, "c h w"], std: float, inside: Mask | None = None) -> Float[Tensor, "c h w"]:
    """A Gaussian blur, of what is inside alone."""
    inside = torch.ones_like(x[:1], dtype=torch.bool) if inside is None else inside
    radius = math.ceil(3 * std)
    window = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / std) ** 2)
    both = torch.cat([x * inside, inside.float()])[:, None]
    both = F.conv2d(both, window[None, None, None], padding=(0, radius))
    both = F.conv2d(both, window[None, None, :, None], padding=(radius, 0))[:, 0]
    return both[:-1] / both[-1:].clamp_min(1e-6)


def filled(pixels: Float[Tensor, "c h w"], known: Bool[Tensor, "1 h w"]) -> Float[Tensor, "c h w"]:
    """The picture with smooth colours where it is not known: from the known pixels around, by a pyramid of means."""
    if known.all() or not known.any():
        return pixels
    height, width = pixels.shape[-2:]
    half = ((height + 1) // 2, (width + 1) // 2)
    weight = known.to(pixels)
    share, total = (F.adaptive_avg_pool2d(x, half) for x in (weight, pixels * weight))
    coarse = filled(total / share.clamp_min(1e-6), share > 0)
    return pixels.where(known, F.interpolate(coarse[None], (height, width), mode="bilinear", antialias=True)[0])
