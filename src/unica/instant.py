"""The instant engine as a model: the source at several sizes, and the closed-form denoiser over its patches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.devices import find_device, find_dtype
from unica.diffusion import Axes, Denoiser, Level, upsample
from unica.errors import UnicaError
from unica.guides import Known
from unica.image import Picture, load
from unica.patches import Edges, PatchDenoiser, Recipe, match
from unica.pyramid import Scale, Size, canvas_sizes, level_sizes, pyramid
from unica.regions import Mask

_SMALLEST = 3  # side of a patch
_PLIANT: dict[str, Any] = {"start": 0.1, "fine_steps": 6, "deblur": False}


@dataclass(frozen=True)
class Instant:
    """A model of one picture that needs no training, only the picture at several sizes."""

    picture: Picture
    scales: Sequence[Scale]
    recipe: Recipe
    start: float  # noise the coarsest level starts with; below the recipe's highest it starts from the source
    settings: dict[str, Any]  # what decides the pixels, besides the task's own words
    device: torch.device
    dtype: torch.dtype
    engine: str = "instant"
    source: bool = True  # this engine draws from nothing else
    batch: int = 1  # pictures drawn together: a search gains nothing from company
    traces: bool = True  # every pixel is from somewhere

    @property
    def channels(self) -> int:
        return self.picture.pixels.shape[0]

    @property
    def summary(self) -> str:
        width, height = self.picture.size
        return f"{self.engine} engine, {width}x{height} source, {len(self.scales)} levels, {self.device.type}"

    def without(self, hidden: Mask) -> Instant:
        alpha = torch.ones(hidden.shape) if self.picture.alpha is None else self.picture.alpha
        visible = (alpha * ~hidden).to(self.device)
        if not visible.any():
            raise UnicaError("nothing of the picture is left to draw from")
        sizes = [scale.size for scale in self.scales]
        return replace(self, scales=pyramid(self.picture.pixels.to(self.device), visible, sizes))

    def closer(self) -> Instant:
        """Of the smallest patches."""
        return replace(self, recipe=replace(self.recipe, patch=_SMALLEST))

    def pliant(self) -> Instant:
        """More noise and more steps on finer levels, and no deblurring."""
        return replace(self, recipe=replace(self.recipe, **_PLIANT))

    def denoiser(self, seeds: Sequence[int], known: Known | None = None) -> PatchDenoiser:
        return PatchDenoiser(self.scales, self.recipe, seeds, self.dtype, known)

    def levels(self, size: Size, wrap: Axes = "") -> list[Level]:
        sizes = canvas_sizes(size, [scale.size for scale in self.scales])
        first, *finer = (replace(level, wrap=wrap) for level in self.recipe.levels(sizes))
        times = tuple(t for t in first.times if t <= self.start)
        return [replace(first, times=times), *finer]

    def initial(self, level: Level) -> Float[Tensor, "1 c h w"] | None:
        """What the coarsest level starts from: None is pure noise."""
        if self.start >= self.recipe.high:
            return None
        return upsample(self.scales[0].pixels[None], level.size)

    def work(self, level: Level, t: float) -> float:
        """Roughly how long a step of a level takes, for progress bars."""
        height, width = level.size
        if not self.recipe.is_exact(level, t):
            return height * width
        rows, columns = self.scales[level.index].size
        return height * width * rows * columns / 60

    def origins(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Int[Tensor, "h w 2"]:
        run = cast(PatchDenoiser, denoiser)
        return run.origins(row) if run.began else match(x0, self.scales)

    def alpha(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Float[Tensor, "1 h w"] | None:
        """The transparency that the pixels of the finished picture have where they come from."""
        alpha = self.scales[-1].alpha
        if alpha is None or self.picture.alpha is None:
            return None
        rows, columns = self.origins(x0, denoiser, row).long().unbind(-1)
        return alpha[:, rows, columns]


def open(
    image: str | os.PathLike[str] | Any,
    diversity: float = 0.5,
    patch: int = 7,
    levels: int | None = None,
    max_side: int | None = 1024,
    device: str = "auto",
    precision: str = "auto",
) -> Instant:
    """A model of one picture, a path or a PIL image, ready to draw from.

    `diversity` runs from 0, a near-copy, over 0.5, new layouts of the same scene, to 1, wild. `patch` is the side of
    the patches that finer levels are made of: larger copies more. `levels` is how many sizes the picture is seen at.
    """
    if not 0 <= diversity <= 1:
        raise UnicaError(f"diversity must lie between 0 (near-copy) and 1 (wild), not {diversity:g}")
    if patch % 2 == 0 or not _SMALLEST <= patch <= 31:
        raise UnicaError(f"patch must be an odd number from {_SMALLEST} to 31, not {patch}")
    if levels is not None and not 1 <= levels <= 12:
        raise UnicaError(f"levels must be between 1 and 12, not {levels}")
    if max_side is not None and max_side < 32:
        raise UnicaError(f"max-side must be at least 32 pixels, not {max_side}")
    where = find_device(device)
    # The compiled loops of the CPU have no matrix products, and always work in float32.
    dtype = find_dtype("float32" if (precision, where.type) == ("auto", "cpu") else precision, where)
    picture = load(image, max_side)
    recipe, start = _recipe(diversity, patch)
    pixels = picture.pixels.to(where)
    alpha = None if picture.alpha is None else picture.alpha.to(where)
    height, width = pixels.shape[-2:]
    scales = pyramid(pixels, alpha, level_sizes((height, width), recipe.coarsest_area, levels))
    settings = {"diversity": diversity, "patch": patch, "levels": levels, "max_side": max_side}
    return Instant(picture, scales, recipe, start, settings, where, dtype)


def _recipe(diversity: float, patch: int) -> tuple[Recipe, float]:
    """Below 0.5 the chain starts from the source and less noise; above, smaller patches are less tied to the frame."""
    default = Recipe(patch=patch)
    if diversity <= 0.5:
        return default, default.high * 0.03 ** (1 - 2 * diversity)
    wild = 2 * diversity - 1
    edges = Edges(default.edges.rows * (1 - wild), default.edges.columns, default.edges.outside)
    widest = round(default.widest + (11 - default.widest) * wild)
    narrowest = round(default.narrowest + (5 - default.narrowest) * wild)
    return replace(default, edges=edges, widest=widest, narrowest=narrowest), default.high
