"""What all tasks share: a task is a generator of frames, and calling it gives the finished pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Denoiser, Guide, Level, Noise, State, cascade, guided, seeded
from unica.errors import UnicaError
from unica.image import to_pil
from unica.model import Model
from unica.tasks.given import Given

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_SIDE = 16384
LARGEST_AREA = 64 * 10**6
LARGEST_COUNT = 10**6


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
    given: Given | None = field(default=None, repr=False)  # what the finished picture has as it was
    leading: tuple[Any, ...] = field(default=(), repr=False)  # the guides of this run

    @property
    def last(self) -> bool:
        return self.state.last

    def finished(self, picture: Given) -> Frame:
        """The last frame of a run that this picture came of in the end."""
        x0 = picture.canvas(self.model.channels).to(self.state.x0)
        return replace(self, state=self.state._replace(x0=x0), given=picture)

    def image(self) -> Image:
        """The present estimate, at its present size; the finished picture when `last`."""
        source = self.model.picture
        pixels = self.state.x0[0][: source.pixels.shape[0]].clamp(-1, 1) if not self.last else self.pixels
        return to_pil(pixels, self.alpha, source.bits)

    @cached_property
    def pixels(self) -> Float[Tensor, "c h w"]:
        """Of the finished picture, in [-1, 1]."""
        drawn = self.state.x0[0][: self.model.picture.pixels.shape[0]].clamp(-1, 1).cpu()
        return drawn if self.given is None else self.given.around(drawn)

    @cached_property
    def alpha(self) -> Float[Tensor, "1 h w"] | None:
        """The transparency of the finished picture; None before."""
        if not self.last:
            return None
        if self.given is not None and self.given.complete:
            return self.given.alpha
        drawn = self.model.alpha(self.state.x0[0], self.denoiser, self.row)
        return drawn if self.given is None else self.given.alpha_around(drawn)

    @cached_property
    def origins(self) -> Int[Tensor, "h w 2"] | None:
        """Row and column in the source of each pixel of the finished picture; None before."""
        if not self.last:
            return None
        if self.given is not None and self.given.complete and (self.given.origins >= 0).all():
            return self.given.origins
        drawn = self.model.origins(self.state.x0[0], self.denoiser, self.row)
        return drawn if self.given is None else self.given.origins_around(drawn)


@dataclass(frozen=True)
class Task:
    """Calling a task runs it to the end; `stream` shows every step on the way."""

    frames: Callable[..., Iterator[Frame]]

    def __call__(self, model: Model, *args: Any, **kwargs: Any) -> list[Image]:
        return [frame.image() for frame in self.frames(model, *args, **kwargs) if frame.last]


def stream(task: Task, model: Model, *args: Any, **kwargs: Any) -> Iterator[Frame]:
    """The live states of a task, for progress, previews and videos."""
    return task.frames(model, *args, **kwargs)


def draw(
    model: Model,
    levels: Sequence[Level],
    count: int,
    seed: int,
    batch: int = 1,
    start: Float[Tensor, "1 c h w"] | None = None,
    guides: Callable[[Sequence[int]], Sequence[Guide]] | None = None,
    around: Callable[[Denoiser, Sequence[int]], Denoiser] | None = None,
    given: Given | None = None,
    noise: Callable[[Sequence[int], torch.device], Noise] = seeded,
) -> Iterator[Frame]:
    """Run the levels for `batch` pictures at a time. Picture i depends on seed + i alone; guides are made fresh for
    each run, of its seeds, and so is what is put `around` its denoiser. What is given of the canvas stays as it is."""
    known = None if given is None or given.free else given.known(model)
    keep = () if known is None else (known,)
    if given is not None or guides is not None:  # with the network's own noise, what is foreign to it would add up
        levels = [replace(level, update=replace(level.update, rederive=True)) for level in levels]
    efforts = [[model.work(level, t) for t in level.times[:-1]] for level in levels]
    total = sum(map(sum, efforts))
    for first in range(0, count, batch):
        indices = range(first, min(first + batch, count))
        seeds = [seed + index for index in indices]
        denoiser = model.denoiser(seeds, known)
        own = () if guides is None else tuple(guides(seeds))
        begin = None if start is None else start.expand(len(seeds), -1, -1, -1)
        shape = (len(seeds), model.channels)
        work = 0.0
        whole = denoiser if around is None else around(denoiser, seeds)
        leading = (*own, whole)
        for state in cascade(guided(whole, *own, *keep), levels, noise(seeds, model.device), shape, begin):
            work += efforts[state.level][state.step - 1]
            fraction = work / total
            done = (first + fraction * len(seeds)) / count
            for row, index in enumerate(indices):
                mine = state._replace(x=state.x[row : row + 1], x0=state.x0[row : row + 1])
                yield Frame(index, seed + index, fraction, done, mine, model, denoiser, row, given, leading)


def check_run(count: int, seed: int) -> None:
    """How many pictures, and where their seeds begin: any task's."""
    if not 1 <= count <= LARGEST_COUNT:
        raise UnicaError(f"count must lie between 1 and {LARGEST_COUNT}, not {count}")
    if not 0 <= seed < 2**63 - LARGEST_COUNT:
        raise UnicaError(f"seed must be a whole number from 0 up, and not astronomical: not {seed}")


def check_source(model: Model) -> None:
    if not model.source:
        raise UnicaError("this model was saved without its source: there is no picture to work on")


def canvas(
    model: Model, size: tuple[int, int] | None = None, stretch: tuple[float, float] | None = None
) -> tuple[int, int]:
    """Height and width of the output, of what the user said in (width, height)."""
    if size is not None and stretch is not None:
        raise UnicaError("give a size or a stretch, not both")
    width, height = size or model.picture.size
    if stretch is not None:
        if not all(0 < by < LARGEST_SIDE for by in stretch):
            raise UnicaError(f"stretch must be two numbers above zero and below {LARGEST_SIDE}, not {stretch}")
        width, height = round(width * stretch[0]), round(height * stretch[1])
    if min(width, height) < 16:
        raise UnicaError(f"a picture of {width}x{height} is too small; both sides must be at least 16 pixels")
    if max(width, height) > LARGEST_SIDE or width * height > LARGEST_AREA:
        raise UnicaError(
            f"a picture of {width}x{height} is too large; at most {LARGEST_SIDE} pixels a side"
            f" and {LARGEST_AREA // 10**6} million in all"
        )
    return height, width
