"""Running a task: a model's levels become frames, and the last frame of each picture is the finished one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Denoiser, Guide, Image, Level, State, cascade, guided, keep_known, seeded
from unica.engines.base import Model, Run
from unica.errors import UnicaError
from unica.image import Picture, preview, settled, smooth, to_pil
from unica.maps import copied, numbers
from unica.patches import continued
from unica.pyramid import Size
from unica.tasks.canvas import Canvas
from unica.threads import compute

if TYPE_CHECKING:
    from PIL import Image as Pillow

LARGEST_AREA = 64 * 10**6  # pixels of a picture that is drawn whole
LARGEST_SIDE = 10**6


@dataclass(frozen=True)
class Frame:
    """One sampler step of one picture of a run."""

    index: int  # which picture of the run
    seed: int
    fraction: float  # how much of this picture's work is done
    done: float  # how much of the whole run's work is done
    state: State  # of this picture alone
    model: Model = field(repr=False)
    denoiser: Denoiser = field(repr=False)
    row: int = 0  # of this picture among those that are drawn together
    canvas: Canvas | None = field(default=None, repr=False)  # what stays of a picture, where something does
    guides: tuple[Guide | Denoiser, ...] = field(default=(), repr=False)  # what guided this run

    @property
    def last(self) -> bool:
        return self.state.last

    def finished(self, canvas: Canvas) -> Frame:
        """The last frame of a run whose result is this canvas."""
        x0 = canvas.tensor(self.model.channels).to(self.state.x0)
        return replace(self, state=self.state._replace(x0=x0), canvas=canvas)

    def as_canvas(self) -> Canvas:
        """The finished picture, as a canvas that stays."""
        origins = self.origins if self.model.knows_origins else None
        canvas = Canvas.finished(self.pixels, None if self.alpha is None else self.alpha.cpu())
        return canvas if origins is None else replace(canvas, origins=origins)

    def image(self) -> Pillow.Image:
        """The current estimate at its current size; the finished picture if this is the last frame."""
        source = self.model.picture
        pixels = self.state.x0[0][: source.pixels.shape[0]].clamp(-1, 1) if not self.last else self.pixels
        return to_pil(preview(pixels, source.maps, source.shown), self.alpha, source.bits)

    @cached_property
    def pixels(self) -> Float[Tensor, "c h w"]:
        """The finished picture, in [-1, 1]."""
        source = self.model.picture
        drawn = self.state.x0[0][: source.pixels.shape[0]].clamp(-1, 1).cpu()
        whole = drawn if self.canvas is None else self.canvas.with_drawn(drawn)
        if not source.maps:
            return whole
        if self.model.knows_origins and self.origins is not None:
            whole = copied(whole, source, self.origins)
        whole = settled(whole, source.maps)
        return whole if self.canvas is None else whole.where(self.canvas.new > 0, self.canvas.pixels)

    @cached_property
    def alpha(self) -> Float[Tensor, "1 h w"] | None:
        """The transparency of the finished picture; None before."""
        if not self.last:
            return None
        if self.canvas is not None and self.canvas.is_kept:
            return self.canvas.alpha
        drawn = self.model.alpha(self.state.x0[0], self.denoiser, self.row)
        return drawn if self.canvas is None else self.canvas.with_drawn_alpha(drawn)

    @cached_property
    def origins(self) -> Int[Tensor, "h w 2"] | None:
        """Row and column in the source of each pixel of the finished picture; None before."""
        if not self.last:
            return None
        if self.canvas is not None and self.canvas.is_kept and (self.canvas.origins >= 0).all():
            return self.canvas.origins
        drawn = self.model.origins(self.state.x0[0], self.denoiser, self.row)
        return drawn if self.canvas is None else self.canvas.with_drawn_origins(drawn)

    @cached_property
    def maps(self) -> dict[str, np.ndarray]:
        """The numbers of each map of the finished picture, h x w x channels, as a file would hold them."""
        return numbers(self.model.picture, self.pixels, self.origins if self.model.picture.exact else None)

    @property
    def values(self) -> Float[Tensor, "n h w"]:
        """The finished picture in [0, 1], its transparency as the last channel if it has one."""
        pixels = (self.pixels + 1) / 2
        return pixels if self.alpha is None else torch.cat([pixels, self.alpha.cpu()])


def collected(frames: Iterable[Frame], output: str) -> Any:
    """The finished pictures: a list of Pillow images, a tensor "n c h w" or an array "n h w c" of values in [0, 1].

    Of "maps", a dictionary for each picture with the numbers of each of its maps.
    """
    finished = (frame for frame in frames if frame.last)
    if output == "maps":
        return [frame.maps for frame in finished]
    if output == "pil":
        return [frame.image() for frame in finished]
    pictures = torch.stack([frame.values for frame in finished])
    return pictures if output == "pt" else pictures.movedim(1, -1).numpy()


def draw(
    model: Model,
    run: Run,
    count: int,
    seed: int,
    batch: int = 1,
    guides: Callable[[Sequence[int]], Sequence[Guide]] | None = None,
    around: Callable[[Denoiser, Sequence[int]], Denoiser] | None = None,
    canvas: Canvas | None = None,
) -> Iterator[Frame]:
    """Draw pictures, `batch` at a time; picture i depends on seed + i alone.

    `guides` and `around` make fresh guides, and a fresh wrapper of the denoiser, for the seeds of each batch. What the
    canvas keeps stays as it is.
    """
    compute()
    check_area(run.levels[-1].size)
    levels = prepared(run.levels, canvas is not None or guides is not None)
    keeps = () if canvas is None or canvas.is_new else (keeping(levels[-1], model.picture),)
    levels = levels if canvas is None else canvas.on(levels, model)
    efforts = [[model.work(level, t) for t in level.times[:-1]] for level in levels]
    total = sum(map(sum, efforts))
    for first in range(0, count, batch):
        indices = range(first, min(first + batch, count))
        seeds = [seed + index for index in indices]
        denoiser = model.denoiser(seeds)
        own = () if guides is None else tuple(guides(seeds))
        whole = denoiser if around is None else around(denoiser, seeds)
        start = None if run.start is None else run.start.expand(len(seeds), -1, -1, -1)
        noise = seeded(seeds, model.channels, model.device)
        work = 0.0
        for state in cascade(guided(whole, *own, *keeps), levels, noise, start):
            work += efforts[state.level][state.step - 1]
            fraction = work / total
            done = (first + fraction * len(seeds)) / count
            for row, index in enumerate(indices):
                mine = state._replace(x=state.x[row : row + 1], x0=state.x0[row : row + 1])
                yield Frame(index, seed + index, fraction, done, mine, model, denoiser, row, canvas, (*own, whole))


def prepared(levels: Sequence[Level], guided: bool) -> list[Level]:
    """The levels of a run. Where it is guided, the network's own eps would add up what guides changed."""
    if not guided:
        return list(levels)
    return [replace(level, update=replace(level.update, rederive=True)) for level in levels]


