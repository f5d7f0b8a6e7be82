"""The canvas of a run: what stays of a picture, what is drawn, and where in the source each pixel came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Level
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.guides import kept_at
from unica.image import Picture
from unica.masks import Mask, feathered
from unica.patches import even_heights, nearest_origins
from unica.pyramid import Size, pyramid


@dataclass(frozen=True)
class Canvas:
    """A picture, and how much of each pixel is drawn: `new` is 0 where the picture stays and 1 where it is replaced.

    Values between blend the two. Pixels that stay are the same in all bits. Tensors are on the CPU.
    """

    pixels: Float[Tensor, "c h w"]
    alpha: Float[Tensor, "1 h w"] | None
    new: Float[Tensor, "1 h w"]
    origins: Int[Tensor, "h w 2"]  # row and column in the source; -1 where only a search would tell
    heights: Float[Tensor, " h"] | None = None  # of a canvas that goes on above or below the source, as in `Level`

    @classmethod
    def of_source(cls, picture: Picture, new: Mask | None = None, feather: int = 0) -> Canvas:
        """The source, of which the mask `new` is drawn; by default nothing."""
        height, width = picture.pixels.shape[-2:]
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        new = torch.zeros(1, height, width, dtype=torch.bool) if new is None else new
        origins = torch.stack([rows, columns], -1).int()
        return cls(picture.pixels, picture.alpha, feathered(new, feather), origins)

    @classmethod
    def finished(cls, pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None) -> Canvas:
        """A picture of unknown origin, nothing of which is drawn."""
        origins = torch.full((*pixels.shape[1:], 2), -1, dtype=torch.int32)
        return cls(pixels, alpha, torch.zeros_like(pixels[:1]), origins)

    @classmethod
    def of_other(cls, picture: Picture, model: Model, new: Mask | None = None, feather: int = 0) -> Canvas:
        """Another picture, with the source's kind of channels, of which `new` is drawn; by default all.

        Of a source with several maps, it is the first; the others are those of the places that look most alike.
        """
        pixels, (width, height) = picture.pixels, picture.size
        maps = () if picture.maps else model.picture.maps
        channels = maps[0].planes if maps else len(model.picture.pixels)  # a picture with the same maps has them all
        if maps and maps[0].kind != "color":
            raise UnicaError("another picture has colours, and the first map of this source is of something else")
        if len(pixels) != channels:
            pixels = pixels.mean(0, keepdim=True) if channels == 1 else pixels.expand(channels, -1, -1)
        if maps:
            pixels, source = pixels * maps[0].amplitude, model.picture.pixels
            rows, columns = nearest_origins(pixels, source[:channels]).long().unbind(-1)
            pixels = torch.cat([pixels, source[channels:, rows, columns]])
        alpha = picture.alpha
        if alpha is None and model.picture.alpha is not None:
            alpha = torch.ones(1, height, width)
        canvas = cls.finished(pixels, alpha)
        return canvas.all_new() if new is None else replace(canvas, new=feathered(new, feather))

    @classmethod
    def empty(cls, source: Picture, size: Size) -> Canvas:
        """A canvas of the source's kind of channels, of which nothing is there yet."""
        pixels = torch.zeros(len(source.pixels), *size)
        alpha = None if source.alpha is None else torch.ones(1, *size)
        return cls.finished(pixels, alpha).all_new()

    @property
    def size(self) -> Size:
        return self.pixels.shape[-2], self.pixels.shape[-1]

    @property
    def is_kept(self) -> bool:
        """Whether all of it stays."""
        return not bool(self.new.any())

    @property
    def is_new(self) -> bool:
        """Whether all of it is drawn."""
        return bool((self.new > 0).all())

    def all_new(self) -> Canvas:
        return replace(self, new=torch.ones_like(self.new))

    def all_kept(self) -> Canvas:
        return replace(self, new=torch.zeros_like(self.new))

    def resized(self, size: Size) -> Canvas:
        """The picture at another size, all of which is drawn."""
        (scale,) = pyramid(self.pixels, self.alpha, [size])
        return Canvas.finished(scale.pixels, scale.alpha).all_new()

    def tensor(self, channels: int) -> Float[Tensor, "1 n h w"]:
        """The picture as a model with this many channels draws it: transparency may be one of them."""
        if self.alpha is None or channels == len(self.pixels):
            return self.pixels[None]
        return torch.cat([self.pixels * (self.alpha > 0), self.alpha * 2 - 1])[None]

    def on(self, levels: Sequence[Level], model: Model) -> list[Level]:
        """The levels of a run, each told what is kept of its canvas."""
        if self.is_new:
            return list(levels)
        picture = self.tensor(model.channels).to(model.device)
        share = self.is_new_to(model)[None].float().to(model.device)
        return [replace(level, kept=kept_at(picture, share, level.size), heights=self.heights) for level in levels]

    def is_new_to(self, model: Model) -> Mask:
        """Where a model draws. The colour of what cannot be seen tells it nothing."""
        new = self.new > 0
        return new if self.alpha is None or model.channels != len(self.pixels) else new | (self.alpha == 0)

    def with_drawn(self, drawn: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
        """The pixels, with what was drawn where they are new."""
        return blended(drawn, self.pixels, self.new)

    def with_drawn_alpha(self, drawn: Float[Tensor, "1 h w"] | None) -> Float[Tensor, "1 h w"] | None:
        if self.alpha is None:
            return drawn
        return blended(torch.ones_like(self.alpha) if drawn is None else drawn.cpu(), self.alpha, self.new)

    def with_drawn_origins(self, drawn: Int[Tensor, "h w 2"]) -> Int[Tensor, "h w 2"]:
        unknown = (self.new.movedim(0, -1) >= 0.5) | (self.origins < 0)
        return drawn.cpu().int().where(unknown, self.origins)

    def extended(self, left: int, right: int, up: int, down: int, feather: int = 0) -> Canvas:
        """A larger canvas: this many new pixels on each side."""
        margins = (left, right, up, down)
        new = feathered(F.pad(torch.zeros_like(self.new), margins, value=1.0) > 0, feather)
        return Canvas(
            F.pad(self.pixels, margins),
            None if self.alpha is None else F.pad(self.alpha, margins),
            new.maximum(F.pad(self.new, margins, value=1.0)),
            F.pad(self.origins, (0, 0, *margins), value=-1),
            self.heights_beyond(up, down) if up or down else self.heights,
        )

    def heights_beyond(self, up: int, down: int) -> Float[Tensor, " h"]:
        """`heights` with so many rows more."""
        heights = even_heights(self.size[0]) if self.heights is None else self.heights
        step = heights[1] - heights[0]
        return heights[0] + step * torch.arange(-up, self.size[0] + down)

    def part(self, rows: slice, columns: slice) -> Canvas:
        return Canvas(
            self.pixels[:, rows, columns],
            None if self.alpha is None else self.alpha[:, rows, columns],
            self.new[:, rows, columns],
            self.origins[rows, columns],
            None if self.heights is None else self.heights[rows],
        )

    def with_part(self, part: Canvas, rows: slice, columns: slice) -> Canvas:
        """The canvas with a part of it replaced."""

        def pasted(whole: Tensor, patch: Tensor) -> Tensor:
            whole = whole.clone()
            whole[:, rows, columns] = patch
            return whole

        alpha = None if self.alpha is None or part.alpha is None else pasted(self.alpha, part.alpha)
        origins = pasted(self.origins.movedim(-1, 0), part.origins.movedim(-1, 0)).movedim(0, -1)
        new = pasted(self.new, part.new)
        return replace(self, pixels=pasted(self.pixels, part.pixels), alpha=alpha, new=new, origins=origins)


def blended(drawn: Float[Tensor, "n h w"], kept: Float[Tensor, "n h w"], new: Tensor) -> Float[Tensor, "n h w"]:
    return kept.lerp(drawn, new).where(new > 0, kept)
