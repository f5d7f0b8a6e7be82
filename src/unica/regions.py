"""Where to act on a picture: one way to say it, by mask, transparency, boxes and polygons."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from unica.errors import UnicaError
from unica.image import Picture, load, resize

Box = tuple[int, int, int, int]  # left, top, width, height
Polygon = Sequence[tuple[float, float]]  # corners
Mask = Bool[Tensor, "1 h w"]


@dataclass(frozen=True)
class Region:
    """All its parts together, in pixels of the picture as its file has them; the names are those of the options."""

    mask: str | os.PathLike[str] | Any | None = None  # a picture as large, white where to act
    mask_alpha: bool = False  # where the picture is transparent
    box: Sequence[Box] = ()
    polygon: Sequence[Polygon] = ()

    def __post_init__(self) -> None:
        if any(not isinstance(box, Sequence) or len(box) != 4 for box in self.box):
            raise UnicaError("box is a list of boxes, each left, top, width and height: [(10, 20, 64, 48)]")

    def on(self, picture: Picture) -> Mask:
        """Which pixels are meant. Some must be, and not all."""
        width, height = picture.size
        meant = torch.zeros(1, height, width, dtype=torch.bool)
        if self.mask is not None:
            meant |= _read(self.mask, picture)
        if self.mask_alpha:
            if picture.alpha is None:
                raise UnicaError("mask-alpha asks for a picture with transparency, and this one has none")
            meant |= picture.alpha.cpu() == 0
        for box in self.box:
            left, top, right, bottom = corners(box, picture, "box")
            meant[:, top:bottom, left:right] = True
        for polygon in self.polygon:
            meant |= _inside(polygon, picture)
        if not meant.any():
            raise UnicaError("no pixel is marked; mark some with --mask, --mask-alpha, --box or --polygon")
        if meant.all():
            raise UnicaError("every pixel is marked, by mask, box or polygon: nothing is left to go on from")
        return meant


def corners(box: Box, picture: Picture, option: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in the pixels that there are now, of a box in the file's."""
    (w0, h0), (w, h) = picture.original_size, picture.size
    left, top, width, height = box
    if width < 1 or height < 1 or left < 0 or top < 0 or left + width > w0 or top + height > h0:
        words = ",".join(map(str, box))
        raise UnicaError(f"{option} {words} does not lie within the picture, which has {w0}x{h0} pixels")
    first = (left * w // w0, top * h // h0)
    return (
        *first,
        max(round((left + width) * w / w0), first[0] + 1),
        max(round((top + height) * h / h0), first[1] + 1),
    )


def grown(mask: Mask, by: int) -> Mask:
    """The mask and all within `by` pixels of it, diagonals included."""
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


def _read(mask: Any, picture: Picture) -> Mask:
    seen = load(mask, smallest=1)
    if seen.size not in (picture.size, picture.original_size):
        (w, h), (w0, h0) = seen.size, picture.original_size
        raise UnicaError(f"the mask has {w}x{h} pixels and the picture {w0}x{h0}; they must be as large")
    white = (seen.pixels.mean(0, keepdim=True) + 1) / 2
    white = white if seen.alpha is None else white * seen.alpha
    return resize(white[None], (picture.size[1], picture.size[0]), "bilinear")[0] > 0.5


def _inside(polygon: Polygon, picture: Picture) -> Mask:
    """Pixels whose middle a ray from the left finds behind an odd number of edges."""
    if len(polygon) < 3:
        raise UnicaError(f"polygon must have at least 3 corners, not {len(polygon)}")
    (w0, h0), (w, h) = picture.original_size, picture.size
    if not all(0 <= x <= w0 and 0 <= y <= h0 for x, y in polygon):
        raise UnicaError(f"polygon has corners that do not lie within the picture, which has {w0}x{h0} pixels")
    y, x = ((torch.arange(n) + 0.5) * (full / n) for n, full in ((h, h0), (w, w0)))
    inside = torch.zeros(h, w, dtype=torch.bool)
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]]):
        if y1 != y2:
            crossed = (y1 <= y) != (y2 <= y)
            at = x1 + (y - y1) * ((x2 - x1) / (y2 - y1))
            inside ^= crossed[:, None] & (at[:, None] < x)
    return inside[None]
