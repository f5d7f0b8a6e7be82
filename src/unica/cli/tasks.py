"""The commands that draw, one function each: what was typed, as a task's words."""

from __future__ import annotations

import unica
from unica.cli.drawing import run
from unica.cli.options import Drawing, Opening
from unica.cli.words import pair
from unica.model import Model
from unica.tasks.task import canvas


def sample(
    opening: Opening, drawing: Drawing, size: str | None, stretch: str | None, tile: str, batch: int | None
) -> None:
    def arrange(model: Model) -> tuple[dict, dict]:
        height, width = canvas(
            model, pair(size, int, "--size", "512x256"), pair(stretch, float, "--stretch", "2x1")
        )  # fmt: skip
        words = {"size": (width, height), "tile": tile}
        return {**words, "batch": batch}, {**words, "size": f"{width}x{height}"}

    run("sample", unica.sample, opening, drawing, arrange)
