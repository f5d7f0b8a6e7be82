"""The noise of a picture: how much there is of it, and the picture without it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_BLOCK = 8  # side of JPEG's blocks, and of the parts of a picture that are measured
_FLAT = 0.1  # of the parts: the flattest are those that show grain
_WHITE = (0.75, 0.95)  # what is grain in flat parts: none if its finest share is the first, all of it from the second
_STEPS = (0.002, 2.0)  # steps at the borders of blocks that any picture has, and the noise for each larger one
_REACH, _PATCH = 5, 5  # how far away patches may lie that are averaged, and their side
_LEAST = 0.004  # noise below half a step of 8 bits


def noise_level(pixels: Float[Tensor, "c h w"]) -> float:
    """The standard deviation of a picture's noise: of its grain, or of what JPEG left at its blocks, the larger.

    Grain is seen where the picture is flat. There, noise has as much of the finest detail as of all detail, and a
    texture has less (J. Immerkaer's filter, 1996, and the distance to a blur).
    """
    return max(_grain(pixels), _blocking(pixels))


def without_noise(pixels: Float[Tensor, "c h w"], level: float) -> Float[Tensor, "c h w"]:
    """The mean of similar patches near each pixel (A. Buades' non-local means, 2005), within twice the noise."""
    if level < _LEAST:
        return pixels
    total, weights = pixels.clone(), torch.ones_like(pixels[:1])
    height, width = pixels.shape[1:]
    padded = F.pad(pixels[None], [_REACH] * 4, mode="reflect")[0]
    for down in range(2 * _REACH + 1):
        for right in range(2 * _REACH + 1):
            if (down, right) == (_REACH, _REACH):
                continue
            other = padded[:, down : down + height, right : right + width]
            apart = F.avg_pool2d((other - pixels).square().mean(0, keepdim=True)[None], _PATCH, 1, _PATCH // 2)[0]
            weight = torch.exp(-(apart - 2 * level**2).clamp_min(0) / level**2)
            total += weight * other
            weights += weight
    return pixels + (total / weights - pixels).clamp(-2 * level, 2 * level)


def _grain(pixels: Float[Tensor, "c h w"]) -> float:
    if min(pixels.shape[1:]) < 2 * _BLOCK:
        return 0.0
    finest = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]).to(pixels) / 6
    fine = F.conv2d(pixels[:, None], finest[None, None])[:, 0]
    detail = (pixels - F.avg_pool2d(pixels[None], 3, 1, 1)[0])[:, 1:-1, 1:-1]
    fine, detail = (
        F.avg_pool2d(x.square().mean(0)[None, None], _BLOCK).flatten().quantile(_FLAT).sqrt() for x in (fine, detail)
    )
    none, all_of_it = _WHITE
    share = ((fine / detail.clamp_min(1e-6) - none) / (all_of_it - none)).clamp(0, 1)
    return float(share * fine)


def _blocking(pixels: Float[Tensor, "c h w"]) -> float:
    """By how much steps at every eighth row and column stand out, beside those between other rows and columns."""
    usual, noise = _STEPS
    found = 0.0
    for axis in (1, 2):
        steps = pixels.diff(dim=axis).abs().movedim(axis, 0)
        if len(steps) < 3 * _BLOCK:
            return 0.0
        beyond = (steps[1:-1] - 0.5 * (steps[:-2] + steps[2:])).clamp(-0.1, 0.1).flatten(1).mean(1)
        phase = torch.arange(1, len(steps) - 1, device=pixels.device) % _BLOCK
        found += float(beyond[phase == _BLOCK - 1].mean() - beyond[phase != _BLOCK - 1].mean()) / 2
    return max(found - usual, 0.0) * noise
