"""A benchmark: every method on every image, measured by the protocol. Finished work is kept and not repeated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import unica
from unica.engines.base import Model, find
from unica.errors import UnicaError, reason
from unica.evaluation.networks import Networks, load_networks
from unica.evaluation.protocol import PROTOCOL, Evaluation, Samples, evaluate
from unica.files import check_folder, write_text
from unica.fleet import Job, several, stream
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


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, by name."""
    if not folder.is_dir():
        raise UnicaError(f"{folder} is not a folder of images")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if not found:
        raise UnicaError(f"there are no images in {folder}")
    return found


def find_images(folder: Path) -> list[Path]:
    """The images of a folder, by name, all of which can be read.

    Results are kept by the name without its suffix, so that must be unique.
    """
    found = images_in(folder)
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
    weights: Path | None = None,
    workers: int | None = None,
    ray: str | None = None,
) -> list[Row]:
    """All rows. Each is written to OUTPUT/<method>/<image>.json as soon as it is done.

    A row of an earlier run is used again if its fingerprint is the same and it has every measure of today. With
    `workers` or `ray`, the others are made by other processes, which load the networks from `weights`.
    """
    pairs = list(benchmark.jobs())
    rows = [_earlier(_place(benchmark, *pair), _fingerprint(*pair, benchmark, networks)) for pair in pairs]
    missing = [index for index, row in enumerate(rows) if row is None]
    made = len(pairs) - len(missing)
    for (method, image), row in zip(pairs, rows):
        if row is not None:
            say(f"{method.name}: {image.stem}  (done before)")
    update(made / len(pairs))
    if several(workers, ray):
        arriving = _made_by_others(benchmark, [pairs[index] for index in missing], weights, workers, ray)
    else:
        arriving = _made_here(
            benchmark, [pairs[index] for index in missing], networks, lambda share: update((made + share) / len(pairs))
        )
    with closing(arriving):
        for number, row, seconds in arriving:
            rows[missing[number]] = row
            made += 1
            say(f"{row.method}: {row.image}  ({seconds:.0f} s)")
            update(made / len(pairs))
    finished = [row for row in rows if row is not None]
    report = {"version": unica.__version__, "protocol": PROTOCOL, "count": benchmark.count, "machine": describe()}
    results = json.dumps({**report, "rows": [row.as_json() for row in finished]}, indent=1) + "\n"
    write_text(results, benchmark.output / RESULTS)
    return finished


_Arriving = Generator[tuple[int, Row, float], None, None]  # which it is, the row, and the seconds that it took


def _made_here(
    benchmark: Benchmark, pairs: Sequence[tuple[Method, Path]], networks: Networks, done: Callable[[float], None]
) -> _Arriving:
    for number, (method, image) in enumerate(pairs):
        began = time.perf_counter()
        row = _made(method, image, benchmark, networks, done)
        yield number, row, time.perf_counter() - began


def _made_by_others(
    benchmark: Benchmark,
    pairs: Sequence[tuple[Method, Path]],
    weights: Path | None,
    workers: int | None,
    ray: str | None,
) -> _Arriving:
    run = {"count": benchmark.count, "output": str(benchmark.output), "budget": benchmark.budget}
    run["weights"] = None if weights is None else str(weights)
    jobs = (
        Job(
            f"{method.name} on {image.name}",
            f"{__name__}:make_row",
            {
                "method": [method.name, None if method.folder is None else str(method.folder)],
                "image": str(image),
                **run,
            },
        )
        for method, image in pairs
    )
    with closing(stream(jobs, workers, ray)) as arriving:
        for done in arriving:
            row = Row.from_json(_read(_place(benchmark, *pairs[done.number])))
            yield done.number, row, done.result


def make_row(description: Mapping[str, Any]) -> float:
    """Make the row of a method and an image: the work of a job. Returns the seconds that it took."""
    began = time.perf_counter()
    (name, folder), weights = description["method"], description["weights"]
    method, image = Method(name, None if folder is None else Path(folder)), Path(description["image"])
    output = Path(description["output"])
    benchmark = Benchmark([image], [method], description["count"], output, description["budget"])
    _made(method, image, benchmark, _networks(weights), lambda share: None)
    return time.perf_counter() - began


@cache
def _networks(weights: str | None) -> Networks:
    """Jobs of a process share them."""
    return load_networks(None if weights is None else Path(weights))


def _made(method: Method, image: Path, benchmark: Benchmark, networks: Networks, done: Callable[[float], None]) -> Row:
    """Draw, measure, and write the row."""
    paths, made = _samples(method, image, benchmark, done)
    row = Row(method.name, image.stem, evaluate(image, Samples(paths), networks), made)
    path = _place(benchmark, method, image)
    check_folder(path.parent)
    fingerprint = _fingerprint(method, image, benchmark, networks)
    write_text(json.dumps({**row.as_json(), "fingerprint": fingerprint}, indent=1) + "\n", path)
    return row


def _place(benchmark: Benchmark, method: Method, image: Path) -> Path:
    """The file of a row."""
    return benchmark.output / method.name / f"{image.stem}.json"


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
