"""`unica sample`: from what the user typed to whole files on disk."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unica
from unica.cli.models import Opening, is_model
from unica.cli.progress import Progress, reporter
from unica.cli.words import pair
from unica.files import check_folder
from unica.image import contact_sheet, save_png, to_pil
from unica.machine import peak_memory_mb
from unica.model import Model
from unica.provenance import key, overview, save_map
from unica.tasks import Frame


@dataclass(frozen=True)
class Request:
    """The options of `unica sample`, as typed."""

    opening: Opening
    count: int
    size: str | None
    stretch: str | None
    seed: int
    output: Path
    tile: str
    batch: int | None

    @property
    def image(self) -> Path:
        return self.opening.path


def draw_and_save(request: Request, sheet: bool, provenance: bool, as_json: bool, quiet: bool) -> None:
    """Write every picture the moment it is done; report on stderr, and as JSON on stdout if asked to."""
    began = time.perf_counter()
    pictures: list[dict[str, Any]] = []
    with _interruptible(pictures):
        report = _draw(request, sheet, provenance, quiet, began, pictures)
    if as_json:
        print(json.dumps(report))


def _draw(
    request: Request, sheet: bool, provenance: bool, quiet: bool, began: float, pictures: list[dict[str, Any]]
) -> dict[str, Any]:
    """The report of the whole run; `pictures` grows by each one that is written."""
    task = {
        "size": pair(request.size, int, "--size", "512x256"),
        "stretch": pair(request.stretch, float, "--stretch", "2x1"),
        "tile": request.tile,
        "batch": request.batch,
    }
    model = request.opening.open()
    frames = unica.stream(unica.sample, model, count=request.count, seed=request.seed, **task)
    check_folder(request.output)
    images = [] if sheet else None  # only a sheet needs them again
    with reporter(quiet) as progress:
        _say_if_shrunk(model, request, progress)
        report = _run(request, model, frames, provenance, progress, began, pictures, images)
        if images:
            path = request.output / f"{model.picture.name}-sheet.png"
            save_png(contact_sheet(images), path)
            report["sheet"] = str(path)
            progress.say(f"{path}")
    report["seconds"] = round(time.perf_counter() - began, 3)
    report["peak_memory_mb"] = peak_memory_mb()
    return report


@contextmanager
def _interruptible(pictures: list[dict[str, Any]]) -> Iterator[None]:
    """Ctrl-C ends the run in a sentence; each picture is written whole or not at all."""
    try:
        yield
    except KeyboardInterrupt:
        paths = [picture["path"] for picture in pictures]
        kept = f"kept {len(paths)}, {paths[0]} to {paths[-1]}" if paths else "no picture was finished"
        print(f"unica: interrupted; {kept}.", file=sys.stderr)
        raise SystemExit(130) from None


def _run(
    request: Request,
    model: Model,
    frames: Iterable[Frame],
    provenance: bool,
    progress: Progress,
    began: float,
    pictures: list[dict[str, Any]],
    images: list[Any] | None,
) -> dict[str, Any]:
    """Writes each picture and notes it in `pictures`; the report but for what is known only at the end."""
    preview, size = None, (0, 0)
    started = time.perf_counter()
    for frame in frames:
        if preview is None:
            preview = time.perf_counter() - began
        progress.update(frame.done)
        if frame.last:
            image = frame.image()
            size = image.size
            path = request.output / f"{model.picture.name}-{frame.seed}.png"
            save_png(image, path, _chunks(request, model, frame, size))
            seconds = time.perf_counter() - started
            started = time.perf_counter()
            pictures.append({"path": str(path), "seed": frame.seed, "seconds": round(seconds, 3)})
            if provenance and frame.origins is not None:
                pictures[-1] |= _save_provenance(model, frame.origins, path)
            if images is not None:
                images.append(image)
            progress.say(f"{path}  ({seconds:.1f} s)")
    return {
        "engine": model.engine,
        "version": unica.__version__,
        "source": str(request.image),
        "source_sha256": model.picture.sha256,
        "size": list(size),
        "pictures": pictures,
        "sheet": None,
        "seconds_per_picture": round(sum(p["seconds"] for p in pictures) / len(pictures), 3),
        "first_preview_seconds": round(preview or 0.0, 3),
    }


def _save_provenance(model: Model, origins: Any, path: Path) -> dict[str, str]:
    """Where every pixel comes from: a map for programs, an overview beside the source for people."""
    source = model.picture.pixels
    where = {"map": path.with_suffix(".map.png"), "overview": path.with_suffix(".overview.png")}
    save_map(origins, where["map"])
    shown = overview(origins, (source.shape[1], source.shape[2]))
    save_png(contact_sheet([to_pil(key(source)), to_pil(shown)], columns=2), where["overview"])
    return {name: str(path) for name, path in where.items()}


def _chunks(request: Request, model: Model, frame: Frame, size: tuple[int, int]) -> dict[str, str]:
    """What a picture says of itself."""
    settings = {**model.settings, "size": list(size), "tile": request.tile, "device": model.device.type,
                "dtype": str(model.dtype).removeprefix("torch.")}  # fmt: skip
    return {
        "Software": f"unica {unica.__version__}",
        "unica:engine": model.engine,
        "unica:settings": json.dumps(settings),
        "unica:seed": str(frame.seed),
        "unica:source": request.image.name,
        "unica:source-sha256": model.picture.sha256,
        "unica:command": _command(request, model, frame.seed, size),
    }


def _command(request: Request, model: Model, seed: int, size: tuple[int, int]) -> str:
    """The command that makes exactly this picture again."""
    image = str(request.image) if not str(request.image).startswith("-") else f"./{request.image}"  # not an option
    words = ["unica", "sample", image, "-n", "1", "--seed", str(seed), "--size", f"{size[0]}x{size[1]}"]
    words += request.opening.words(model)
    words += ["--tile", request.tile] if request.tile else []
    return shlex.join(words)


def _say_if_shrunk(model: Model, request: Request, progress: Progress) -> None:
    (w0, h0), (w, h) = model.picture.original_size, model.picture.size
    if (w0, h0) == (w, h):
        return
    if is_model(request.image):
        progress.say(f"{request.image} was trained at {w}x{h}, on a source of {w0}x{h0}")
    else:
        progress.say(f"{request.image} is {w0}x{h0}; working at {w}x{h} (--max-side {model.settings['max_side']})")
