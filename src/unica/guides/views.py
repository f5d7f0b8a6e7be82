"""Random views of a picture for a classifier, differentiable, as in "Text2LIVE" (Bar-Tal et al., ECCV 2022).

A view is one homography: view -> tilt -> turn and shift -> flip -> crop -> picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.image import resize

CROP = 0.6  # the smallest crop, as a share of the short side
REACH = 1.5  # crops are placed up to this far from the middle, where 1 touches the edge; then they are moved inside
TURN = 15.0  # degrees, at most
SHIFT = 0.1  # at most, as a share of a view's side
TILT = 0.15  # the far side of a tilted view is up to 2 * TILT smaller


def views(
    pictures: Float[Tensor, "b c h w"], count: int, side: int, generators: Sequence[torch.Generator]
) -> Float[Tensor, "views 3 side side"]:
    """`count` square views of each picture, those of the first picture first.

    The first view is the whole picture, squeezed to a square. So all of a wide canvas is seen, unlike in CLIP's centre
    crop. The others are square cut-outs that keep proportions. Each picture has its own generator (of the CPU), so its
    views do not depend on the others. Gray is shown as RGB. Transparency, a further channel, is not shown.

    Pictures whose short side is larger than `side` are first shrunk to it, antialiased. A cut-out then samples them in
    steps of less than 1.5 pixels, and bilinear weights reach one pixel to each side, so no pixel is skipped. Memory
    holds one shrunk picture and, for each view, its colours and sampling positions.
    """
    colours = pictures[:, :3] if pictures.shape[1] >= 3 else pictures[:, :1].expand(-1, 3, -1, -1)
    whole = resize(colours, (side, side), "bilinear")[:, None]
    if count == 1:
        return whole.flatten(0, 1)
    height, width = pictures.shape[-2:]
    shrink = max(min(height, width) / side, 1.0)
    maps = torch.stack([cutouts(count - 1, height / width, random) for random in generators])
    small = resize(colours, (round(height / shrink), round(width / shrink)), "bilinear")
    return torch.cat([whole, warp(small, maps.to(pictures), side)], dim=1).flatten(0, 1)


def warp(
    pictures: Float[Tensor, "b c h w"], maps: Float[Tensor, "b n 3 3"], side: int
) -> Float[Tensor, "b n c side side"]:
    """Each picture through n homographies of the square [-1, 1]. Beyond its edge a picture is mirrored."""
    centres = (torch.arange(side, device=maps.device) * 2 + 1) / side - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], -1).flatten(0, 1)
    x, y, depth = (points.to(maps) @ maps.mT).unbind(-1)  # "b n points"
    grid = torch.stack([x / depth, y / depth], -1).flatten(1, 2)[:, None]  # all views in a row: one picture, one grid
    seen = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return seen.view(*seen.shape[:2], -1, side, side).transpose(1, 2)


def cutouts(count: int, aspect: float, random: torch.Generator) -> Float[Tensor, "count 3 3"]:
    """Random maps from views into a picture of this aspect (height over width), in Text2LIVE's ranges.

    Three things differ: there is no colour jitter; perspective tilts a plane instead of moving its corners; and a third
    of the crops touches an edge along each axis, because edges would be seen least otherwise.
    """
    unit, flipped, *signed = torch.rand(count, 9, generator=random).unbind(-1)
    x, y, angle, right, down, *tilts = (2 * u - 1 for u in signed)
    x, y = ((REACH * u).clamp(-1, 1) for u in (x, y))
    one, zero = torch.ones(count), torch.zeros(count)

    size = CROP + (1 - CROP) * unit
    across, along = size * min(aspect, 1.0), size * min(1 / aspect, 1.0)  # of the picture's width and height
    crop = _matrix([[across, zero, x * (1 - across)], [zero, along, y * (1 - along)], [zero, zero, one]])
    flip = _matrix([[torch.where(flipped < 0.5, -one, one), zero, zero], [zero, one, zero], [zero, zero, one]])
    cos, sin = torch.cos(torch.deg2rad(TURN * angle)), torch.sin(torch.deg2rad(TURN * angle))
    turn = _matrix([[cos, -sin, 2 * SHIFT * right], [sin, cos, 2 * SHIFT * down], [zero, zero, one]])
    p, q = (TILT * u for u in tilts)
    near = one - p.abs() - q.abs()  # the depth of the nearest corner, which does not move
    tilt = _matrix([[near, zero, zero], [zero, near, zero], [p, q, one]])
    return crop @ flip @ turn @ tilt


def _matrix(rows: Sequence[Sequence[Tensor]]) -> Float[Tensor, "count 3 3"]:
    return torch.stack([torch.stack(list(row), -1) for row in rows], -2)
