"""What goes to the Hugging Face hub beside a model: a page about it, with samples and measures."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import unica
from unica.engines.base import HUB_FILE
from unica.engines.trained import TrainedModel
from unica.evaluation import Evaluation, Networks, Samples, evaluate
from unica.evaluation.report import COLUMNS, rows, verdict
from unica.image import contact_sheet, png_bytes, preview_bytes, save_png, to_pil
from unica.metrics import measures

SHEET = "samples.webp"
_COUNT = 8  # pictures on the sheet, and of which measures are taken
_WIDEST = 1600  # pixels of the sheet's longer side
_NETWORKS = "it needs a network's weights, which are not fetched for this page"


def card_of(model: TrainedModel, name: str, licence: str | None = None, credit: str | None = None) -> dict[str, bytes]:
    """The files of a model's page, by name. The licence and the credit are those of the picture it was trained on."""
    drawn = unica.sample(model, count=_COUNT)
    result = _measured(model, drawn) if model.has_source and not model.picture.maps else None
    sheet = contact_sheet(drawn, columns=4)
    text = "\n".join([*_front(model, licence), "", *_page(model, name, licence, credit, result), ""])
    return {"README.md": text.encode(), SHEET: preview_bytes(sheet, min(max(sheet.size), _WIDEST))}


def _measured(model: TrainedModel, drawn: list) -> Evaluation:
    """The measures of the samples that need no network, so that publishing downloads nothing."""
    absent = {measure.name: _NETWORKS for measure in measures() if measure.network is not None}
    with TemporaryDirectory() as folder:
        source = Path(folder) / "source.png"
        save_png(to_pil(model.picture.pixels, model.picture.alpha), source)
        paths = [Path(folder) / f"{seed}.png" for seed in range(len(drawn))]
        for path, image in zip(paths, drawn):
            path.write_bytes(png_bytes(image))
        return evaluate(source, Samples(paths), Networks({}, absent))


def _front(model: TrainedModel, licence: str | None) -> list[str]:
    """What the hub reads."""
    return [
        "---",
        "library_name: unica",
        f"license: {json.dumps(licence or 'unknown')}",
        "pipeline_tag: unconditional-image-generation",
        f"tags: [unica, {model.engine}, single-image]",
        "---",
    ]


def _page(
    model: TrainedModel, name: str, licence: str | None, credit: str | None, result: Evaluation | None
) -> list[str]:
    picture, (width, height) = model.picture, model.picture.size
    inside = "is in the file" if model.has_source else "is not in the file: tasks that work on it are refused"
    lines = [
        f"# {name.rpartition('/')[2]}",
        "",
        f"Draws new pictures like one: a {model.engine} model by unica, trained on a"
        f" single picture of {width}x{height} pixels.",
        "",
        f"![{_COUNT} samples, seeds 0 to {_COUNT - 1}]({SHEET})",
        "",
        "## Use",
        "```python",
        "import unica",
        "",
        f'model = unica.TrainedModel.from_pretrained("{name}")',
        f"pictures = model.sample(count=4, size=({2 * width}, {height}), seed=0)  # Pillow images",
        "```",
        f"Or download `{HUB_FILE}`, and give it to any command, as `unica sample {HUB_FILE}`.",
        "",
        "## The picture",
        f"`{picture.name}`, {width}x{height}, {inside}.",
        f"Its licence: {licence or 'not told'}. Credit: {credit or 'not told'}.",
        "",
        "## Training and settings",
        "| | |",
        "| --- | --- |",
        *(f"| {key.replace('_', ' ')} | {value} |" for key, value in {**model.training, **model.settings}.items()),
        f"| unica | {unica.__version__} |",
    ]
    if picture.maps:
        lines += ["", "## Maps", *(f"- {one.name}: {one.kind}, {one.channels} x {one.dtype}" for one in picture.maps)]
    if result is not None:
        lines += ["", "## Measures", f"Of the {_COUNT} samples, against the picture; those that need no network.", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", "| --- " * len(COLUMNS) + "|"]
        lines += [f"| {' | '.join(cells)} |" for _, cells in rows(result)]
        warning = verdict(result)
        lines += ["", warning] if warning else []
    return lines
