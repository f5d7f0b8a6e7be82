"""Where each pixel comes from, as files: a map for programs and an overview for people.

The map is a 16-bit RGB PNG. Red is the column and green the row in the source, from 0. (The source is the picture as
the engine saw it, after `--max-side`.) Blue is 1 where the neighbours to the right and below come from the matching
neighbours in the source, and 0 at a seam.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unica.image import png16_bytes

# Colours of the source's four corners. Places between them get a bilinear mixture.
_CORNERS = torch.tensor([[[0.12, 0.47, 0.90], [0.99, 0.80, 0.20]], [[0.55, 0.12, 0.55], [0.20, 0.70, 0.35]]])


def continues(origins: Int[Tensor, "h w 2"]) -> Bool[Tensor, "h w"]:
    """Whether a pixel and its neighbours to the right and below come from neighbours in the source."""
    same = torch.ones(origins.shape[:2], dtype=torch.bool, device=origins.device)
    for axis in (0, 1):
        step = origins.diff(dim=axis)
        step[..., axis] -= 1
        same.narrow(axis, 0, same.shape[axis] - 1).logical_and_((step == 0).all(-1))
    return same


def map_bytes(origins: Int[Tensor, "h w 2"]) -> bytes:
    """What the file with a map of a picture's origins holds; each is (row, column)."""
    return png16_bytes(torch.stack([origins[..., 1], origins[..., 0], continues(origins).int()]).cpu())


def overview(origins: Int[Tensor, "h w 2"], source: tuple[int, int]) -> Float[Tensor, "3 h w"]:
    """Each pixel's place in the source as a colour, in [-1, 1]; seams are dark. `source` is (height, width)."""
    rows, columns = (origins[..., axis] / max(source[axis] - 1, 1) for axis in (0, 1))
    colours = _mixture(rows.cpu(), columns.cpu())
    return torch.where(continues(origins).cpu(), colours, 0.35 * colours) * 2 - 1


def key(source: Float[Tensor, "c h w"]) -> Float[Tensor, "3 h w"]:
    """The legend of the overview: the source, tinted with the colour of each place."""
    rows, columns = (torch.linspace(0, 1, n) for n in source.shape[1:])
    colours = _mixture(*torch.meshgrid(rows, columns, indexing="ij")) * 2 - 1
    return 0.5 * source.cpu() + 0.5 * colours


def _mixture(rows: Float[Tensor, "h w"], columns: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    """The colours of places, whose rows and columns lie in [0, 1]."""
    y, x = rows[None], columns[None]
    (a, b), (c, d) = _CORNERS[..., None, None]
    return (1 - y) * ((1 - x) * a + x * b) + y * ((1 - x) * c + x * d)
