"""Scatter plots as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10
from typing import NamedTuple

_SIZE, _MARGIN = 480, 60
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")


class Point(NamedTuple):
    """A point of the plot."""

    x: float
    y: float
    label: str


def scatter(groups: Mapping[str, Sequence[Point]], x_title: str, y_title: str) -> str:
    """An SVG of all points, in a colour for each group. Large points are the means of the groups.

    A point shows its label when the mouse is over it.
    """
    points = [point for group in groups.values() for point in group]
    across, up = _ticks([p.x for p in points]), _ticks([p.y for p in points])
    body = [*_axis(across, x_title, vertical=False), *_axis(up, y_title, vertical=True)]
    for index, (name, group) in enumerate(groups.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        for p in group:
            body.append(_circle(_place(p.x, across), _SIZE - _place(p.y, up), 4, colour, f"{name}: {p.label}"))
        if group:
            x, y = (sum(values) / len(group) for values in ([p.x for p in group], [p.y for p in group]))
            body.append(_circle(_place(x, across), _SIZE - _place(y, up), 9, colour, f"{name}: mean"))
        top = 20 + 18 * index
        body.append(_circle(_SIZE + 15, top, 5, colour, name))
        body.append(f'<text x="{_SIZE + 26}" y="{top + 4}">{escape(name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE + 180} {_SIZE}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(body)}</svg>\n'
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers at equal distances that enclose the values."""
    low, high = min(values), max(values)
    width = (high - low) or abs(high) or 1.0
    step = 10 ** floor(log10(width))
    step = next(step * part for part in (0.1, 0.2, 0.5, 1.0, 2.0) if width / (step * part) <= 6)
    first = floor(low / step)
    count = floor(high / step) - first + 2
    return [step * (first + n) for n in range(count)]


def _place(value: float, ticks: Sequence[float]) -> float:
    share = (value - ticks[0]) / (ticks[-1] - ticks[0])
    return _MARGIN + share * (_SIZE - 1.5 * _MARGIN)


def _axis(ticks: Sequence[float], title: str, vertical: bool) -> list[str]:
    parts, end, base = [], _SIZE - _MARGIN / 2, _SIZE - _MARGIN
    for tick in ticks:
        at, text = _place(tick, ticks), f"{tick:.3g}"
        if vertical:
            y = _SIZE - at
            parts.append(f'<path d="M{_MARGIN} {y:.1f}H{end}" stroke="#ddd"/>')
            parts.append(f'<text x="{_MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        else:
            parts.append(f'<path d="M{at:.1f} {_MARGIN / 2}V{base}" stroke="#ddd"/>')
            parts.append(f'<text x="{at:.1f}" y="{base + 16}" text-anchor="middle">{text}</text>')
    middle = _SIZE / 2
    where = f'transform="translate(16 {middle}) rotate(-90)"' if vertical else f'x="{middle}" y="{base + 38}"'
    return [*parts, f'<text {where} text-anchor="middle">{escape(title)}</text>']


def _circle(x: float, y: float, radius: int, colour: str, label: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" fill-opacity="0.7">'
        f"<title>{escape(label)}</title></circle>"
    )
