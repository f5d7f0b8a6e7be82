"""A picture enters a run on its way from noise: what `strength` means in every task that has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Guide, Level, Noise, State, seeded
from unica.errors import UnicaError
from unica.image import Picture, load, resize
from unica.model import Model
from unica.schedule import no_blur
from unica.tasks.given import Given
from unica.tasks.task import Frame, draw

Content = str | os.PathLike[str] | Any  # a path or a Pillow image


def read(model: Model, content: Content) -> Picture:
    """A picture to work on with a model; its colours are as many as the model's, or can be."""
    picture = load(content, model.settings.get("max_side"))
    smallest = model.levels((picture.size[1], picture.size[0]))[0].size
    if min(smallest) < 8:
        width, height = picture.size
        raise UnicaError(
            f"content of {width}x{height} is too small: {smallest[1]}x{smallest[0]} would be left on the coarsest level"
        )
    return picture


def entered(levels: Sequence[Level], strength: float) -> list[Level]:
    """The last part of a run, which a picture goes through: all for 1, nothing for 0. Levels count alike, and so do the
    steps of a level. The picture has its detail already: nothing is deblurred where it enters."""
    if not 0 <= strength <= 1:
        raise UnicaError(f"strength must lie between 0 (the picture is kept) and 1 (it is freed), not {strength:g}")
    position = (1 - strength) * len(levels)
    index = min(int(position), len(levels) - 1)
    first = levels[index]
    skipped = round((position - index) * (len(first.times) - 1))
    times = first.times[skipped:]
    rest = list(levels[index + 1 :])
    return [replace(first, times=times, gamma=no_blur, entry=None), *rest] if len(times) > 1 else rest


def draw_from(
    model: Model,
    start: Given,
    levels: Sequence[Level],
    strength: float,
    count: int,
    seed: int,
    guides: Callable[[Sequence[Level], Sequence[int]], Sequence[Guide]] | None = None,
    noise: Callable[[Sequence[int], torch.device], Noise] = seeded,
) -> Iterator[Frame]:
    """Runs that a picture enters; what is not to be drawn of it stays as it is."""
    some = entered(levels, strength)
    if not some:
        return _unchanged(model, start, levels[-1], count, seed)
    picture = resize(start.canvas(model.channels), some[0].size).to(model.device)
    leading = None if guides is None else partial(guides, some)
    return draw(model, some, count, seed, start=picture, guides=leading, given=start, noise=noise)


def _unchanged(model: Model, start: Given, level: Level, count: int, seed: int) -> Iterator[Frame]:
    x0: Float[Tensor, "1 n h w"] = start.canvas(model.channels).to(model.device)
    state = State(0, 1, 1, 1, x0, x0)
    kept = replace(start, share=torch.zeros_like(start.share))
    for index in range(count):
        denoiser = model.denoiser([seed + index])
        yield Frame(index, seed + index, 1.0, (index + 1) / count, state, model, denoiser, given=kept)
