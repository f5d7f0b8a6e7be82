"""The commands that draw, one function each: what was typed, as a task's words."""

from __future__ import annotations

from typing import Any

import unica
from unica.cli.drawing import run
from unica.cli.options import Drawing, Opening, Where
from unica.cli.words import boxes, pair, polygons
from unica.image import save_png, to_pil
from unica.model import Model
from unica.regions import Region, shown
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


def outpaint(opening: Opening, drawing: Drawing, size: str | None, **words: Any) -> None:
    def arrange(model: Model) -> tuple[dict, dict]:
        return {**words, "size": pair(size, int, "--size", "512x256")}, {**words, "size": size}

    run("outpaint", unica.outpaint, opening, drawing, arrange)


def inpaint(opening: Opening, drawing: Drawing, where: Where, **words: Any) -> None:
    def arrange(model: Model) -> tuple[dict, dict]:
        return {**words, "where": _region(where, model)}, {**words, **_typed(where)}

    run("inpaint", unica.inpaint, opening, drawing, arrange)


def _region(where: Where, model: Model) -> Region:
    """What was meant; and a picture of it, if that was asked for."""
    region = Region(where.mask, where.mask_alpha, boxes(where.box), polygons(where.polygon))
    if where.show_mask is not None:
        source = model.picture
        save_png(to_pil(shown(region.on(source), source.pixels), source.alpha), where.show_mask)
    return region


def _typed(where: Where) -> dict[str, Any]:
    return {name: value for name, value in vars(where).items() if name != "show_mask"}
