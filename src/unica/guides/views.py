"""What a classifier is shown of a picture: many views of it, differentiable, as in "Text2LIVE" (Bar-Tal et al., ECCV
2022). A view is one homography: view -> tilt -> turn and shift -> flip -> crop -> picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.image import resize

CROP = 0.6  # of the short side, at the least
REACH = 1.5  # how far crops are drawn from the middle, where 1 touches the edge: those beyond it are moved back to it
TURN = 15.0  # degrees
SHIFT = 0.1  # of a view's side
TILT = 0.15  # the far side of a view that is tilted is up to 2 * TILT smaller


def views(
    pictures: Float[Tensor, "b c h w"], count: int, side: int, generators: Sequence[torch.Generator]
) -> Float[Tensor, "views 3 side side"]:
    """`count` square views of each picture, those of the first picture first.

    The first is the whole picture, squeezed to a square: nothing of a wide canvas is out of sight, as it would be in
    CLIP's centre crop. The others are square cut-outs that keep proportions. Each picture has its own generator (of the
    CPU), so its views do not depend on the others. Gray is shown as RGB; transparency, a channel more, is not shown.

    Pictures with a short side above `side` are shrunk to it, antialiased, before they are warped: a cut-out then takes
    steps of less than 1.5 pixels, and as bilinear weights reach one pixel, none is stepped over. What is held are
    one shrunk picture and, for each view, its colours and where they are from.
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
    """What n homographies show of each picture; both are [-1, 1] squares, and a picture goes on mirrored beyond it."""
    centres = (torch.arange(side, device=maps.device) * 2 + 1) / side - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], -1).flatten(0, 1)
    x, y, depth = (points.to(maps) @ maps.mT).unbind(-1)  # "b n points"
    grid = torch.stack([x / depth, y / depth], -1).flatten(1, 2)[:, None]  # all views in a row: one picture, one grid
    seen = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return seen.view(*seen.shape[:2], -1, side, side).transpose(1, 2)


def cutouts(count: int, aspect: float, random: torch.Generator) -> Float[Tensor, "count 3 3"]:
    """Random maps from views into a picture of an aspect (height over width), in Text2LIVE's ranges.

    Its colour jitter is left out; its perspective, of corners that move, is here a plane that is tilted; and a third of
    the crops lies at each pair of edges, which would else be seen least.
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
    near = one - p.abs() - q.abs()  # the depth of the nearest corner, which stays where it is
    tilt = _matrix([[near, zero, zero], [zero, near, zero], [p, q, one]])
    return crop @ flip @ turn @ tilt


def _matrix(rows: Sequence[Sequence[Tensor]]) -> Float[Tensor, "count 3 3"]:
    return torch.stack([torch.stack(list(row), -1) for row in rows], -2)
