"""`unica bench`: every engine on every image, in the layout of the two papers' tables."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from itertools import count as numbers
from pathlib import Path
from statistics import fmean, median, stdev

from rich.console import Console
from rich.table import Table

from unica.cli.models import ENGINES
from unica.cli.progress import reporter
from unica.errors import UnicaError
from unica.evaluation import MEASURES, load_tools
from unica.evaluation.bench import RESULTS, Method, Plan, Row, find_images, read_results, run
from unica.evaluation.plot import Point, scatter
from unica.evaluation.report import number
from unica.files import write_text
from unica.session import seconds

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
) -> None:
    """The tables on stdout; everything else in the output folder."""
    if folder is None and not compare:
        raise UnicaError("say which folder of images to work on, or which results to --compare")
    beside = [(path, read_results(path)) for path in compare]
    tables: dict[str, list[Row]] = {}
    if folder is not None:
        seconds(budget)  # find out now that it is none
        methods = [_engine(name) for name in (engines or ([] if external else ["instant"]))]
        plan = Plan(find_images(folder), [*methods, *map(_external, external)], _count(count), output, budget)
        tables[_label(output, tables)] = _run(plan, weights, quiet)
    for path, rows in beside:
        tables[_label(path, tables)] = rows
    if as_json:
        print(json.dumps({name: [row.as_json() for row in rows] for name, rows in tables.items()}))
        return
    columns = _columns(tables)
    console = Console(width=max(Console().width, 40 + 26 * len(columns)))  # narrower cuts the numbers
    console.print(sinddm_table(columns))
    console.print(sindiffusion_table(columns))


def _run(plan: Plan, weights: Path | None, quiet: bool) -> list[Row]:
    with reporter(quiet, "measuring") as progress:
        rows = run(plan, load_tools(weights), progress.say, progress.update)
        path = plan.output / _PLOT
        if _plot(rows, path):
            progress.say(str(path))
    return rows


def _engine(name: str) -> Method:
    if name not in ENGINES:
        raise UnicaError(f"engine must be {' or '.join(ENGINES)}, not {name}")
    return Method(name)


def _external(words: str) -> Method:
    name, equals, folder = words.partition("=")
    if not equals or not name or not folder or Path(name).name != name or name in ENGINES:
        raise UnicaError(f"--external is written as NAME=FOLDER, with a name of its own, not {words}")
    if not Path(folder).is_dir():
        raise UnicaError(f"--external {name}: {folder} is not a folder")
    return Method(name, Path(folder))


def _count(count: int) -> int:
    if not 1 <= count <= 10_000:
        raise UnicaError(f"-n must lie between 1 and 10000, not {count}")
    return count


def _label(path: Path, taken: Container[str]) -> str:
    """A short name of a result of its own: its folder's."""
    name = path.resolve().parent.name if path.name == RESULTS else path.stem
    names = (name if n == 1 else f"{name} {n}" for n in numbers(1))
    return next(one for one in names if one not in taken)


def _columns(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """A column a method; where several results are compared, a column a method and result."""
    columns: dict[str, list[Row]] = {}
    for name, rows in tables.items():
        for row in rows:
            columns.setdefault(row.method if len(tables) == 1 else f"{row.method}, {name}", []).append(row)
    return columns


def sinddm_table(columns: dict[str, list[Row]]) -> Table:
    """As SinDDM's Table 1: a row a measure, mean ± std over images (of each image's mean), and the median."""
    table = Table(title=f"mean ± std, median over {_images(columns)} images", title_justify="left")
    table.add_column("type")
    table.add_column("measure")
    for name in columns:
        table.add_column(name, justify="right")
    family = ""
    for m in MEASURES:
        values = {name: _values(rows, m.name) for name, rows in columns.items()}
        if not any(values.values()):
            continue
        if family and m.family != family:
            table.add_section()
        shown = "" if m.family == family else m.family
        family = m.family
        table.add_row(shown, f"{m.title} {_ARROWS[m.better]}", *map(_spread, values.values()))
    table.add_section()
    table.add_row("", "near-copies", *map(_copies, columns.values()))
    table.add_row("", "seconds a picture", *(_spread(_seconds(rows)) for rows in columns.values()))
    return table


def sindiffusion_table(columns: dict[str, list[Row]]) -> Table:
    """As SinDiffusion's Table 1: a row a method. (Its SIFID needs the Inception network.)"""
    table = Table(title="mean over images", title_justify="left")
    table.add_column("method")
    measures = sorted(
        (m for m in MEASURES if m.name in ("sifid_192", "lpips_eq9")), key=lambda m: m.family == "diversity"
    )
    for m in measures:
        table.add_column(f"{m.title} {_ARROWS[m.better]}", justify="right")
    for name, rows in columns.items():
        means = (fmean(values) if (values := _values(rows, m.name)) else None for m in measures)
        table.add_row(name, *map(number, means))
    return table


def _values(rows: Sequence[Row], name: str) -> list[float]:
    return [value for row in rows if (value := row.evaluation.mean(name)) is not None]


def _seconds(rows: Sequence[Row]) -> list[float]:
    return [row.made["seconds"] for row in rows if "seconds" in row.made]


def _copies(rows: Sequence[Row]) -> str:
    copies = sum(row.evaluation.near_copies for row in rows)
    words = f"{copies} of {sum(len(row.evaluation.names) for row in rows)}"
    return f"[bold red]{words}[/]" if copies else words


def _images(columns: dict[str, list[Row]]) -> int:
    return len({row.image for rows in columns.values() for row in rows})


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    around = f" ± {number(stdev(values))}" if len(values) > 1 else ""
    return f"{number(fmean(values))}{around}, {number(median(values))}"


def _plot(rows: Sequence[Row], path: Path) -> bool:
    """LPIPS of pairs (or pixel diversity where there is no LPIPS) against coherence."""
    lpips = all(row.evaluation.mean("lpips_diversity") is not None for row in rows)
    diversity = "lpips_diversity" if lpips else "pixel_diversity"
    groups: dict[str, list[Point]] = {}
    for row in rows:
        x, y = (row.evaluation.mean(name) for name in (diversity, "coherence"))
        if x is not None and y is not None:
            groups.setdefault(row.method, []).append(Point(x, y, row.image))
    if not groups:
        return False
    titles = {m.name: m.title for m in MEASURES}
    y_title = f"{titles['coherence']} (lower is better)"
    write_text(scatter(groups, f"{titles[diversity]} (higher is more diverse)", y_title), path)
    return True
