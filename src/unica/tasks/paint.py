"""A rough painting becomes a picture made of the source (SinDiffusion, Eq. 7)."""

from __future__ import annotations

from collections.abc import Iterator

from unica.errors import UnicaError
from unica.guides import LowPass
from unica.model import Model
from unica.tasks.entry import Content, draw_from, read
from unica.tasks.given import foreign
from unica.tasks.task import Frame, Task, canvas, check_run


def _paint(
    model: Model,
    content: Content,
    strength: float = 1.0,
    coarse: float = 8,
    follow: float = 0.6,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    """`content` enters the run, and what is larger in it than `coarse` pixels is followed for a share `follow` of the
    steps; those that are left make it a picture."""
    check_run(count, seed)
    if not 1 <= coarse <= 256:
        raise UnicaError(f"coarse must lie between 1 and 256 pixels, not {coarse:g}")
    if not 0 <= follow <= 1:
        raise UnicaError(f"follow must lie between 0 and 1, not {follow:g}")
    picture = read(model, content)
    start = foreign(picture, model)
    height, width = canvas(model, picture.size)
    reference = start.canvas(model.channels)
    return draw_from(
        model, start, model.levels((height, width)), strength, count, seed,
        guides=lambda levels, _: [LowPass(reference, levels, coarse, follow)],
    )  # fmt: skip


paint = Task(_paint)
