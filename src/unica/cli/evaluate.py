"""`unica eval`: measure pictures that were made from one picture, by unica or by anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from unica.cli.progress import reporter
from unica.cli.terminal import plain, say
from unica.errors import UnicaError
from unica.evaluation import Evaluation
from unica.evaluation.report import COLUMNS, reasons, rows, verdict
from unica.image import SUFFIXES
from unica.jobs.measuring import measured
from unica.jobs.outputs import check_file

_NO_SAMPLE = re.compile(r"(-sheet|\.map|\.overview|\.mask)(_\d+)?$")  # how other files end that `unica sample` writes


def evaluate_and_show(
    image: Path, samples: list[Path], weights: Path | None, report: Path | None, as_json: bool, quiet: bool
) -> None:
    """Measure the samples and print a table (or JSON) on stdout. `report` is the HTML file to write."""
    paths = pictures(samples)
    if report is not None:
        check_file(report, [image, *paths])
    with reporter(quiet, "measuring") as progress:
        result = measured(image, paths, weights, report, progress.update)
    if as_json:
        print(json.dumps(result.as_json()))
    else:
        show(result)


def pictures(files_and_folders: Iterable[Path]) -> list[Path]:
    """Files as they are, and of each folder its pictures, without sheets and maps that unica wrote there."""
    paths = []
    for path in files_and_folders:
        if not path.is_dir():
            paths.append(path)
            continue
        found = sorted(inner for inner in path.iterdir() if inner.suffix.lower() in SUFFIXES and _is_sample(inner))
        if not found:
            raise UnicaError(f"there are no pictures in {path}")
        paths += found
    return paths


def _is_sample(path: Path) -> bool:
    return not path.name.startswith(".") and not _NO_SAMPLE.search(path.stem)


def show(result: Evaluation) -> None:
    """Print the table, the warning about near-copies, and why measures are absent."""
    console = Console(width=max(Console().width, 84))  # a narrower one cuts the numbers
    table = Table()
    for index, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    family = None
    for measure, cells in rows(result):
        if family is not None and measure.family != family:
            table.add_section()
        family = measure.family
        table.add_row(*cells)
    say(plain(f"{result.source}: {len(result.names)} samples"))  # a title of the table would be cut into lines
    console.print(table)
    warning = verdict(result)
    if warning:
        console.print(warning, style="bold red", highlight=False)
    for sentence in reasons(result):
        console.print(sentence, style="dim", highlight=False, markup=False)
