"""Where each pixel comes from, as files: a map for programs and an overview for people.

The map is a 16-bit RGB PNG: red is the column and green the row in the source (as the engine saw it, after
`--max-side`), from 0; blue is 1 where the pixel's right and lower neighbours continue the source as well, else 0.
"""

from __future__ import annotations

import os

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unica.image import save_rgb16

# Colours of the source's corners: what lies between is their mixture.
_CORNERS = torch.tensor([[[0.12, 0.47, 0.90], [0.99, 0.80, 0.20]], [[0.55, 0.12, 0.55], [0.20, 0.70, 0.35]]])


def continues(field: Int[Tensor, "h w 2"]) -> Bool[Tensor, "h w"]:
    """Whether a pixel and its neighbours to the right and below come from neighbours in the source."""
    same = torch.ones(field.shape[:2], dtype=torch.bool, device=field.device)
    for axis in (0, 1):
        step = field.diff(dim=axis)
        step[..., axis] -= 1
        same.narrow(axis, 0, same.shape[axis] - 1).logical_and_((step == 0).all(-1))
    return same


def save_map(field: Int[Tensor, "h w 2"], path: str | os.PathLike[str]) -> None:
    save_rgb16(torch.stack([field[..., 1], field[..., 0], continues(field).int()]).cpu(), path)


def overview(field: Int[Tensor, "h w 2"], source: tuple[int, int]) -> Float[Tensor, "3 h w"]:
    """The source's place as a colour, in [-1, 1]; seams are dark."""
    rows, columns = (field[..., axis] / max(source[axis] - 1, 1) for axis in (0, 1))
    colours = _mixture(rows.cpu(), columns.cpu())
    return torch.where(continues(field).cpu(), colours, 0.35 * colours) * 2 - 1


def key(source: Float[Tensor, "c h w"]) -> Float[Tensor, "3 h w"]:
    """The source under the colours of its places: what explains the overview."""
    rows, columns = (torch.linspace(0, 1, n) for n in source.shape[1:])
    colours = _mixture(*torch.meshgrid(rows, columns, indexing="ij")) * 2 - 1
    return 0.5 * source.cpu() + 0.5 * colours


def _mixture(rows: Float[Tensor, "h w"], columns: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    y, x = rows[None], columns[None]
    (a, b), (c, d) = _CORNERS[..., None, None]
    return (1 - y) * ((1 - x) * a + x * b) + y * ((1 - x) * c + x * d)
