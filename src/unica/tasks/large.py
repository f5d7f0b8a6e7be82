"""A canvas of any size, of which any part can be drawn by itself.

Its layout, the coarsest level, is drawn once and is small. All that is finer is a function of the layout and of the
place: a part is drawn with the margin that it needs, and has the same pixels whatever was drawn before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Denoiser, Kept, Level, Parts, cascade, guided, seeded
from unica.engines.base import Model, Report
from unica.errors import UnicaError
from unica.guides import kept_on, placed_at
from unica.image import to_array
from unica.patches import PatchDenoiser
from unica.pyramid import Size
from unica.tasks.declare import TaskFunction
from unica.tasks.run import LARGEST_AREA, keeping, prepared
from unica.tasks.sketch import Sketch
from unica.tensor_files import read_tensors, write_tensors
from unica.threads import compute
from unica.window import Window, linear, needed

_LAYOUT = "layout"  # what a file of one is called in its header
LARGEST_LAYOUT = LARGEST_AREA  # pixels


@dataclass(frozen=True)
class Layout:
    """The coarsest level of a canvas, finished: everything that decides the rest, besides the model and the seed."""

    x: Float[Tensor, "1 c h w"]
    origins: Int[Tensor, "h w 2"] | None  # in the source at this level; None: there is nothing finer

    def save(self, path: Path) -> None:
        origins = {} if self.origins is None else {"origins": self.origins}
        write_tensors(path, _LAYOUT, {"x": self.x, **origins}, {})

    @classmethod
    def read(cls, path: Path) -> Layout:
        tensors, _ = read_tensors(path, _LAYOUT)
        if "x" not in tensors:
            raise UnicaError(f"{path} is damaged: there is no picture in it")
        return cls(tensors["x"], tensors.get("origins"))


class LargeCanvas:
    """A picture that is drawn where it is looked at.

    `canvas[y0:y1, x0:x1]` is an array h x w x channels of whole numbers, as a file would hold them. `canvas.level(k)`
    is the canvas k levels coarser.
    """

    def __init__(self, model: Model, sketch: Sketch, seed: int = 0, layout: Layout | None = None) -> None:
        self.model, self.sketch, self.seed = model, sketch, seed
        self.run = prepared(sketch.run.levels, sketch.inset is not None)
        if sketch.inset is not None:
            self.run = [replace(level, heights=sketch.inset.heights) for level in self.run]
        self._keeps = () if sketch.inset is None else (keeping(self.run[-1], model.picture),)
        self._kept = [None if sketch.inset is None else self._kept_at(level.size) for level in self.run]
        self._whole = self._drawn_whole()
        height, width = self.run[self._whole - 1].size
        if height * width > LARGEST_LAYOUT:
            what = "the layout of this picture" if self._whole < len(self.run) else "a picture of this model"
            raise UnicaError(
                f"{what} would have {width}x{height} pixels, and is drawn at once; at most"
                f" {LARGEST_LAYOUT // 10**6} million are possible"
                + ("" if self._whole < len(self.run) else " (with --detail patches, the rest is drawn in parts)")
            )
        self._layout, self._lock = layout, Lock()

    def _drawn_whole(self) -> int:
        """How many levels must be drawn whole: the first, and all up to the last that looks at the whole canvas."""
        reaches = [self._reach(position) for position in range(len(self.run))]
        return max([1, *(position + 1 for position, reach in enumerate(reaches) if reach is None)])

    def _reach(self, position: int, keeps: bool = False) -> int | None:
        return None if self.model.detail_patches is None else self.model.detail_patches.reach(self.run[position], keeps)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.run[-1].size
        return width, height

    @property
    def levels(self) -> int:
        """How many levels there are, with the finest, which has number 0."""
        return len(self.run) - self._whole + 1

    @property
    def channels(self) -> int:
        """Of the pixels, with transparency."""
        return len(self.model.picture.pixels) + self._transparent

    @cached_property
    def _transparent(self) -> bool:
        kept = None if self.sketch.inset is None else self.sketch.inset.canvas.alpha
        return self.model.picture.alpha is not None or kept is not None

    @property
    def bits(self) -> int:
        return self.model.picture.bits

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.run[-1].size, self.channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint16 if self.bits == 16 else np.uint8)

    def level(self, coarser: int) -> CanvasLevel:
        """The canvas as it is so many levels before the finest. Each has about half the pixels a side."""
        if not 0 <= coarser < self.levels:
            raise UnicaError(f"level must be from 0 to {self.levels - 1}, not {coarser}")
        return CanvasLevel(self, len(self.run) - 1 - coarser)

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.level(0)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :], dtype)

    def layout(self, report: Report = lambda done, standing: None) -> Layout:
        """The layout, drawn now if it is not there yet."""
        with self._lock:
            if self._layout is None:
                self._layout = self._draw_layout(report)
            return self._layout

    def _draw_layout(self, report: Report) -> Layout:
        compute()
        model, levels = self.model, self.run[: self._whole]
        levels = [
            replace(level, kept=None if kept is None else kept_on(*kept, level.drawn, level.size))
            for level, kept in zip(levels, self._kept)
        ]
        work = [model.work(level, t) for level in levels for t in level.times[:-1]]
        denoiser, noise, state = model.denoiser([self.seed]), seeded([self.seed], model.channels, model.device), None
        run = cascade(guided(denoiser, *self._keeps), levels, noise, self.sketch.run.start)
        for step, state in enumerate(run, 1):
            height, width = state.x.shape[-2:]
            report(sum(work[:step]) / sum(work), f"layout of {width}x{height} pixels")
        assert state is not None, "a level has a step"
        return Layout(state.x, None if model.detail_patches is None else self._origins(denoiser))

    def _origins(self, denoiser: Denoiser) -> Int[Tensor, "h w 2"]:
        """Those of the layout, in the source at its level."""
        found = denoiser.parts[self.run[-1].part] if isinstance(denoiser, Parts) else denoiser
        assert isinstance(found, PatchDenoiser), "patches draw what is finer"
        return found.origins()

    def _kept_at(self, size: Size) -> tuple[Kept, Window]:
        inset = self.sketch.inset
        assert inset is not None
        picture, new = inset.told(self.model)
        return placed_at(picture, new, inset.place, self.run[-1].size, size)

    def part(self, position: int, wanted: Window) -> tuple[Float[Tensor, "c h w"], Int[Tensor, "h w 2"] | None, Window]:
        """Draw a window of a level, which is named by its position in the run, with the margin that it needs.

        Returns the estimate, where its pixels come from in the source at that level, and the window of both.
        """
        layout = self.layout()
        last = self.run[self._whole - 1]
        if position < self._whole:
            return layout.x[0], layout.origins, last.drawn
        assert layout.origins is not None and self.model.detail_patches is not None
        levels: list[Level] = []
        for at in range(position, self._whole - 1, -1):
            level = self._windowed(at, wanted)
            levels.insert(0, level)
            wanted = needed(*linear(level.drawn, level.size, self.run[at - 1].size, level.wrap))
        start = replace(last, window=wanted)
        denoiser = self.model.detail_patches.denoiser([self.seed])
        origins = wanted.rolled(layout.origins.movedim(-1, 0)).movedim(0, -1)
        denoiser.continue_from(origins, start, self._steps_before)
        noise = seeded([self.seed], self.model.channels, self.model.device)
        entered = wanted.rolled(layout.x)
        *_, state = cascade(guided(denoiser, *self._keeps), levels, noise, entered, self._whole, start)
        return state.x0[0], denoiser.origins(), levels[-1].drawn

    @cached_property
    def _steps_before(self) -> int:
        """Steps of the layout that patches drew."""
        part = self.run[-1].part
        return sum(len(level.times) - 1 for level in self.run[: self._whole] if level.part == part)

    def _windowed(self, position: int, wanted: Window) -> Level:
        """A level that draws a window with the margin that it needs, which is wider where something is kept."""
        level, kept = self.run[position], self._kept[position]
        margin = self._reach(position)
        assert margin is not None
        if kept is not None:
            wider = self._reach(position, keeps=True) or 0
            if kept_on(*kept, wanted.grown(wider, level.size, level.wrap), level.size) is not None:
                margin = wider
        window = wanted.grown(margin, level.size, level.wrap)
        here = None if kept is None else kept_on(*kept, window, level.size)
        return replace(level, window=window, kept=here)

    def pixels(self, position: int, window: Window) -> np.ndarray:
        """The pixels of a window of a level."""
        x0, origins, drawn = self.part(position, window)
        alpha = self._alpha(position, x0, origins) if self._transparent else None
        alpha = None if alpha is None else window.of(alpha, drawn)
        pixels = window.of(x0[: len(self.model.picture.pixels)], drawn).clamp(-1, 1).cpu()
        if self.sketch.inset is not None and position == len(self.run) - 1:
            pixels, alpha = self.sketch.inset.put_back(window, self.run[-1].size, pixels, alpha)
        return to_array(pixels, alpha, self.bits)

    def _alpha(self, position: int, x0: Tensor, origins: Tensor | None) -> Float[Tensor, "1 h w"]:
        model = self.model
        if len(x0) > len(model.picture.pixels):  # the network draws it, and so do patches of its source
            return ((x0[-1:] + 1) / 2).clamp(0, 1).cpu()
        alpha = None
        if model.detail_patches is not None and origins is not None:
            alpha = model.detail_patches.alpha_at(self.run[position].index, origins)
        return torch.ones_like(x0[:1]).cpu() if alpha is None else alpha.cpu()


class CanvasLevel:
    """One level of a canvas, which can be read like an array."""

    def __init__(self, canvas: LargeCanvas, position: int) -> None:
        self._canvas, self._position = canvas, position
        self._size = canvas.run[position].size

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self._size, self._canvas.channels)

    def __getitem__(self, key: Any) -> np.ndarray:
        """`level[y0:y1, x0:x1]`, with steps of 1; what lies beyond the canvas is cut off, as in arrays."""
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > 2 or not all(isinstance(one, slice) and one.step in (None, 1) for one in keys):
            raise UnicaError("a part of a canvas is named by two slices without a step: canvas[y0:y1, x0:x1]")
        keys = (*keys, *[slice(None)] * (2 - len(keys)))
        (top, bottom), (left, right) = (one.indices(length)[:2] for one, length in zip(keys, self._size))
        window = Window.between((top, max(bottom, top)), (left, max(right, left)))
        if window.height == 0 or window.width == 0:
            return np.empty((window.height, window.width, self._canvas.channels), self._canvas.dtype)
        return self._canvas.pixels(self._position, window)


def canvas(
    model: Model, size: tuple[int, int] | None = None, seed: int = 0, task: TaskFunction | None = None, **options: Any
) -> LargeCanvas:
    """A canvas of any (width, height), which is drawn where it is looked at: canvas[y0:y1, x0:x1].

    It is a picture that `unica.sample` draws, or another task that is named, with its options. Where it is small enough
    to be drawn at once, it has the same pixels.
    """
    from unica.tasks.declare import FUNCTIONS

    declared = (FUNCTIONS["sample"] if task is None else task).task
    given = options if size is None else {**options, "size": size}
    return LargeCanvas(model, declared.sketched(model, **given, seed=seed), seed)
