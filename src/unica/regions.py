"""Where to act on a picture: by a mask, by transparency, by boxes and by polygons."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Boxes, File, Flag, Param, Polygons
from unica.errors import UnicaError

if TYPE_CHECKING:
    from unica.image import Picture
    from unica.masks import Mask

_NOTHING = "no pixel is marked; mark some with --mask, --mask-alpha, --box or --polygon"

Box = tuple[int, int, int, int]  # left, top, width, height
Polygon = Sequence[tuple[float, float]]  # corners


@dataclass(frozen=True)
class Region:
    """Where to act: all parts together, in pixels of the picture as its file has it."""

    mask: Annotated[
        str | os.PathLike[str] | Any | None, Param("A picture of the same size, white where to act.", File())
    ] = None
    mask_alpha: Annotated[bool, Param("Act where the picture is transparent.", Flag())] = False
    box: Annotated[Sequence[Box], Param("Act in this box; may be repeated.", Boxes())] = ()
    polygon: Annotated[Sequence[Polygon], Param("Act between these corners; may be repeated.", Polygons())] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", Boxes().check("box", self.box))
        object.__setattr__(self, "polygon", Polygons().check("polygon", self.polygon))

    def check(self) -> None:
        """Refuse a region that marks nothing, before there is any work."""
        if self.mask is None and not (self.mask_alpha or self.box or self.polygon):
            raise UnicaError(_NOTHING)

    def parts(self) -> "list[Region]":
        """Each box, each polygon, and each mask, as a region of its own."""
        masks = [Region(mask=self.mask)] * (self.mask is not None) + [Region(mask_alpha=True)] * self.mask_alpha
        return [*masks, *(Region(box=[box]) for box in self.box), *(Region(polygon=[each]) for each in self.polygon)]

    def on(self, picture: "Picture", dilate: int | None = 0) -> "Mask":
        """Which pixels are meant. Some must be, and not all.

        They grow by `dilate` pixels. By None, what was drawn by hand (the mask and the polygons) grows by what a thing
        reaches beyond it.
        """
        from unica.masks import grown
        from unica.tone import overhang

        meant = self._meant(picture)
        if not meant.any():
            raise UnicaError(_NOTHING)
        if dilate is None:
            drawn = Region(mask=self.mask, polygon=self.polygon)._meant(picture)
            meant |= grown(drawn, overhang(picture.pixels, drawn))
        else:
            meant = grown(meant, dilate)
        if meant.all():
            raise UnicaError("every pixel is marked: nothing is left to continue from; mark or dilate less")
        return meant

    def within(self, picture: "Picture", left: int, top: int, width: int, height: int) -> "Region":
        """The same region on a part of the picture that has all of it."""
        from unica.image import to_pil

        mask = self.mask
        if mask is not None:
            marked = _read(mask, picture)[:, top : top + height, left : left + width]
            mask = to_pil(marked.float() * 2 - 1)
        box = [(x - left, y - top, w, h) for x, y, w, h in self.box]
        polygon = [
            [(min(max(x - left, 0), width), min(max(y - top, 0), height)) for x, y in corners]
            for corners in self.polygon
        ]
        return Region(mask, self.mask_alpha, box, polygon)

    def _meant(self, picture: "Picture") -> "Mask":
        import torch

        width, height = picture.size
        meant = torch.zeros(1, height, width, dtype=torch.bool)
        if self.mask is not None:
            meant |= _read(self.mask, picture)
        if self.mask_alpha:
            if picture.alpha is None:
                raise UnicaError("mask-alpha needs a picture with transparency, and this one has none")
            meant |= picture.alpha.cpu() == 0
        for box in self.box:
            left, top, right, bottom = corners(box, picture, "box")
            meant[:, top:bottom, left:right] = True
        for polygon in self.polygon:
            meant |= _inside(polygon, picture)
        return meant


def corners(box: Box, picture: "Picture", option: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box, from pixels of the file to pixels of the picture as it is now."""
    (w0, h0), (w, h) = picture.original_size, picture.size
    left, top, width, height = box
    check_not_empty(box, option)
    if left < 0 or top < 0 or left + width > w0 or top + height > h0:
        words = ",".join(map(str, box))
        raise UnicaError(f"{option} {words} does not lie within the picture, which has {w0}x{h0} pixels")
    first = (left * w // w0, top * h // h0)
    return (
        *first,
        max(round((left + width) * w / w0), first[0] + 1),
        max(round((top + height) * h / h0), first[1] + 1),
    )


def check_not_empty(box: Box, option: str) -> None:
    if min(box[2:]) < 1:
        raise UnicaError(f"{option} {','.join(map(str, box))} is empty: width and height must be at least 1")


def _read(mask: Any, picture: "Picture") -> "Mask":
    from unica.image import load, resize

    seen = load(mask, smallest=1)
    if seen.size not in (picture.size, picture.original_size):
        (w, h), (w0, h0) = seen.size, picture.original_size
        raise UnicaError(f"the mask has {w}x{h} pixels and the picture {w0}x{h0}; both must have the same size")
    white = (seen.pixels.mean(0, keepdim=True) + 1) / 2
    white = white if seen.alpha is None else white * seen.alpha
    return resize(white[None], (picture.size[1], picture.size[0]), "bilinear")[0] > 0.5


def _inside(polygon: Polygon, picture: "Picture") -> "Mask":
    """Pixels inside a polygon, by the even-odd rule: a ray from the left crosses an odd number of edges first."""
    import torch

    if len(polygon) < 3:
        raise UnicaError(f"polygon must have at least 3 corners, not {len(polygon)}")
    (w0, h0), (w, h) = picture.original_size, picture.size
    for x, y in polygon:
        if not (0 <= x <= w0 and 0 <= y <= h0):
            raise UnicaError(f"polygon has a corner at {x:g},{y:g}, outside the picture, which has {w0}x{h0} pixels")
    y, x = ((torch.arange(n) + 0.5) * (full / n) for n, full in ((h, h0), (w, w0)))
    inside = torch.zeros(h, w, dtype=torch.bool)
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]]):
        if y1 != y2:
            crossed = (y1 <= y) != (y2 <= y)
            at = x1 + (y - y1) * ((x2 - x1) / (y2 - y1))
            inside ^= crossed[:, None] & (at[:, None] < x)
    return inside[None]
