"""`unica bench`: measure methods on a folder of images, and print the tables of the two papers."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from itertools import count as numbers
from pathlib import Path
from statistics import fmean, median, stdev

from rich.console import Console
from rich.table import Table
from rich.text import Text

from unica.cli.progress import reporter
from unica.cli.terminal import plain
from unica.engines.base import engines, find, picture_engine
from unica.errors import UnicaError, whole
from unica.evaluation import load_networks
from unica.evaluation.bench import RESULTS, Benchmark, Method, Row, find_images, read_results, run
from unica.evaluation.report import number
from unica.files import check_folder, write_text
from unica.jobs.outputs import spare
from unica.metrics import measures
from unica.plot import Point, scatter
from unica.training.session import seconds

_SINDIFFUSION = ("sifid_192", "lpips_eq9")  # the columns of SinDiffusion's Table 1, in its order
_ARROWS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "near 1": "=1", "": ""}
_PLOT = "diversity-fidelity.svg"


def run_and_show(
    folder: Path | None,
    engines: Sequence[str],
    external: Sequence[str],
    compare: Sequence[Path],
    count: int,
    budget: str,
    output: Path,
    weights: Path | None,
    as_json: bool,
    quiet: bool,
    workers: int | None = None,
    ray: str | None = None,
) -> None:
    """Run a benchmark and print its tables (or JSON) on stdout. Pictures and results go to the output folder.

    Without `engines` and `external`, the method is the first engine that draws from a picture as it is.
    """
    if folder is None and not compare:
        raise UnicaError("name a folder of images, or earlier results with --compare")
    beside = [(path, read_results(path)) for path in compare]
    tables: dict[str, list[Row]] = {}
    if folder is not None:
        seconds(budget)  # refuses a wrong one before any work
        whole("count", count, 1, 10_000)
        methods = [*map(_engine, engines or _default(external)), *map(_external, external)]
        spare(output / RESULTS, (path / RESULTS if path.is_dir() else path for path in compare))
        benchmark = Benchmark(find_images(folder), methods, count, output, budget)
        check_folder(output)
        tables[_label(output, tables)] = _run(benchmark, weights, quiet, workers, ray)
    for path, rows in beside:
        tables[_label(path, tables)] = rows
    if as_json:
        print(json.dumps({name: [row.as_json() for row in rows] for name, rows in tables.items()}))
        return
    columns = _columns(tables)
    console = Console(width=max(Console().width, 40 + 26 * len(columns)))  # a narrower one cuts the numbers
    console.print(sinddm_table(columns))
    console.print(sindiffusion_table(columns))


def _run(benchmark: Benchmark, weights: Path | None, quiet: bool, workers: int | None, ray: str | None) -> list[Row]:
    with reporter(quiet, "measuring") as progress:
        rows = run(benchmark, load_networks(weights), progress.say, progress.update, weights, workers, ray)
        path = benchmark.output / _PLOT
        if _plot(rows, path):
            progress.say(str(path))
    return rows


def _default(external: Sequence[str]) -> list[str]:
    """The engines to measure if none is named."""
    return [] if external else [picture_engine().name]


def _engine(name: str) -> Method:
    engine = find(name)
    if not (engine.opens_pictures or engine.presets):
        raise UnicaError(f"{name} can neither draw from a picture nor be trained on one")
    return Method(name)


def _external(text: str) -> Method:
    name, equals, folder = text.partition("=")
    if not equals or not name or not folder or Path(name).name != name or name in engines():
        raise UnicaError(f"--external is written as NAME=FOLDER, where NAME is not an engine's, not {text}")
    if not Path(folder).is_dir():
        raise UnicaError(f"--external {name}: {folder} is not a folder")
    return Method(name, Path(folder))


def _label(path: Path, taken: Container[str]) -> str:
    """A short name of a result that is not taken: that of its folder, with a number if needed."""
    name = path.resolve().parent.name if path.name == RESULTS else path.stem
    names = (name if n == 1 else f"{name} {n}" for n in numbers(1))
    return next(one for one in names if one not in taken)


def _columns(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The rows of each column: one column for each method, or for each method and result if several are compared."""
    columns: dict[str, list[Row]] = {}
    for name, rows in tables.items():
        for row in rows:
            columns.setdefault(row.method if len(tables) == 1 else f"{row.method}, {name}", []).append(row)
    return columns


