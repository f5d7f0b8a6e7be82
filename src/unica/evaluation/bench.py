"""Every engine on every image, scored by the one protocol; what is finished is never done again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unica
from unica.errors import UnicaError
from unica.evaluation.protocol import PROTOCOL, Evaluation, Samples, evaluate
from unica.evaluation.tools import Tools
from unica.files import write_text
from unica.image import SUFFIXES, load, save_png
from unica.machine import describe, peak_memory_mb
from unica.model import Model
from unica.session import state_path

RESULTS = "results.json"
MADE = "made.json"  # beside the pictures of an engine: from what they were made


@dataclass(frozen=True)
class Method:
    """What makes the samples: an engine of unica's, or (with a folder) someone else's, FOLDER/<image>/*.png."""

    name: str
    folder: Path | None = None


@dataclass(frozen=True)
class Plan:
    """One benchmark: `count` samples, seeds 0, 1, ..., of each image by each method."""

    images: Sequence[Path]
    methods: Sequence[Method]
    count: int
    output: Path
    budget: str = "10m"  # of time to train for, for each image of an engine that is trained

    def jobs(self) -> Iterator[tuple[Method, Path]]:
        return ((method, image) for method in self.methods for image in self.images)


@dataclass(frozen=True)
class Row:
    """One method on one image."""

    method: str
    image: str
    evaluation: Evaluation
    made: dict[str, Any]  # seeds, seconds a picture: of engines only

    def as_json(self) -> dict[str, Any]:
        return {"method": self.method, "image": self.image, "made": self.made, **self.evaluation.as_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Row:
        return cls(data["method"], data["image"], Evaluation.from_json(data), data["made"])


def find_images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UnicaError(f"{folder} is not a folder of images")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if not found:
        raise UnicaError(f"there are no images in {folder}")
    stems = [path.stem for path in found]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise UnicaError(f"{folder} has several images called {twice[0]}; their results would overwrite each other")
    return found


def _read(path: Path) -> dict[str, Any]:
    """A note of an earlier run; empty where there is none that can be read."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def run(
    plan: Plan,
    tools: Tools,
    say: Callable[[str], None] = lambda line: None,
    update: Callable[[float], None] = lambda done: None,
) -> list[Row]:
    """All rows; each is kept in OUTPUT/<method>/<image>.json the moment it is done, and reused if nothing changed."""
    rows = []
    jobs = list(plan.jobs())
    for index, (method, image) in enumerate(jobs):
        path = plan.output / method.name / f"{image.stem}.json"
        same = _fingerprint(method, image, plan.count, tools, plan.budget)
        kept = _read(path)
        if kept.get("fingerprint") == same:
            row = Row.from_json(kept)
            say(f"{method.name}: {image.stem}  (done before)")
        else:
            began = time.perf_counter()
            paths, made = _samples(method, image, plan, lambda share, index=index: update((index + share) / len(jobs)))
            row = Row(method.name, image.stem, evaluate(image, Samples(paths), tools), made)
            write_text(json.dumps({**row.as_json(), "fingerprint": same}, indent=1) + "\n", path)
            say(f"{method.name}: {image.stem}  ({time.perf_counter() - began:.0f} s)")
        rows.append(row)
        update((index + 1) / len(jobs))
    report = {"version": unica.__version__, "protocol": PROTOCOL, "count": plan.count, "machine": describe()}
    write_text(json.dumps({**report, "rows": [row.as_json() for row in rows]}, indent=1) + "\n", plan.output / RESULTS)
    return rows


def read_results(path: Path) -> list[Row]:
    path = path / RESULTS if path.is_dir() else path
    try:
        return [Row.from_json(row) for row in json.loads(path.read_text())["rows"]]
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UnicaError(f"{path} is not a result of unica bench") from None


def _samples(
    method: Method, image: Path, plan: Plan, done: Callable[[float], None]
) -> tuple[list[Path], dict[str, Any]]:
    """The pictures, and how they were made; those of an earlier run with the same words are taken as they are."""
    if method.folder is not None:
        return _external(method, image)[: plan.count], {"folder": str(method.folder)}
    folder = plan.output / method.name / image.stem
    paths = [folder / f"{seed}.png" for seed in range(plan.count)]
    same = {"version": unica.__version__, "source": load(image).sha256, "seeds": [0, plan.count - 1]}
    same |= {"budget": plan.budget} if method.name != "instant" else {}
    note = folder / MADE
    kept = _read(note)
    if kept and all(kept.get(key) == value for key, value in same.items()) and all(path.exists() for path in paths):
        return paths, kept
    note.unlink(missing_ok=True)
    model = unica.open(image) if method.name == "instant" else _trained(method, image, plan, folder)
    began = time.perf_counter()
    for seed, path in enumerate(paths):
        save_png(unica.sample(model, seed=seed)[0], path)
        done((seed + 1) / plan.count)
    seconds = round((time.perf_counter() - began) / plan.count, 3)
    made = {**same, "settings": model.settings, "seconds": seconds, "peak_memory_mb": peak_memory_mb()}
    write_text(json.dumps(made) + "\n", note)
    return paths, made


def _trained(method: Method, image: Path, plan: Plan, folder: Path) -> Model:
    """The preset `fast`, for the plan's budget; a training that was broken off is taken up again."""
    path = folder / f"{plan.budget}.unica"
    state = state_path(path)
    if path.exists() and not state.exists():
        return unica.load(path)
    model = unica.train(image, engine=method.name, budget=plan.budget, output=path, resume=state.exists())
    state.unlink()
    return model


def _external(method: Method, image: Path) -> list[Path]:
    """The pictures that another method made of an image: FOLDER/<image>/*; none for an engine."""
    if method.folder is None:
        return []
    folder = method.folder / image.stem
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UnicaError(f"{method.name} has no pictures of {image.stem}: nothing in {folder}")
    return found


def _fingerprint(method: Method, image: Path, count: int, tools: Tools, budget: str) -> dict[str, Any]:
    """What a row depends on: it is done again when any of it changes."""
    return {
        "protocol": PROTOCOL,
        "version": unica.__version__,
        "source": load(image).sha256,
        "count": count,
        "files": [f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in _external(method, image)],
        "absent": sorted(tools.absent),
        **({} if method.folder is not None or method.name == "instant" else {"budget": budget}),
    }