def keeping(finest: Level, source: Picture) -> Guide:
    """The guide of Eq. 6; after the last step of all, what is drawn continues what is kept."""

    blends = smooth(source.maps) if source.maps else None

    def guide(x0: Image, t: float, level: Level) -> Image:
        if level.kept is not None and (level.part, level.index, t) == (finest.part, finest.index, finest.times[-2]):
            x0 = torch.stack([continued(one, level.kept, level.wrap, blends) for one in x0])
        return keep_known(x0, t, level)

    return guide


def canvas_size(
    model: Model,
    size: tuple[int, int] | None = None,
    stretch: tuple[float, float] | None = None,
    whole: bool = True,
) -> Size:
    """Height and width of the result, from a (width, height) or from multiples of the source's.

    What is drawn whole must not be too large for that.
    """
    if size is not None and stretch is not None:
        raise UnicaError("give a size or a stretch, not both")
    width, height = size or model.picture.size
    if stretch is not None:
        width, height = round(width * stretch[0]), round(height * stretch[1])
    if min(width, height) < 16:
        raise UnicaError(f"a picture of {width}x{height} is too small; both sides must be at least 16 pixels")
    if max(width, height) > LARGEST_SIDE:
        raise UnicaError(f"a picture of {width}x{height} is too large; at most {LARGEST_SIDE:,} pixels a side")
    if whole:
        check_area((height, width))
    return height, width


def check_area(size: Size) -> None:
    """Refuse a picture that is too large to be drawn whole."""
    height, width = size
    if height * width > LARGEST_AREA:
        raise UnicaError(
            f"a picture of {width}x{height} is too large to be drawn whole: unica.canvas draws parts of it, and"
            " commands write it in parts if the name ends in .tif, .zarr or .dzi"
        )
