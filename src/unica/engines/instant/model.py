"""The instant engine's model: the source at several sizes, and the closed-form denoiser over its patches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.devices import find_device, find_dtype
from unica.diffusion import Denoiser, Level, upsample
from unica.engines.base import Model, Run
from unica.engines.instant import Knobs
from unica.errors import UnicaError
from unica.image import Picture, load
from unica.masks import Mask, filled
from unica.patches import Edges, PatchDenoiser, PatchSettings, match, measure_order
from unica.pyramid import Scale, Size, canvas_sizes, level_sizes, pyramid
from unica.torus import Axes

_SMALLEST = 3  # side of a patch
_FOR_GUIDANCE: dict[str, Any] = {"start": 0.1, "fine_steps": 6, "deblur": False}


@dataclass(frozen=True)
class Instant(Model):
    """A model of one picture that needs no training, only the picture at several sizes."""

    picture: Picture
    scales: Sequence[Scale]
    patch_settings: PatchSettings
    start_sigma: float  # noise of the coarsest level's first step; below the highest, a run starts from the source
    knobs: Knobs
    device: torch.device
    dtype: torch.dtype

    engine = "instant"
    knows_origins = True

    @property
    def settings(self) -> dict[str, Any]:
        return asdict(self.knobs)

    @property
    def max_side(self) -> int | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.knobs.max_side

    @property
    def summary(self) -> str:
        width, height = self.picture.size
        return f"{self.engine} engine, {width}x{height} source, {len(self.scales)} levels, {self.device.type}"

    def run(self, size: Size, wrap: Axes = "") -> Run:
        """Low diversity starts from the source, with so little noise that its layout survives."""
        sizes = canvas_sizes(size, [scale.size for scale in self.scales])
        first, *finer = (replace(level, wrap=wrap) for level in self.patch_settings.levels(sizes))
        first = replace(first, times=tuple(t for t in first.times if t <= self.start_sigma))
        if self.start_sigma >= self.patch_settings.high:
            return Run([first, *finer])
        source = self.scales[0]
        return Run([first, *finer], upsample(filled(source.pixels, source.visible[None])[None], first.size))

    def denoiser(self, seeds: Sequence[int]) -> PatchDenoiser:
        return PatchDenoiser(self.scales, self.patch_settings, seeds, self.dtype)

    def to(self, device: str | torch.device) -> Instant:
        where = find_device(str(device))
        scales = [
            Scale(s.pixels.to(where), None if s.alpha is None else s.alpha.to(where), s.visible.to(where))
            for s in self.scales
        ]
        return replace(self, scales=scales, device=where)

    def hiding(self, mask: Mask) -> Instant:
        alpha = torch.ones(mask.shape) if self.picture.alpha is None else self.picture.alpha
        visible = (alpha * ~mask).to(self.device)
        if not visible.any():
            raise UnicaError("nothing of the picture is left to draw from")
        sizes = [scale.size for scale in self.scales]
        return replace(self, scales=pyramid(self.picture.pixels.to(self.device), visible, sizes))

    def with_small_patches(self) -> Instant:
        return replace(self, patch_settings=replace(self.patch_settings, patch=_SMALLEST))

    def for_guidance(self) -> Instant:
        """More noise and more steps on finer levels, and no deblurring."""
        return replace(self, patch_settings=replace(self.patch_settings, **_FOR_GUIDANCE))

    def work(self, level: Level, t: float) -> float:
        height, width = level.size
        if not self.patch_settings.is_exact(level, t):
            return height * width
        rows, columns = self.scales[level.index].size
        return height * width * rows * columns / 160

    def origins(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Int[Tensor, "h w 2"]:
        patches = cast(PatchDenoiser, denoiser)
        return patches.origins(row) if patches.began else match(x0, self.scales)

    def alpha(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Float[Tensor, "1 h w"] | None:
        """Each pixel is as transparent as the source is where the pixel comes from."""
        alpha = self.scales[-1].alpha
        if alpha is None or self.picture.alpha is None:
            return None
        rows, columns = self.origins(x0, denoiser, row).long().unbind(-1)
        return alpha[:, rows, columns]


def open_picture(image: str | os.PathLike[str] | Any, knobs: Knobs, device: str, precision: str) -> Instant:
    """A model of a picture, ready to draw from."""
    where = find_device(device)
    # The compiled loops of the CPU have no matrix products, and always work in float32.
    dtype = find_dtype("float32" if (precision, where.type) == ("auto", "cpu") else precision, where)
    picture = load(image, knobs.max_side)
    settings, start_sigma = _patch_settings(knobs)
    pixels = picture.pixels.to(where)
    alpha = None if picture.alpha is None else picture.alpha.to(where)
    height, width = pixels.shape[-2:]
    scales = pyramid(pixels, alpha, level_sizes((height, width), settings.coarsest_area, knobs.levels))
    settings = replace(settings, order=_order(knobs, pixels, alpha, settings.coarsest_area))
    return Instant(picture, scales, settings, start_sigma, knobs, where, dtype)


def _order(knobs: Knobs, pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None, area: int) -> float:
    """How firm the order of rows is. By default the source says it, and high diversity loosens it."""
    if knobs.order is not None:
        return knobs.order
    height, width = pixels.shape[-2:]
    (coarsest,) = pyramid(pixels, alpha, level_sizes((height, width), area)[:1])
    return measure_order(coarsest) * min(2 - 2 * knobs.diversity, 1.0)


def _patch_settings(knobs: Knobs) -> tuple[PatchSettings, float]:
    """How patches are used, and the noise that the coarsest level starts with.

    Diversity below 0.5 starts from the source with less noise. Above it, smaller patches and cheaper borders loosen the
    layout.
    """
    default = PatchSettings(patch=knobs.patch)
    if knobs.diversity <= 0.5:
        return default, default.high * 0.03 ** (1 - 2 * knobs.diversity)
    wild = 2 * knobs.diversity - 1
    edges = Edges(default.edges.rows * (1 - wild), default.edges.columns, default.edges.outside)
    widest = round(default.widest + (11 - default.widest) * wild)
    narrowest = round(default.narrowest + (5 - default.narrowest) * wild)
    return replace(default, edges=edges, widest=widest, narrowest=narrowest), default.high
