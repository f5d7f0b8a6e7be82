"""`unica eval`: the numbers of pictures that anyone made from one picture."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from torch import Tensor

from unica.cli.progress import reporter
from unica.errors import UnicaError
from unica.evaluation import MEASURES, Evaluation, Samples, evaluate, load_tools
from unica.evaluation.protocol import Scored, read
from unica.evaluation.report import COLUMNS, Figure, caption, html, reasons, rows, verdict
from unica.files import write_text
from unica.image import SUFFIXES, data_uri, to_pil
from unica.provenance import key, overview

_OWN = ("-sheet", ".map", ".overview")  # what `unica sample` writes beside its pictures
_SHOWN = 480  # pixels of the longer side of a picture in the report


def evaluate_and_show(
    image: Path, samples: list[Path], weights: Path | None, report: Path | None, as_json: bool, quiet: bool
) -> None:
    """The table on stdout, or JSON; the report where it is asked for."""
    paths = pictures(samples)
    tools = load_tools(weights)
    source = read(image)
    figures = [_figure(image.name, source, key(source[0]), "the source, and its places as colours")]
    with reporter(quiet, "measuring") as progress:

        def seen(index: int, scored: Scored) -> None:
            progress.update((index + 1) / len(paths))
            if report is not None:
                where = overview(scored.field, (source.shape[-2], source.shape[-1]))
                figures.append(_figure(scored.name, read(paths[index]), where, caption(scored.scores)))

        result = evaluate(image, Samples(paths), tools, seen)
    if report is not None:
        write_text(html(result, figures), report)
    if as_json:
        print(json.dumps(result.as_json()))
    else:
        show(result)


def pictures(words: Iterable[Path]) -> list[Path]:
    """Files as they are, folders as the pictures in them but for unica's own sheets and maps."""
    paths = []
    for word in words:
        if not word.is_dir():
            paths.append(word)
            continue
        found = sorted(path for path in word.iterdir() if path.suffix.lower() in SUFFIXES and _is_sample(path))
        if not found:
            raise UnicaError(f"there are no pictures in {word}")
        paths += found
    return paths


def _figure(title: str, picture: Tensor, where: Tensor, words: str) -> Figure:
    return Figure(title, [data_uri(to_pil(pixels), _SHOWN) for pixels in (picture[0], where)], words)


def _is_sample(path: Path) -> bool:
    return not path.name.startswith(".") and not path.stem.endswith(_OWN)


def show(result: Evaluation) -> None:
    console = Console(width=max(Console().width, 84))  # narrower cuts the numbers
    table = Table(title=f"{result.source}: {len(result.names)} samples", title_justify="left")
    for index, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    family = MEASURES[0].family
    for measure, cells in rows(result):
        if measure.family != family:
            table.add_section()
            family = measure.family
        table.add_row(*cells)
    console.print(table)
    warning = verdict(result)
    if warning:
        console.print(warning, style="bold red", highlight=False)
    for reason in reasons(result):
        console.print(reason, style="dim", highlight=False, markup=False)
