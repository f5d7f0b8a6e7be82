"""The order of a picture from top to bottom: how strong it is, and what it costs to leave it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.pyramid import Scale

_LOWEST_LOG = -30.0  # log prior below which a source row is not even compared


def row_prior(
    height: int, source_height: int, cost: float, sigma: float, patch: int, device: torch.device | None = None
) -> Float[Tensor, "h hs"]:
    """The log prior of source rows for each row of a canvas: -cost * patch^2 * d^2 / (2 sigma^2).

    d is the difference between the rows' relative heights, from 0 to 1. So `cost` is, like those of `Edges`, a squared
    difference for each pixel of a patch. A canvas that is n times as high as the source needs n times the cost to keep
    the same order.
    """
    cost *= max(height / source_height, 1.0)
    of_canvas, of_source = ((torch.arange(n, device=device) + 0.5) / n for n in (height, source_height))
    log_prior = (of_canvas[:, None] - of_source).square() * (-0.5 * cost * (patch / sigma) ** 2)
    # The nearest row always stays, even where rows of the source are few.
    return log_prior.masked_fill(log_prior < log_prior.amax(1, keepdim=True) + _LOWEST_LOG, -torch.inf)


def measure_order(source: Scale, patch: int = 7) -> float:
    """How well the look of a patch tells its row in the source: 0 is not at all, 1 is exactly.

    Patches find the most similar one in other columns. The mean distance of their rows is compared with that of random
    pairs.
    """
    visible = source.visible.flatten()
    grids = torch.meshgrid(*(torch.arange(n, device=visible.device) for n in source.size), indexing="ij")
    rows, columns = (grid.flatten()[visible].float() for grid in grids)
    padded = F.pad(source.pixels[None], [patch // 2] * 4, mode="replicate")
    patches = F.unfold(padded, patch)[0].T[visible]
    some = torch.arange(0, len(patches), 5, device=patches.device)  # a fifth of them tells as much
    near = (columns[some, None] - columns).abs() < patch
    found = torch.cdist(patches[some], patches).masked_fill_(near, torch.inf).argmin(1)
    distance = (rows[some] - rows[found]).abs()[~near.all(1)].mean()
    by_chance = (rows[:, None] - rows).abs().mean()
    return float((1 - distance / by_chance).nan_to_num(0.0).clamp(0, 1))
