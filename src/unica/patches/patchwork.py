"""The closed form on one picture: the picture at several sizes, and how its patches are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Level, upsample
from unica.errors import UnicaError
from unica.image import Picture, resize, smooth
from unica.masks import Mask, filled
from unica.patches.denoiser import PatchDenoiser
from unica.patches.exact import alike
from unica.patches.healing import KEPT_DECAY, reach
from unica.patches.match import match
from unica.patches.order import order_on
from unica.patches.settings import PatchSettings
from unica.pyramid import Scale, Size, canvas_sizes, level_sizes, pyramid
from unica.torus import Axes

_SMALLEST = 3  # side of a patch


@dataclass(frozen=True)
class Patchwork:
    """What draws pictures from the patches of one picture."""

    picture: Picture
    scales: Sequence[Scale]  # from coarse to fine
    settings: PatchSettings
    dtype: torch.dtype = torch.float32
    relevance: Float[Tensor, "h w"] | None = None  # log prior of the picture's pixels; None: all are alike

    @classmethod
    def of(
        cls,
        picture: Picture,
        settings: PatchSettings,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        levels: int | None = None,
    ) -> Patchwork:
        """A picture at `levels` sizes, by default as many as suit it."""
        height, width = picture.pixels.shape[-2:]
        sizes = level_sizes((height, width), settings.coarsest_area, levels)
        return cls(picture, _scales(picture, picture.visibility, sizes, device), settings, dtype)

    def levels(self, size: Size, wrap: Axes = "", part: str = "", skipped: float = 0.0) -> list[Level]:
        """The levels that draw on a canvas, without this fraction of the coarsest one's first steps."""
        sizes = canvas_sizes(size, [scale.size for scale in self.scales])
        heights, order = order_on(self.scales[0], sizes[0][0])
        larger = alike(sizes[0], self.scales[0].size) != (1, 1)
        levels = self.settings.levels(sizes, skipped, larger)
        return [replace(level, wrap=wrap, part=part, heights=heights, order=order) for level in levels]

    def source(self, size: Size) -> Float[Tensor, "1 c h w"]:
        """The picture at the coarsest level of a canvas, for runs that start from it."""
        coarsest = self.scales[0]
        return upsample(filled(coarsest.pixels, coarsest.visible[None])[None], size)

    def denoiser(self, seeds: Sequence[int]) -> PatchDenoiser:
        relevance = None
        if self.relevance is not None:
            relevance = resize(self.relevance[None, None], self.scales[0].size, "bilinear")[0, 0]
        return PatchDenoiser(self.scales, self.settings, seeds, self.dtype, relevance)

    def to(self, device: torch.device) -> Patchwork:
        return replace(self, scales=[scale.to(device) for scale in self.scales])

    def hiding(self, mask: Mask) -> Patchwork:
        """The same without these pixels."""
        device = self.scales[0].pixels.device
        seen = self.picture.visibility
        visible = (torch.ones(mask.shape) if seen is None else seen) * ~mask
        if not visible.any():
            raise UnicaError("nothing of the picture is left to draw from")
        sizes = [scale.size for scale in self.scales]
        return replace(self, scales=_scales(self.picture, visible, sizes, device))

    def preferring(self, relevance: Float[Tensor, "h w"]) -> Patchwork:
        """The same with more of some parts of the picture: in proportion to exp(relevance)."""
        return replace(self, relevance=relevance.to(self.scales[0].pixels.device))

    def with_small_patches(self) -> Patchwork:
        return replace(self, settings=replace(self.settings, patch=_SMALLEST))

    def with_wide_search(self) -> Patchwork:
        """The same with random candidates. Where origins of coarser pixels fit badly, they would repeat as combs."""
        return replace(self, settings=replace(self.settings, jitter=2, reach=3))

    def for_guidance(self) -> Patchwork:
        """The same with more noise and more steps on finer levels, and no deblurring."""
        return replace(self, settings=replace(self.settings, start=0.1, fine_steps=6, deblur=False))

    def work(self, level: Level, t: float) -> float:
        """Roughly how long a step takes; 1 is a pixel of a step that does not compare all patches."""
        height, width = level.size
        if not self.settings.is_exact(level, t):
            return height * width
        rows, columns = self.scales[level.index].size
        return height * width * rows * columns / 160

    def reach(self, level: Level, keeps: bool = False) -> int | None:
        """How many pixels away what is there before a level decides a pixel of its result; None: however far.

        It is more where something of a picture is kept.
        """
        settings = self.settings
        if level.index == 0 or any(settings.is_exact(level, t) for t in level.times[:-1]):
            return None
        radius = settings.patch // 2
        search = max(radius + settings.passes - 1, settings.passes)
        healed = max(reach(settings.decay), reach(KEPT_DECAY) if keeps else 0)
        return (len(level.times) - 2) * (search + radius) + search + healed

    def origins(self, x0: Float[Tensor, "c h w"], denoiser: PatchDenoiser, row: int) -> Int[Tensor, "h w 2"]:
        """Row and column in the source of each pixel of a finished picture, which may have been resized since."""
        if not denoiser.began:
            return match(x0, self.scales)
        found, index = _resized(denoiser.origins(row), x0), denoiser.index(row)
        if index == len(self.scales) - 1:
            return found
        (height, width), (h, w) = self.scales[-1].size, self.scales[index].size  # a run may end on a coarser level
        return ((found + 0.5) * torch.tensor([height / h, width / w], device=found.device)).int()

    def alpha(self, x0: Float[Tensor, "c h w"], denoiser: PatchDenoiser, row: int) -> Float[Tensor, "1 h w"] | None:
        """Each pixel is as transparent as the source is where the pixel comes from."""
        if not denoiser.began:
            return self.alpha_at(len(self.scales) - 1, match(x0, self.scales))
        return self.alpha_at(denoiser.index(row), _resized(denoiser.origins(row), x0))

    def alpha_at(self, index: int, origins: Int[Tensor, "h w 2"]) -> Float[Tensor, "1 h w"] | None:
        """The transparency of the source at these origins of a level."""
        alpha = self.scales[index].alpha
        if alpha is None or self.picture.alpha is None:
            return None
        rows, columns = origins.long().unbind(-1)
        return alpha[:, rows, columns]


def _scales(
    picture: Picture, visible: Float[Tensor, "1 h w"] | None, sizes: Sequence[Size], device: torch.device
) -> list[Scale]:
    """A picture at these sizes, of which so much can be seen."""
    visible = None if visible is None else visible.to(device)
    scales = pyramid(picture.pixels.to(device), visible, sizes)
    if not picture.maps:
        return scales
    return [scale._replace(smooth=smooth(picture.maps).to(device)) for scale in scales]


def _resized(origins: Int[Tensor, "h w 2"], x0: Float[Tensor, "c y x"]) -> Int[Tensor, "y x 2"]:
    """Origins of a picture that has been resized since."""
    rows, columns = (
        ((torch.arange(now, device=origins.device) + 0.5) * (drawn / now)).long()
        for now, drawn in zip(x0.shape[1:], origins.shape)
    )
    return origins[rows][:, columns]
