"""Adapt tone and texture of something that is pasted onto other ground."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.masks import Mask, blurred, grown

_DEPTH, _ALONG = 2, 6  # radius in pixels of the averages across the border and along it
_ROUNDS = 30
_ALIKE = 0.15  # errors of the fit up to about this size count as the same tone
_AROUND = 24  # pixels around something whose colours it gets nearer to
_SPREAD = (0.7, 1.4)  # by so much the contrast of something may change
_TEXTURE = 2.0  # std in pixels of the blur that texture is above
_FLAT = 0.4  # gradients up to about this size are texture, and larger ones are edges
_REACH = 6  # so many pixels something may reach beyond its mask
_DEEP = 4  # so many pixels inside a mask are its thing; ground is twice as many beyond the reach
_FALL, _REST = 0.5, 0.1  # of a thing's share over four rings, where it ends; of that fall, where nothing is left of it
_AGREED = (0.3, 0.6)  # share of the border with the same tone: at the first adapting begins, at the second it is full


def adapted(
    pixels: Float[Tensor, "c h w"], ground: Float[Tensor, "c h w"], inside: Mask, known: Mask
) -> Float[Tensor, "c h w"]:
    """`pixels` with the tone of what is `inside` adapted, so that it continues the known part of `ground`.

    A plane is fitted to the difference at the border, by least absolute deviations, and added. Objects that the border
    cuts through are outliers of the fit, so their colour does not bleed in as it does in gradient-domain cloning (Perez
    et al. 2003). Where too little of the border agrees on a tone, nothing changes.
    """
    around, within = known & grown(inside, _DEPTH) & ~inside, inside & grown(~inside, _DEPTH)
    (theirs, seen), (mine, _) = _means(ground, around, _DEPTH), _means(pixels, within, _DEPTH)
    border = inside & grown(~inside, 1) & (seen > 0)
    along, _ = _means(theirs - mine, border, _ALONG)
    places, difference = border[0].nonzero(), along[:, border[0]].T
    if len(places) < 3:
        return pixels
    everywhere = inside[0].nonzero()
    middle, size = everywhere.float().mean(0), everywhere.float().std().clamp_min(1)
    at = _plane((places - middle) / size)
    slopes, error = _fitted(at, difference)
    agreed = torch.exp(-0.5 * (error / _ALIKE) ** 2).mean()
    share = ((agreed - _AGREED[0]) / (_AGREED[1] - _AGREED[0])).clamp(0, 1)
    out = pixels.clone()
    out[:, inside[0]] += share * (_plane((everywhere - middle) / size) @ slopes).T
    return out.clamp(-1, 1)


def is_cut_loosely(pixels: Float[Tensor, "c h w"], inside: Mask) -> bool:
    """Whether most of what lies along the border, inside and outside, is of one tone: something with its ground."""
    (mine, _), (theirs, seen) = (_means(pixels, part & grown(~part, _DEPTH), _DEPTH) for part in (inside, ~inside))
    border = (inside & grown(~inside, 1) & (seen > 0))[0]
    return bool(border.any()) and bool((mine - theirs).norm(dim=0)[border].median() < _ALIKE)


def overhang(pixels: Float[Tensor, "c h w"], inside: Mask) -> int:
    """How many pixels a thing reaches beyond a mask that is cut too tightly. 0: the mask is loose, or cuts no thing.

    Each ring of pixels along the border has a share of the thing: least squares say how far its colours lie from those
    of the ground farther out towards those deep inside. A thing ends where the share falls steeply.
    """
    nested = {by: grown(inside, by) if by > 0 else ~grown(~inside, -by) for by in range(-_DEEP, _REACH + 3)}
    outside = grown(nested[_REACH + 2], _DEEP) & ~nested[_REACH + 2]
    deep = next((nested[by] for by in range(-_DEEP, 0) if nested[by].any()), inside)
    (thing, near), (ground, seen) = (_means(pixels, part, _REACH + 2 * _DEEP) for part in (deep, outside))
    contrast = (thing - ground) * ((near > 0) & (seen > 0))
    along, full = (contrast * (pixels - ground)).sum(0, keepdim=True), contrast.square().sum(0, keepdim=True)
    share = {}
    for by in range(1 - _DEEP, _REACH + 3):
        ring = nested[by] & ~nested[by - 1]
        known = float(full[ring].sum())
        share[by] = float(along[ring].sum()) / known if known > 0 else float(by <= 0)
    end = max(range(3 - _DEEP, _REACH + 1), key=lambda by: share[by - 2] - share[by + 2])
    first, last = share[end - 2], share[min(end + 4, _REACH + 2)]
    if first < _FALL or first - share[end + 2] < _FALL:
        return 0
    rest = last + _REST * (first - last)
    return max((by for by in range(1, min(end + 3, _REACH) + 1) if share[by] > rest), default=0)


def nearer(pixels: Float[Tensor, "c h w"], inside: Mask, share: float) -> Float[Tensor, "c h w"]:
    """`pixels` with the colours of what is `inside` nearer to those around it: mean and std of each channel."""
    around = grown(inside, _AROUND) & ~inside
    if not around.any() or not inside.any():
        return pixels
    (mean, spread), (theirs, wanted) = (
        (part.mean(1, keepdim=True), part.std(1, correction=0, keepdim=True).clamp_min(1e-3))
        for part in (pixels[:, inside[0]], pixels[:, around[0]])
    )
    factor = (1 + share * (wanted / spread - 1)).clamp(*_SPREAD)
    out = pixels.clone()
    out[:, inside[0]] = (pixels[:, inside[0]] - mean) * factor + mean + share * (theirs - mean)
    return out.clamp(-1, 1)


def textured(pixels: Float[Tensor, "c h w"], drawn: Float[Tensor, "c h w"], inside: Mask) -> Float[Tensor, "c h w"]:
    """`pixels` with the texture of `drawn` inside: what is finer than a blur. Edges stay as they are."""
    down, right = F.pad(pixels.diff(dim=1), (0, 0, 0, 1)), F.pad(pixels.diff(dim=2), (0, 1))
    edges = blurred((down.square() + right.square()).sum(0, keepdim=True).sqrt(), 1.0, inside)
    difference = drawn - pixels
    fine = (difference - blurred(difference, _TEXTURE, inside)) / (1 + (edges / _FLAT) ** 2)
    return (pixels + fine).clamp(-1, 1).where(inside, pixels)


def _fitted(
    at: Float[Tensor, "n k"], values: Float[Tensor, "n c"]
) -> tuple[Float[Tensor, "k c"], Float[Tensor, "n 1"]]:
    """A linear fit by least absolute deviations (iteratively reweighted least squares), and its error at each point."""
    error = torch.ones(len(at), 1)
    slopes = torch.zeros(at.shape[1], values.shape[1])
    for _ in range(_ROUNDS):
        weight = 1 / error.clamp_min(0.02)
        normal = at.T @ (weight * at) + 1e-3 * weight.sum() * torch.eye(at.shape[1])
        slopes = torch.linalg.solve(normal, at.T @ (weight * values))
        error = (values - at @ slopes).norm(dim=1, keepdim=True)
    return slopes, error


def _plane(at: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
    """The terms 1, y and x of a plane at these places."""
    return torch.cat([torch.ones(len(at), 1), at], 1)


def _means(
    x: Float[Tensor, "c h w"], where: Mask, radius: int
) -> tuple[Float[Tensor, "c h w"], Float[Tensor, "1 h w"]]:
    """The mean of x over the masked pixels within `radius`, and the share of the window that is masked."""
    size = 2 * radius + 1
    near = [x * where, where.float()]
    for window, pad in (((1, size), (0, radius)), ((size, 1), (radius, 0))):  # a square is separable
        near = [F.avg_pool2d(v, window, 1, pad) for v in near]
    return near[0] / near[1].clamp_min(1e-6), near[1]
