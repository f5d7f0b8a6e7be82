"""`unica view`: a page that shows a picture of any size."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unica.cli.progress import late_reporter
from unica.cli.terminal import say
from unica.errors import UnicaError
from unica.jobs.models import is_model, model_options, open_model
from unica.tiled import ENDINGS
from unica.viewer.library import openseadragon
from unica.viewer.page import Page
from unica.viewer.serve import serve
from unica.viewer.sources import Drawn, TileSource, source_of


def run(
    path: str, size: tuple[int, int] | None, seed: int, port: int, open: bool, quiet: bool, values: Mapping[str, Any]
) -> None:
    """Serve the page until it is interrupted. `values` are those of the options that say which model is meant."""
    openseadragon()  # so that one is told now if it is not there
    source = _source(path, size, seed, quiet, values)
    name = path.rstrip("/").rpartition("/")[2] if "://" in path else Path(path).resolve().name
    serve(Page(source, name), port, open, (lambda line: None) if quiet else _say_now)


def _source(path: str, size: tuple[int, int] | None, seed: int, quiet: bool, values: Mapping[str, Any]) -> TileSource:
    file = Path(path)
    if file.suffix.lower() not in ENDINGS and (is_model(file) or size is not None):
        return _drawn(file, size, seed, quiet, values)
    drawing = [option for option in model_options() if option.name in values]
    given = [option.label for option in drawing if values[option.name] != option.value(None)]
    for name in ["--size"] * (size is not None) + given:
        raise UnicaError(f"{name} is for drawing from a model or a picture, and {path} is shown as it is")
    return source_of(path if "://" in path else file)


def _drawn(path: Path, size: tuple[int, int] | None, seed: int, quiet: bool, values: Mapping[str, Any]) -> TileSource:
    """A canvas. Its layout is drawn now, with progress; what the page shows is drawn when it is looked at."""
    import unica

    with late_reporter(quiet, "drawing") as report:
        canvas = unica.canvas(open_model({**values, "path": path}, report), size=size, seed=seed)
        canvas.layout(report)
    return Drawn(canvas)


def _say_now(line: str) -> None:
    """Say it at once, also where stdout is no terminal."""
    say(line)
    sys.stdout.flush()
