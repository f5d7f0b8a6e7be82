"""The order of a picture from top to bottom: how strong it is, and what it costs to leave it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Level
from unica.pyramid import Scale

_MOST = 4.0  # times that a row counts as stretched, at most: on larger canvases more of the source must be possible
_ONE_SCENE = 4  # times the source's height: a canvas that is not higher shows one scene from top to bottom
_SCENE, _LOOSE = 2.0, 0.25  # of a higher one: the height of a scene, as a multiple of the source's, and its order
_LARGEST_SHARE = 2.2  # of the rows that a higher canvas has more: how much a row gets at most, over its even share
_ROUNDS = 20  # in which shares settle
_PATCH = 7  # side of the patches that are compared to know a source
_UNEVEN = 0.5  # how much the variance within a row counts, beside the squared distance to other rows
_LOWEST_LOG = -30.0  # log prior below which a source row is not even compared


def even_heights(height: int, device: torch.device | None = None) -> Float[Tensor, " h"]:
    """How far down the source the rows of a canvas lie that shows all of it: from 0 to 1."""
    return (torch.arange(height, device=device) + 0.5) / height


def heights_of(level: Level) -> Float[Tensor, " h"]:
    """How far down the source each row of a level's canvas lies."""
    rows = level.size[0]
    if level.heights is None:
        return even_heights(rows)
    return F.interpolate(level.heights[None, None], rows, mode="linear")[0, 0]


def order_on(source: Scale, height: int) -> tuple[Float[Tensor, " h"] | None, float]:
    """How far down the source the rows of a canvas lie (None: evenly), and how much of the source's order holds there.

    A very high canvas shows several scenes, one below the other, whose order holds loosely. In a single scene, a part
    that is as high as the source would have only a few of its rows, and they would be seen as stamps.
    """
    scenes = round(height / source.size[0] / _SCENE)
    if height <= _ONE_SCENE * source.size[0]:
        return stretched_heights(source, height), 1.0
    return (torch.arange(height) + 0.5) * (scenes / height) % 1, _LOOSE


def stretched_heights(source: Scale, height: int) -> Float[Tensor, " h"] | None:
    """How far down the source the rows of a canvas lie that is higher: it grows most where the source can be stretched.

    So a sky gets higher, and what stands under it stays whole. None is evenly.
    """
    rows = source.size[0]
    if height <= rows:
        return None
    lengths = 1 + (height - rows) * _stretchable(source)
    ends = F.pad(lengths.cumsum(0), (1, 0)).cpu().numpy()
    at = np.interp((np.arange(height) + 0.5) * (ends[-1] / height), ends, np.arange(rows + 1))
    return torch.from_numpy(at / rows).float()


def _stretchable(source: Scale) -> Float[Tensor, " hs"]:
    """How well each row stretches: the better, the more its patches are like some in other rows, and like each other.

    The second keeps towers from growing, which look the same from top to bottom. The sum over all rows is 1, and no row
    has much more than twice its even share: a canvas that is all sky shows nothing.
    """
    rows, columns = source.size
    patches = _patches_of(source.pixels)
    row = torch.arange(rows, device=patches.device).repeat_interleave(columns)
    near = (row[:, None] - row).abs() <= _PATCH // 2
    unlike = torch.cdist(patches, patches).masked_fill_(near, torch.inf).amin(1).square() / patches.shape[1]
    unlike = unlike.clamp_max(4)  # two of the most different colours; in a low picture all rows are near
    uneven = source.pixels.var(2, correction=0).mean(0)
    share = (unlike.view(rows, columns).mean(1) + _UNEVEN * uneven + 1e-3) ** -2
    for _ in range(_ROUNDS):  # what is too much for some rows goes to the others
        share = (share / share.sum()).clamp_max(_LARGEST_SHARE / rows)
    return share / share.sum()


def row_means(source: Scale, heights: Float[Tensor, " h"]) -> Float[Tensor, "c h"]:
    """The mean colour of the source's row at each height."""
    weight = source.visible.float()
    means = (source.pixels * weight).sum(2) / weight.sum(1).clamp_min(1e-6)
    at = (heights.clamp(0, 1).to(means) * source.size[0] - 0.5).clamp(0, source.size[0] - 1)
    return means[:, at.floor().long()].lerp(means[:, at.ceil().long()], at.frac())


def row_prior(
    heights: Float[Tensor, " h"], source_height: int, cost: float, sigma: float, patch: int
) -> Float[Tensor, "h hs"]:
    """The log prior of source rows for each row of a canvas: -cost * patch^2 * d^2 / (2 sigma^2).

    d is the difference between the rows' relative heights. So `cost` is, like those of `Edges`, a squared difference
    for each pixel of a patch. Where a canvas is stretched n times, it needs n times the cost to keep the same order.
    Rows beyond the source are like its first or its last row.
    """
    costs = cost / (source_height * torch.gradient(heights)[0].abs()).clamp(1 / _MOST, 1)
    distance = heights.clamp(0, 1)[:, None] - _source_heights(heights, source_height, patch // 2)
    log_prior = distance.square() * (-0.5 * (patch / sigma) ** 2 * costs[:, None])
    # The nearest row always stays, even where rows of the source are few.
    return log_prior.masked_fill(log_prior < log_prior.amax(1, keepdim=True) + _LOWEST_LOG, -torch.inf)


def _source_heights(heights: Float[Tensor, " h"], rows: int, radius: int) -> Float[Tensor, " hs"]:
    """Where on a canvas the source's rows are at home.

    Patches that reach beyond the source fit at the border of the canvas only. On a higher canvas its rows are at home
    there, and the rows between have all of the rest. Else a fifth of the canvas would want rows that it cannot have.
    Where a canvas goes on beyond the source, its rows are at home where the source lies.
    """
    if len(heights) <= rows or heights.min() < 0 or heights.max() > 1:
        return even_heights(rows, heights.device)
    radius = min(radius, (rows - 1) // 2)
    inner = torch.linspace(0, 1, rows - 2 * radius, device=heights.device)
    first, last = heights[radius], heights[-1 - radius]
    return torch.cat([heights[:radius], first + (last - first) * inner, heights[len(heights) - radius :]])


def measure_order(source: Scale) -> float:
    """How well the look of a patch tells its row in the source: 0 is not at all, 1 is exactly.

    Patches find the most similar one in other columns. The mean distance of their rows is compared with that of random
    pairs.
    """
    visible = source.visible.flatten()
    grids = torch.meshgrid(*(torch.arange(n, device=visible.device) for n in source.size), indexing="ij")
    rows, columns = (grid.flatten()[visible].float() for grid in grids)
    patches = _patches_of(source.pixels)[visible]
    some = torch.arange(0, len(patches), 5, device=patches.device)  # a fifth of them tells as much
    near = (columns[some, None] - columns).abs() < _PATCH
    found = torch.cdist(patches[some], patches).masked_fill_(near, torch.inf).argmin(1)
    distance = (rows[some] - rows[found]).abs()[~near.all(1)].mean()
    by_chance = (rows[:, None] - rows).abs().mean()
    return float((1 - distance / by_chance).nan_to_num(0.0).clamp(0, 1))


def _patches_of(pixels: Float[Tensor, "c h w"]) -> Float[Tensor, "n p"]:
    padded = F.pad(pixels[None], [_PATCH // 2] * 4, mode="replicate")
    return F.unfold(padded, _PATCH)[0].T
