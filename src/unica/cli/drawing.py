"""What every command that draws does: from a task to whole files on disk."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unica
from unica.cli.models import is_model, open_model, words
from unica.cli.options import Drawing, Opening
from unica.cli.progress import Progress, reporter
from unica.files import check_folder
from unica.image import contact_sheet, save_animation, save_png, to_pil
from unica.machine import peak_memory_mb
from unica.model import Model
from unica.provenance import key, overview, save_map
from unica.tasks import Frame, Task

Arrange = Callable[[Model], tuple[Mapping[str, Any], Mapping[str, Any]]]
Note = Callable[[Model, Frame, Path], Mapping[str, Any]]  # what a finished picture is reported with; numbers are said
Foreword = Callable[[Model], str]
_ARGUMENTS = ("prompts",)  # options that are written without a name


def _nothing(model: Model, frame: Frame, path: Path) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Loop:
    """Finished pictures that belong together, in one file that moves."""

    frames: int
    suffix: str  # of ANIMATED
    fps: float


class Run:
    """One command. `arrange` turns what was typed into the task's words, and into options that say the same again."""

    def __init__(
        self, name: str, opening: Opening, drawing: Drawing, note: Note, loop: Loop | None, foreword: Foreword | None
    ) -> None:
        self.name, self.opening, self.drawing, self.note, self.loop = name, opening, drawing, note, loop
        self.foreword = foreword
        self.began = time.perf_counter()
        self.pictures: list[dict[str, Any]] = []  # a report on each one that is written

    def save(self, task: Task, arrange: Arrange) -> dict[str, Any]:
        """Write every picture the moment it is done; the report of the whole run."""
        drawing, self.model = self.drawing, open_model(self.opening)
        given, self.options = arrange(self.model)
        self.frames = unica.stream(task, self.model, count=drawing.count, seed=drawing.seed, **given)
        check_folder(drawing.output)
        images = [] if drawing.sheet else None  # only a sheet needs them again
        with reporter(drawing.quiet) as progress:
            self._say_if_shrunk(progress)
            if self.foreword is not None and not drawing.quiet:
                progress.say(self.foreword(self.model))
            report = self._run(progress, images)
            if images:
                path = drawing.output / f"{self._stem}-sheet.png"
                save_png(contact_sheet(images), path)
                report["sheet"] = str(path)
                progress.say(f"{path}")
        report["seconds"] = round(time.perf_counter() - self.began, 3)
        report["peak_memory_mb"] = peak_memory_mb()
        return report

    def _run(self, progress: Progress, images: list[Any] | None) -> dict[str, Any]:
        """Writes each picture and notes it; the report but for what is known only at the end."""
        model, preview, size, loop = self.model, None, (0, 0), self.loop
        started, moving = time.perf_counter(), []
        for frame in self.frames:
            if preview is None:
                preview = time.perf_counter() - self.began
            progress.update(frame.done)
            if frame.last:
                image = frame.image()
                size = image.size
                path = self.drawing.output / f"{self._stem}-{frame.seed}.png"
                if loop is None:
                    save_png(image, path, self._chunks(frame, size))
                else:
                    moving.append(image)
                    if len(moving) < loop.frames:
                        continue
                    path = path.with_suffix(loop.suffix)
                    save_animation(moving, path, loop.fps, self._chunks(frame, size))
                    moving = []
                seconds = time.perf_counter() - started
                started = time.perf_counter()
                self.pictures.append({"path": str(path), "seed": frame.seed, "seconds": round(seconds, 3)})
                notes = self.note(model, frame, path)
                self.pictures[-1] |= notes
                if self.drawing.provenance and frame.origins is not None:
                    self.pictures[-1] |= _save_provenance(model, frame.origins, path)
                if images is not None:
                    images.append(image)
                numbers = {name: value for name, value in notes.items() if isinstance(value, float)}
                said = "".join(f", {name.replace('_', ' ')} {value:g}" for name, value in numbers.items())
                progress.say(f"{path}  ({seconds:.1f} s{said})")
        return {
            "task": self.name,
            "engine": model.engine,
            "version": unica.__version__,
            "source": str(self.opening.path),
            "source_sha256": model.picture.sha256,
            "size": list(size),
            "pictures": self.pictures,
            "sheet": None,
            "seconds_per_picture": round(sum(p["seconds"] for p in self.pictures) / len(self.pictures), 3),
            "first_preview_seconds": round(preview or 0.0, 3),
        }

    @property
    def _stem(self) -> str:
        name = self.model.picture.name
        return name if self.name == "sample" else f"{name}-{self.name}"

    def _chunks(self, frame: Frame, size: tuple[int, int]) -> dict[str, str]:
        """What a picture says of itself."""
        model = self.model
        settings = {
            **model.settings,
            "size": list(size),
            **{name: value for name, value in self.options.items() if name != "size"},
            "device": model.device.type,
            "dtype": str(model.dtype).removeprefix("torch."),
        }
        return {
            "Software": f"unica {unica.__version__}",
            "unica:task": self.name,
            "unica:engine": model.engine,
            "unica:settings": json.dumps(settings, default=str),
            "unica:seed": str(frame.seed),
            "unica:source": self.opening.path.name,
            "unica:source-sha256": model.picture.sha256,
            "unica:command": self._command(frame.seed),
        }

    def _command(self, seed: int) -> str:
        """The command that makes exactly this picture again."""
        line = ["unica", self.name, _file(self.opening.path), "-n", "1", "--seed", str(seed)]
        for name, value in self.options.items():
            if name in _ARGUMENTS:
                continue
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, bool):
                line += [option] if value else []
            elif value not in (None, ""):
                for one in value if isinstance(value, (list, tuple)) else [value]:
                    line += [option, _file(one) if isinstance(one, Path) else str(one)]
        arguments = [word for name in _ARGUMENTS for word in self.options.get(name, ())]
        line += words(self.opening, self.model)
        return shlex.join([*line, "--", *arguments] if arguments else line)

    def _say_if_shrunk(self, progress: Progress) -> None:
        model, path = self.model, self.opening.path
        (w0, h0), (w, h) = model.picture.original_size, model.picture.size
        if (w0, h0) == (w, h):
            return
        if is_model(path):
            progress.say(f"{path} was trained at {w}x{h}, on a source of {w0}x{h0}")
        else:
            progress.say(f"{path} is {w0}x{h0}; working at {w}x{h} (--max-side {model.settings['max_side']})")


def run(
    name: str,
    task: Task,
    opening: Opening,
    drawing: Drawing,
    arrange: Arrange,
    note: Note = _nothing,
    loop: Loop | None = None,
    foreword: Foreword | None = None,
) -> None:
    """Draw and save; report on stderr, and as JSON on stdout if asked to. `foreword` says what to expect of the run."""
    run = Run(name, opening, drawing, note, loop, foreword)
    with _interruptible(run.pictures):
        report = run.save(task, arrange)
    if drawing.json:
        print(json.dumps(report))


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


def _save_provenance(model: Model, origins: Any, path: Path) -> dict[str, str]:
    """Where every pixel comes from: a map for programs, an overview beside the source for people."""
    source = model.picture.pixels
    where = {"map": path.with_suffix(".map.png"), "overview": path.with_suffix(".overview.png")}
    save_map(origins, where["map"])
    shown = overview(origins, (source.shape[1], source.shape[2]))
    save_png(contact_sheet([to_pil(key(source)), to_pil(shown)], columns=2), where["overview"])
    return {name: str(path) for name, path in where.items()}


def _file(path: Path) -> str:
    """A name that is not taken for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)
