"""New pictures of any size with the patches of the source, and nothing else asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, get_args

from unica.diffusion import Axes
from unica.errors import UnicaError
from unica.model import Model
from unica.tasks.task import LARGEST_COUNT, Frame, Task, canvas, check_run, draw


def _sample(
    model: Model,
    count: int = 1,
    size: tuple[int, int] | None = None,
    stretch: tuple[float, float] | None = None,
    seed: int = 0,
    tile: str = "",
    batch: int | None = None,
) -> Iterator[Frame]:
    """`size` is (width, height); `stretch` multiplies the source's; `tile` makes the edges of an axis meet;
    `batch` pictures are drawn together (default: what suits the device), which changes nothing but the time."""
    check_run(count, seed)
    if batch is not None and not 1 <= batch <= LARGEST_COUNT:
        raise UnicaError(f"batch must lie between 1 and {LARGEST_COUNT}, not {batch}")
    levels = model.levels(canvas(model, size, stretch), axes(tile, "tile"))
    return draw(model, levels, count, seed, min(batch or model.batch, count), model.initial(levels[0]))


def axes(text: str, word: str) -> Axes:
    if text not in get_args(Axes):
        raise UnicaError(f"{word} must be x, y or xy, not {text}")
    return cast(Axes, text)


sample = Task(_sample)