def sinddm_table(columns: dict[str, list[Row]]) -> Table:
    """As SinDDM's Table 1: a row for each measure, with mean ± std and median over images (of each image's mean)."""
    table = Table(title=f"mean ± std, median over {_images(columns)} images", title_justify="left")
    table.add_column("type")
    table.add_column("measure")
    for name in columns:
        table.add_column(Text(plain(name)), justify="right")
    family = ""
    for m in measures():
        values = {name: _values(rows, m.name) for name, rows in columns.items()}
        if not any(values.values()):
            continue
        if family and m.family != family:
            table.add_section()
        shown = "" if m.family == family else m.family
        family = m.family
        table.add_row(shown, f"{m.title} {_ARROWS[m.better]}", *map(_mean_and_std, values.values()))
    table.add_section()
    table.add_row("", "near-copies", *map(_copies, columns.values()))
    table.add_row("", "seconds a picture", *(_mean_and_std(_seconds(rows)) for rows in columns.values()))
    return table


def sindiffusion_table(columns: dict[str, list[Row]]) -> Table:
    """As SinDiffusion's Table 1: a row for each method. Its SIFID needs the Inception network."""
    table = Table(title="mean over images", title_justify="left")
    table.add_column("method")
    by_name = {m.name: m for m in measures()}
    for m in (by_name[name] for name in _SINDIFFUSION):
        table.add_column(f"{m.title} {_ARROWS[m.better]}", justify="right")
    for name, rows in columns.items():
        means = (fmean(values) if (values := _values(rows, measure)) else None for measure in _SINDIFFUSION)
        table.add_row(Text(plain(name)), *map(number, means))
    return table


def _values(rows: Sequence[Row], name: str) -> list[float]:
    return [value for row in rows if (value := row.evaluation.mean(name)) is not None]


def _seconds(rows: Sequence[Row]) -> list[float]:
    return [row.made["seconds"] for row in rows if "seconds" in row.made]


def _copies(rows: Sequence[Row]) -> str:
    copies = sum(row.evaluation.near_copies for row in rows)
    text = f"{copies} of {sum(len(row.evaluation.names) for row in rows)}"
    return f"[bold red]{text}[/]" if copies else text


def _images(columns: dict[str, list[Row]]) -> int:
    return len({row.image for rows in columns.values() for row in rows})


def _mean_and_std(values: Sequence[float]) -> str:
    if not values:
        return "-"
    around = f" ± {number(stdev(values))}" if len(values) > 1 else ""
    return f"{number(fmean(values))}{around}, {number(median(values))}"


def _plot(rows: Sequence[Row], path: Path) -> bool:
    """Write a plot of LPIPS of pairs (without LPIPS: pixel diversity) against coherence; False if there is none."""
    lpips = all(row.evaluation.mean("lpips_diversity") is not None for row in rows)
    diversity = "lpips_diversity" if lpips else "pixel_diversity"
    groups: dict[str, list[Point]] = {}
    for row in rows:
        x, y = (row.evaluation.mean(name) for name in (diversity, "coherence"))
        if x is not None and y is not None:
            groups.setdefault(row.method, []).append(Point(x, y, row.image))
    if not groups:
        return False
    titles = {m.name: m.title for m in measures()}
    y_title = f"{titles['coherence']} (lower is better)"
    write_text(scatter(groups, f"{titles[diversity]} (higher is more diverse)", y_title), path)
    return True
