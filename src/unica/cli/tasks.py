"""The commands that draw, one function each: what was typed, as a task's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import unica
from unica.cli.drawing import Loop, run
from unica.cli.options import Drawing, Opening, Where
from unica.cli.words import boxes, pair, polygons, puts
from unica.errors import UnicaError
from unica.image import ANIMATED, Picture, save_png, to_pil
from unica.model import Model
from unica.regions import Region, shown
from unica.tasks.entry import read
from unica.tasks.task import canvas
from unica.tasks.tile import seam


def sample(
    opening: Opening, drawing: Drawing, size: str | None, stretch: str | None, tile: str, batch: int | None
) -> None:
    def arrange(model: Model) -> tuple[dict, dict]:
        height, width = canvas(model, size_of(size), pair(stretch, float, "--stretch", "2x1"))
        words = {"size": (width, height), "tile": tile}
        return {**words, "batch": batch}, {**words, "size": f"{width}x{height}"}

    run("sample", unica.sample, opening, drawing, arrange)


def outpaint(opening: Opening, drawing: Drawing, size: str | None, **words: Any) -> None:
    _run("outpaint", opening, drawing, {**words, "size": size}, size=size_of(size))


def inpaint(opening: Opening, drawing: Drawing, where: Where, **words: Any) -> None:
    def arrange(model: Model) -> tuple[dict, dict]:
        return {**words, "where": region_of(where, model)}, {**words, **typed_of(where)}

    run("inpaint", unica.inpaint, opening, drawing, arrange)


def harmonize(opening: Opening, drawing: Drawing, content: Path, where: Where, **words: Any) -> None:
    def arrange(model: Model) -> tuple[dict, dict]:
        region = region_of(where, model, read(model, content))
        return {**words, "content": content, "where": region}, {"content": content, **words, **typed_of(where)}

    run("harmonize", unica.harmonize, opening, drawing, arrange)


def region(opening: Opening, drawing: Drawing, put: list[str] | None, size: str | None, **words: Any) -> None:
    typed = {**words, "put": put, "size": size}
    _run("region", opening, drawing, typed, put=puts(put, "--put"), size=size_of(size))


def edit(
    opening: Opening,
    drawing: Drawing,
    move: list[str] | None,
    copy: list[str] | None,
    erase: list[str] | None,
    seam: int,
) -> None:
    typed = {"move": move, "copy": copy, "erase": erase, "seam": seam}
    parsed = {"move": puts(move, "--move"), "copy": puts(copy, "--copy"), "erase": boxes(erase, "--erase")}
    _run("edit", opening, drawing, typed, **parsed)


def sized(name: str, opening: Opening, drawing: Drawing, size: str | None, **words: Any) -> None:
    """Tasks whose words are plain but for a size."""
    _run(name, opening, drawing, {**words, "size": size}, size=size_of(size))


def plain(name: str, opening: Opening, drawing: Drawing, **words: Any) -> None:
    """Tasks whose words are what was typed."""
    _run(name, opening, drawing, words)


def tile(opening: Opening, drawing: Drawing, axis: str, **words: Any) -> None:
    """Says how much of a seam there was and is."""

    def note(model: Model, frame: unica.Frame, path: Path) -> dict[str, float]:
        return {"seam_before": round(seam(model.picture.pixels, axis), 2), "seam": round(seam(frame.pixels, axis), 2)}

    words["axis"] = axis
    run("tile", unica.tile, opening, drawing, lambda model: (words, words), note)


def animate(opening: Opening, drawing: Drawing, kind: str, fps: float, **words: Any) -> None:
    suffix = f".{kind}"
    if suffix not in ANIMATED:
        raise UnicaError(f"format must be {', '.join(name[1:] for name in ANIMATED)}, not {kind}")
    if not 0.1 <= fps <= 60:
        raise UnicaError(f"fps must lie between 0.1 and 60, not {fps:g}")
    typed = {**words, "format": kind, "fps": fps}
    loop = Loop(words["frames"], suffix, fps)
    run("animate", unica.animate, opening, drawing, lambda model: (words, typed), loop=loop)


def _run(name: str, opening: Opening, drawing: Drawing, typed: dict[str, Any], **parsed: Any) -> None:
    """A task with the words that were typed, of which some mean something else."""
    run(name, getattr(unica, name), opening, drawing, lambda model: ({**typed, **parsed}, typed))


def size_of(text: str | None) -> tuple[int, int] | None:
    return pair(text, int, "--size", "512x256")


def region_of(where: Where, model: Model, picture: Picture | None = None) -> Region:
    """What was meant, of the source or of another picture; and a picture of it, if that was asked for."""
    region = Region(where.mask, where.mask_alpha, boxes(where.box), polygons(where.polygon))
    if where.show_mask is not None:
        source = picture or model.picture
        save_png(to_pil(shown(region.on(source), source.pixels), source.alpha), where.show_mask)
    return region


def typed_of(where: Where) -> dict[str, Any]:
    return {name: value for name, value in vars(where).items() if name != "show_mask"}
