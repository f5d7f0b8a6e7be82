"""An evaluation as a table, and as one HTML file with the pictures inside; and the measures as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from unica.evaluation.protocol import Evaluation
from unica.metrics import Measure, measures

COLUMNS = ("measure", "mean", "std", "median", "worst tenth", "better")

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c1c1c }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr.family td { font-weight: 600; padding-top: .8rem }
.grid { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; max-width: 32rem }
figure img { max-width: 100%; image-rendering: auto } figcaption { font-size: 13px; color: #555 }
.warning { background: #fff3cd; padding: .6rem 1rem } .absent { color: #777; font-size: 13px }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd } figcaption, .absent { color: #999 }
.warning { background: #4a3b00 } }
"""


class Figure(NamedTuple):
    title: str
    images: Sequence[str]  # data URIs
    caption: str = ""


def number(value: float | None) -> str:
    """Three decimals below 10 and one above; a dash for None."""
    if value is None:
        return "-"
    return f"{value:.{3 if abs(value) < 10 else 1}f}"


def verdict(result: Evaluation) -> str | None:
    """A warning if there are near-copies; None if there are none."""
    if not result.near_copies:
        return None
    return (
        f"Near-copies: {result.near_copies} of {len(result.names)} samples. More than half of a near-copy is one"
        " verbatim region of the source, or it looks just like the source. Its fidelity means nothing."
    )


def caption(scores: Mapping[str, float]) -> str:
    """The most telling numbers of one sample, in a line."""
    return ", ".join(f"{m.title} {number(scores[m.name])}" for m in measures() if m.captioned and m.name in scores)


def rows(result: Evaluation) -> list[tuple[Measure, tuple[str, ...]]]:
    """The table: each measure that has numbers, with its cells under COLUMNS."""
    return [
        (
            m,
            (
                m.title,
                number(result.mean(m.name)),
                number(result.deviation(m.name)),
                number(result.median(m.name)),
                _share(result.outliers(m.name)) if m.outliers else "",
                m.better,
            ),
        )
        for m in measures()
        if result.mean(m.name) is not None
    ]


def reasons(result: Evaluation) -> list[str]:
    """A sentence for each reason why measures are absent."""
    groups: dict[str, list[str]] = {}
    for name, why in result.absent.items():
        groups.setdefault(why, []).append(name)
    return [f"{', '.join(names)}: absent, {why.rstrip('.')}." for why, names in groups.items()]


def measures_markdown() -> str:
    """The table of all measures for the documentation."""
    lines = ["| measure | formula | better |", "| --- | --- | --- |"]
    lines += [f"| {m.title} (`{m.name}`) | {m.formula} | {m.better} |" for m in measures()]
    return "\n".join(lines) + "\n"


def weights_markdown() -> str:
    """The table of all files of weights for the documentation."""
    networks = dict.fromkeys(m.network for m in measures() if m.network is not None)
    weights = dict.fromkeys(weight for network in networks for weight in network.weights)
    lines = ["| file | licence | measures | download |", "| --- | --- | --- | --- |"]
    for w in weights:
        users = ", ".join(f"`{m.name}`" for m in measures() if m.network is not None and w in m.network.weights)
        lines.append(f"| `{w.file}` | {w.licence} | {users} | {f'[link]({w.url})' if w.url else 'none'} |")
    return "\n".join(lines) + "\n"


def html(result: Evaluation, figures: Sequence[Figure]) -> str:
    """The report as one HTML page that needs no other file."""
    warning = verdict(result)
    parts = [
        f"<!doctype html><meta charset=utf-8><title>unica eval: {escape(result.source)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(result.source)}</h1>",
        f"<p>{len(result.names)} samples, protocol {escape(result.protocol)}</p>",
        f"<p class=warning>{escape(warning)}</p>" if warning else "",
        _table(result),
        *(f"<p class=absent>{escape(reason)}</p>" for reason in reasons(result)),
        "<div class=grid>",
        *map(_figure, figures),
        "</div>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _table(result: Evaluation) -> str:
    lines, family = ["<tr>" + "".join(f"<th>{name}</th>" for name in COLUMNS) + "</tr>"], ""
    for m, cells in rows(result):
        if m.family != family:
            family = m.family
            lines.append(f"<tr class=family><td colspan={len(COLUMNS)}>{family}</td></tr>")
        lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _figure(figure: Figure) -> str:
    images = "".join(f'<img src="{uri}" alt="{escape(figure.title)}">' for uri in figure.images)
    text = escape(figure.title) + (f"<br>{escape(figure.caption)}" if figure.caption else "")
    return f"<figure>{images}<figcaption>{text}</figcaption></figure>"


if __name__ == "__main__":  # prints what docs/evaluation.md must contain
    print(measures_markdown())
    print(weights_markdown(), end="")
