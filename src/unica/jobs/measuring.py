"""Measuring pictures that were made from one picture, with a report that shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from unica.evaluation import Evaluation, Samples, evaluate, load_networks
from unica.evaluation.protocol import read
from unica.evaluation.report import Figure, caption, html
from unica.files import write_text
from unica.image import data_uri, to_pil
from unica.metrics import Sample
from unica.provenance import key, overview

_SHOWN = 480  # pixels of the longer side of a picture in the report


def measured(
    image: Path, paths: Sequence[Path], weights: Path | None, report: Path | None, seen: Callable[[float], None]
) -> Evaluation:
    """Measure the samples. `report` is an HTML file to write, and `seen` is told how much is done."""
    networks = load_networks(weights)
    source = read(image)
    figures = [_figure(image.name, source, key(source[0]), "the source, and its places as colours")]

    def note(index: int, sample: Sample, scores: Mapping[str, float]) -> None:
        seen((index + 1) / len(paths))
        if report is not None:
            where = overview(sample.origins, sample.source.size)
            figures.append(_figure(paths[index].name, sample.pixels, where, caption(scores)))

    result = evaluate(image, Samples(paths), networks, note)
    if report is not None:
        write_text(html(result, figures), report)
    return result


def _figure(title: str, picture: Tensor, where: Tensor, text: str) -> Figure:
    return Figure(title, [data_uri(to_pil(pixels), _SHOWN) for pixels in (picture[0], where)], text)
