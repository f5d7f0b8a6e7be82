"""What is put on another ground takes its tone, as far as the two agree along the border what that is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.regions import Mask, grown

_DEPTH, _ALONG = 2, 6  # pixels across and along the border that are seen as one
_ROUNDS = 30
_ALIKE = 0.15  # differences that count as one tone
_AGREED = (0.3, 0.6)  # share of the border that is of one tone: where adapting begins, and where it is complete


def adapted(
    pixels: Float[Tensor, "c h w"], ground: Float[Tensor, "c h w"], inside: Mask, known: Mask
) -> Float[Tensor, "c h w"]:
    """`pixels` with another tone `inside`, so that they go on from the known part of `ground`: a plane is added that
    fits the difference at the border, in least absolute deviations. What the border cuts through does not count, as
    it would in gradient-domain cloning (Perez et al. 2003), where it bleeds in. Different grounds stay different."""
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


def _fitted(
    at: Float[Tensor, "n k"], values: Float[Tensor, "n c"]
) -> tuple[Float[Tensor, "k c"], Float[Tensor, "n 1"]]:
    """A linear fit of least absolute deviations, by iteratively reweighted least squares, and how far off it is."""
    error = torch.ones(len(at), 1)
    slopes = torch.zeros(at.shape[1], values.shape[1])
    for _ in range(_ROUNDS):
        weight = 1 / error.clamp_min(0.02)
        normal = at.T @ (weight * at) + 1e-3 * weight.sum() * torch.eye(at.shape[1])
        slopes = torch.linalg.solve(normal, at.T @ (weight * values))
        error = (values - at @ slopes).norm(dim=1, keepdim=True)
    return slopes, error


def _plane(at: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
    return torch.cat([torch.ones(len(at), 1), at], 1)


def _means(
    x: Float[Tensor, "c h w"], where: Mask, radius: int
) -> tuple[Float[Tensor, "c h w"], Float[Tensor, "1 h w"]]:
    """The mean of what is in the mask and near, and how much that is."""
    near = [F.avg_pool2d(v, 2 * radius + 1, 1, radius) for v in (x * where, where.float())]
    return near[0] / near[1].clamp_min(1e-6), near[1]
