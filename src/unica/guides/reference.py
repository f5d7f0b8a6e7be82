"""Following a given picture: keep a part of it as it is, or follow its low frequencies (SinDiffusion, Eq. 6 and 7).

The paper replaces parts of x_{t-1} by the noised reference. Here x0 is replaced instead, and the update derives the
noise from the new x0. The result is the same, and the noise stays the chain's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Kept, Level
from unica.image import resize
from unica.window import Window, area_taps, combined, needed

Image = Float[Tensor, "b c h w"]


def kept_at(picture: Float[Tensor, "1 c h w"], new: Float[Tensor, "1 1 h w"], size: tuple[int, int]) -> Kept:
    """What is kept of a canvas, at the (height, width) of a level.

    `new` is 0 where the picture stays and above 0 where it is drawn. A pixel of a coarser level is kept only if all of
    it stays.
    """
    canvas = (picture.shape[-2], picture.shape[-1])
    return placed_at(picture, new, Window.whole(canvas), canvas, size)[0]


def placed_at(
    picture: Float[Tensor, "1 c h w"],
    new: Float[Tensor, "1 1 h w"],
    place: Window,
    canvas: tuple[int, int],
    size: tuple[int, int],
) -> tuple[Kept, Window]:
    """`kept_at` of a canvas that is kept in one place only: what is kept, and where on the level that lies."""
    stays = (new <= 0).to(picture)
    if canvas == size:
        return Kept(picture * stays, stays > 0), place
    (top, bottom), (left, right) = (
        (start * now // full, -(stop * now // -full))
        for start, stop, now, full in zip(place[:2], (place.bottom, place.right), size, canvas)
    )
    there = Window.between((top, bottom), (left, right))
    rows, columns = (area_taps(first, count, now, full) for first, count, now, full in zip(
        (top, left), (there.height, there.width), size, canvas))  # fmt: skip
    read = needed(rows, columns)
    beyond = (place.left - read.left, read.right - place.right, place.top - read.top, read.bottom - place.bottom)
    kept, share = (combined(F.pad(x, beyond), rows, columns, read) for x in (picture * stays, stays))
    return Kept((kept / share.clamp_min(1e-6)).clamp(-1, 1), share >= 1 - 1e-4), there


def kept_on(kept: Kept, there: Window, part: Window, size: tuple[int, int]) -> Kept | None:
    """What is kept on a part of a level, of what is kept at the place `there` alone; None if nothing is."""
    rows, columns = (
        torch.arange(first, first + count) % length - start
        for first, count, length, start in zip(part[:2], part[2:], size, there[:2])
    )
    inside = [(at >= 0) & (at < count) for at, count in zip((rows, columns), there[2:])]
    if not (inside[0].any() and inside[1].any()):
        return None
    at = (..., rows.clamp(0, there.height - 1)[:, None], columns.clamp(0, there.width - 1))
    mask = kept.mask[at] & (inside[0][:, None] & inside[1]).to(kept.mask.device)
    return Kept(kept.picture[at], mask)


class LowPass:
    """Replaces the low frequencies of x0 by the picture's (Eq. 7). `size` is the filter's, in pixels.

    It acts in the first `share` of all steps of the run's `levels`; the other steps turn it into detail. The filter's
    size is that on the finest level; coarser levels use a proportionally smaller one.
    """

    def __init__(self, picture: Image, levels: Sequence[Level], size: float = 8, share: float = 0.8) -> None:
        self.picture, self.size, self.finest = picture, size, levels[-1].size
        times = [(level.part, level.index, t) for level in levels for t in level.times[:-1]]
        self.guided = set(times[: round(share * len(times))])

    def __call__(self, x0: Image, t: float, level: Level) -> Image:
        if (level.part, level.index, t) not in self.guided:
            return x0
        height, width = level.size
        size = self.size * (height * width / (self.finest[0] * self.finest[1])) ** 0.5
        picture = resize(self.picture, level.size, "bicubic").to(x0)
        return x0 + low_pass(picture - x0, max(size, 1.0))


def low_pass(x: Image, size: float) -> Image:
    """x shrunk by the factor `size` and enlarged again: a linear filter (Choi et al. 2021)."""
    height, width = x.shape[-2:]
    small = (max(round(height / size), 1), max(round(width / size), 1))
    if small == (height, width):
        return x
    return resize(resize(x, small, "bicubic"), (height, width), "bicubic")
