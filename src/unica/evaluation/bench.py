"""A benchmark: every method on every image, measured by the protocol. Finished work is kept and not repeated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unica
from unica.engines.base import Model, find
from unica.errors import UnicaError, reason
from unica.evaluation.networks import Networks
from unica.evaluation.protocol import PROTOCOL, Evaluation, Samples, evaluate
from unica.files import check_folder, write_text
from unica.image import SUFFIXES, load, save_png
from unica.machine import describe, peak_memory_mb
from unica.metrics import measures
from unica.training.session import state_path

RESULTS = "results.json"
MADE = "made.json"  # a note beside the pictures of an engine: how they were made


@dataclass(frozen=True)
class Method:
    """What makes the samples: the engine of this name, or (with a folder) the pictures FOLDER/<image>/*.png."""

    name: str
    folder: Path | None = None

    @property
    def trained(self) -> bool:
        """Whether it is an engine that must be trained on each image."""
        return self.folder is None and not find(self.name).opens_pictures


@dataclass(frozen=True)
class Benchmark:
    """`count` samples (seeds 0, 1, ...) of each image by each method."""

    images: Sequence[Path]
    methods: Sequence[Method]
    count: int
    output: Path
    budget: str = "10m"  # time to train on each image, for engines that are trained

    def jobs(self) -> Iterator[tuple[Method, Path]]:
        """Every method with every image."""
        return ((method, image) for method in self.methods for image in self.images)


@dataclass(frozen=True)
class Row:
    """One method on one image."""

    method: str
    image: str
    evaluation: Evaluation
    made: dict[str, Any]  # of an engine: seeds, settings, seconds for a picture

    def as_json(self) -> dict[str, Any]:
        return {"method": self.method, "image": self.image, "made": self.made, **self.evaluation.as_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Row:
        """What `as_json` wrote. Anything else raises ValueError."""
        try:
            made = dict(data["made"])
            made |= {"seconds": float(made["seconds"])} if "seconds" in made else {}
            return cls(str(data["method"]), str(data["image"]), Evaluation.from_json(data), made)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError("not a row of a benchmark") from error


def find_images(folder: Path) -> list[Path]:
    """The images of a folder, by name, all of which can be read.

    Results are kept by the name without its suffix, so that must be unique.
    """
    if not folder.is_dir():
        raise UnicaError(f"{folder} is not a folder of images")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if not found:
        raise UnicaError(f"there are no images in {folder}")
    stems = [path.stem for path in found]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise UnicaError(f"{folder} has several images called {twice[0]}; their results would overwrite each other")
    for path in found:
        load(path)  # one that cannot be read is found before the long work
    return found


def _read(path: Path) -> dict[str, Any]:
    """The JSON object that an earlier run wrote; an empty one if there is none that can be read."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def run(
    benchmark: Benchmark,
    networks: Networks,
    say: Callable[[str], None] = lambda line: None,
    update: Callable[[float], None] = lambda done: None,
) -> list[Row]:
    """All rows. Each is written to OUTPUT/<method>/<image>.json as soon as it is done.

    A row of an earlier run is used again if its fingerprint is the same and it has every measure of today.
    """
    rows = []
    jobs = list(benchmark.jobs())
    for index, (method, image) in enumerate(jobs):
        path = benchmark.output / method.name / f"{image.stem}.json"
        fingerprint = _fingerprint(method, image, benchmark, networks)
        row = _earlier(path, fingerprint)
        if row is not None:
            say(f"{method.name}: {image.stem}  (done before)")
        else:
            began = time.perf_counter()
            paths, made = _samples(
                method, image, benchmark, lambda share, index=index: update((index + share) / len(jobs))
            )
            row = Row(method.name, image.stem, evaluate(image, Samples(paths), networks), made)
            check_folder(path.parent)
            write_text(json.dumps({**row.as_json(), "fingerprint": fingerprint}, indent=1) + "\n", path)
            say(f"{method.name}: {image.stem}  ({time.perf_counter() - began:.0f} s)")
        rows.append(row)
        update((index + 1) / len(jobs))
    report = {"version": unica.__version__, "protocol": PROTOCOL, "count": benchmark.count, "machine": describe()}
    results = json.dumps({**report, "rows": [row.as_json() for row in rows]}, indent=1) + "\n"
    write_text(results, benchmark.output / RESULTS)
    return rows


def _earlier(path: Path, fingerprint: dict[str, Any]) -> Row | None:
    """The row of an earlier run, if it would be the same today."""
    kept = _read(path)
    if kept.get("fingerprint") != fingerprint:
        return None
    try:
        row = Row.from_json(kept)
    except ValueError:
        return None
    return row if row.evaluation.covered >= {measure.name for measure in measures()} else None


def read_results(path: Path) -> list[Row]:
    """The rows of an earlier benchmark, from its folder or its file of results."""
    path = path / RESULTS if path.is_dir() else path
    try:
        return [Row.from_json(row) for row in json.loads(path.read_text())["rows"]]
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from None
    except (ValueError, KeyError, TypeError):
        raise UnicaError(f"{path} is not a result of unica bench") from None


def _samples(
    method: Method, image: Path, benchmark: Benchmark, done: Callable[[float], None]
) -> tuple[list[Path], dict[str, Any]]:
    """The pictures, and how they were made. Pictures of an earlier run with the same settings are used again."""
    if method.folder is not None:
        return _external(method, image)[: benchmark.count], {"folder": str(method.folder)}
    folder = benchmark.output / method.name / image.stem
    paths = [folder / f"{seed}.png" for seed in range(benchmark.count)]
    same = {"version": unica.__version__, "source": load(image).sha256, "seeds": [0, benchmark.count - 1]}
    same |= {"budget": benchmark.budget} if method.trained else {}
    note = folder / MADE
    kept = _read(note)
    if kept and all(kept.get(key) == value for key, value in same.items()) and all(path.exists() for path in paths):
        return paths, kept
    check_folder(folder)
    note.unlink(missing_ok=True)
    model = _trained(method, image, benchmark, folder) if method.trained else find(method.name).open(image)
    began = time.perf_counter()
    for seed, path in enumerate(paths):
        save_png(unica.sample(model, seed=seed)[0], path)
        done((seed + 1) / benchmark.count)
    seconds = round((time.perf_counter() - began) / benchmark.count, 3)
    made = {**same, "settings": model.settings, "seconds": seconds, "peak_memory_mb": peak_memory_mb()}
    write_text(json.dumps(made) + "\n", note)
    return paths, made


def _trained(method: Method, image: Path, benchmark: Benchmark, folder: Path) -> Model:
    """A model of the engine's default preset, trained for the budget. A training that was stopped is continued."""
    path = folder / f"{benchmark.budget}.unica"
    state = state_path(path)
    if path.exists() and not state.exists():
        return unica.load(path)
    model = unica.train(image, engine=method.name, budget=benchmark.budget, output=path, resume=state.exists())
    state.unlink()
    return model


def _external(method: Method, image: Path) -> list[Path]:
    """The pictures that another method made from an image: FOLDER/<image>/*. An engine has none."""
    if method.folder is None:
        return []
    folder = method.folder / image.stem
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UnicaError(f"{method.name} has no pictures of {image.stem}: nothing in {folder}")
    return found


def _fingerprint(method: Method, image: Path, benchmark: Benchmark, networks: Networks) -> dict[str, Any]:
    """Everything that a row depends on. If any of it changes, the row is made again."""
    return {
        "protocol": PROTOCOL,
        "version": unica.__version__,
        "source": load(image).sha256,
        "count": benchmark.count,
        "files": [f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in _external(method, image)],
        "absent": sorted(networks.absent),
        **({"budget": benchmark.budget} if method.trained else {}),
    }
