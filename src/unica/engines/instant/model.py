"""The instant engine's model: the closed form over the patches of one picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.devices import find_device, find_dtype
from unica.diffusion import Denoiser, Level
from unica.engines.base import Model, Run
from unica.engines.instant import Knobs
from unica.image import Picture
from unica.maps import load_source
from unica.masks import Mask
from unica.patches import Edges, PatchDenoiser, PatchSettings, Patchwork, measure_order
from unica.pyramid import Size
from unica.torus import Axes


@dataclass(frozen=True)
class Instant(Model):
    """A model of one picture that needs no training, only the picture at several sizes."""

    patchwork: Patchwork
    start_sigma: float  # noise of the coarsest level's first step; below the highest, a run starts from the source
    knobs: Knobs
    device: torch.device
    dtype: torch.dtype

    engine = "instant"
    knows_origins = True

    @property
    def picture(self) -> Picture:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.patchwork.picture

    @property
    def detail_patches(self) -> Patchwork:
        return self.patchwork

    @property
    def settings(self) -> dict[str, Any]:
        return asdict(self.knobs)

    @property
    def max_side(self) -> int | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.knobs.max_side

    @property
    def summary(self) -> str:
        width, height = self.picture.size
        levels = len(self.patchwork.scales)
        return f"{self.engine} engine, {width}x{height} source, {levels} levels, {self.device.type}"

    def run(self, size: Size, wrap: Axes = "") -> Run:
        """Low diversity starts from the source, with so little noise that its layout survives."""
        first, *finer = self.patchwork.levels(size, wrap)
        first = replace(first, times=tuple(t for t in first.times if t <= self.start_sigma))
        from_noise = self.start_sigma >= self.patchwork.settings.high
        return Run([first, *finer], None if from_noise else self.patchwork.source(first.size))

    def denoiser(self, seeds: Sequence[int]) -> PatchDenoiser:
        return self.patchwork.denoiser(seeds)

    def to(self, device: str | torch.device) -> Instant:
        where = find_device(str(device))
        return replace(self, patchwork=self.patchwork.to(where), device=where)

    def hiding(self, mask: Mask) -> Instant:
        return replace(self, patchwork=self.patchwork.hiding(mask))

    def preferring(self, relevance: Float[Tensor, "h w"]) -> Instant:
        return replace(self, patchwork=self.patchwork.preferring(relevance))

    def with_small_patches(self) -> Instant:
        return replace(self, patchwork=self.patchwork.with_small_patches())

    def with_wide_search(self) -> Instant:
        return replace(self, patchwork=self.patchwork.with_wide_search())

    def for_guidance(self) -> Instant:
        return replace(self, patchwork=self.patchwork.for_guidance())

    def work(self, level: Level, t: float) -> float:
        return self.patchwork.work(level, t)

    def origins(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Int[Tensor, "h w 2"]:
        return self.patchwork.origins(x0, cast(PatchDenoiser, denoiser), row)

    def alpha(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Float[Tensor, "1 h w"] | None:
        return self.patchwork.alpha(x0, cast(PatchDenoiser, denoiser), row)


def open_picture(image: str | os.PathLike[str] | Any, knobs: Knobs, device: str, precision: str) -> Instant:
    """A model of a picture, ready to draw from."""
    where = find_device(device)
    # The compiled loops of the CPU have no matrix products, and always work in float32.
    dtype = find_dtype("float32" if (precision, where.type) == ("auto", "cpu") else precision, where)
    picture = load_source(image, knobs.max_side)
    settings, start_sigma = _patch_settings(knobs)
    patchwork = Patchwork.of(picture, settings, where, dtype, knobs.levels)
    order = _order(knobs, Patchwork.of(picture, settings, where))
    return Instant(replace(patchwork, settings=replace(settings, order=order)), start_sigma, knobs, where, dtype)


def _order(knobs: Knobs, patchwork: Patchwork) -> float:
    """How firm the order of rows is. By default the source says it, and high diversity loosens it."""
    if knobs.order is not None:
        return knobs.order
    return measure_order(patchwork.scales[0]) * min(2 - 2 * knobs.diversity, 1.0)


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
