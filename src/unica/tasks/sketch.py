"""What a task draws on one canvas, before anything is drawn."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from unica.engines.base import Model, Run
from unica.pyramid import Size
from unica.tasks.canvas import Canvas, blended
from unica.window import Window


class Inset(NamedTuple):
    """What is kept of a large canvas, all of it in one place."""

    canvas: Canvas  # of that place: what is kept, and a fringe that is new
    place: Window
    heights: Float[Tensor, " h"] | None  # of the whole canvas, as in `Level`

    @classmethod
    def of(cls, source: Canvas, left: int, right: int, up: int, down: int, feather: int = 0) -> Inset:
        """A canvas with so many new pixels on each side of the source."""
        beside, beyond, above, below = (min(margin, feather + 1) for margin in (left, right, up, down))
        canvas = source.extended(beside, beyond, above, below, feather)
        heights = source.heights_beyond(up, down) if up or down else source.heights
        return cls(canvas, Window(up - above, left - beside, *canvas.size), heights)

    def told(self, model: Model) -> tuple[Float[Tensor, "1 n h w"], Float[Tensor, "1 1 h w"]]:
        """The picture as a model draws it, and where it is new."""
        new = self.canvas.is_new_to(model)
        return self.canvas.tensor(model.channels).to(model.device), new[None].float().to(model.device)

    def put_back(
        self, window: Window, size: Size, pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None
    ) -> tuple[Float[Tensor, "c h w"], Float[Tensor, "1 h w"] | None]:
        """A part of the finished canvas, with what is kept in it."""
        rows, columns = (
            torch.arange(first, first + count) % length - start
            for first, count, length, start in zip(window[:2], window[2:], size, self.place[:2])
        )
        inside = [((at >= 0) & (at < count)).nonzero()[:, 0] for at, count in zip((rows, columns), self.place[2:])]
        if not all(map(len, inside)):
            return pixels, alpha
        here, there = _at(inside[0], inside[1]), _at(rows[inside[0]], columns[inside[1]])
        kept, new = self.canvas, self.canvas.new[there]
        pixels = pixels.clone()
        pixels[here] = blended(pixels[here], kept.pixels[there], new)
        if kept.alpha is not None:
            alpha = torch.ones_like(pixels[:1]) if alpha is None else alpha.clone()
            alpha[here] = blended(alpha[here], kept.alpha[there], new)
        return pixels, alpha


class Sketch(NamedTuple):
    """The levels that draw a canvas and where they start, and what is kept of a picture on it."""

    run: Run
    inset: Inset | None = None


def _at(rows: Tensor, columns: Tensor) -> tuple[slice, Tensor, Tensor]:
    return slice(None), rows[:, None], columns
