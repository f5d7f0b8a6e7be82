"""Sets of tiles that lie beside each other in any order, as long as their borders fit: Wang tiles."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, sqrt
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from unica.declare import Choice, Param, Whole
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.tasks.declare import LARGEST_COUNT, NEW, Seed, Together, task

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame

_BAND = 0.1  # of a tile's side: how far into the tile its border reaches
_COLORS = 2  # kinds of borders, unless another number is asked for
_MOST_ROWS = 8  # of a sheet
_ATTEMPTS, _PLAIN = 4, 1.0  # how often a border is drawn until its step is no larger than the source's usual one


class Borders(NamedTuple):
    """Which colours the borders of a tile have. Borders of one colour fit, whatever lies behind them.

    By edges, these are the colours of its four sides; by corners, of its four corners, and a side is a pair of them.
    """

    by: str
    colours: tuple[int, int, int, int]  # top, right, bottom, left; or top left, top right, bottom right, bottom left

    @classmethod
    def of(cls, number: int, by: str, colors: int) -> "Borders":
        """Of a tile of a set, by its number. The first colors^2 of them already have all pairs of two borders."""
        digits = [number // colors**place % colors for place in range(4)]
        return cls(by, (digits[0], digits[2], digits[3], digits[1]))

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """The colour of each corner, from the top left, clockwise. By edges, all are alike."""
        return self.colours if self.by == "corners" else (0, 0, 0, 0)

    @property
    def sides(self) -> tuple[tuple[int, ...], ...]:
        """What tells each side from others of its direction: top, right, bottom, left."""
        if self.by == "edges":
            return tuple((colour,) for colour in self.colours)
        a, b, c, d = self.colours
        return (a, b), (b, c), (d, c), (a, d)


def _notes(frame: "Frame", by: str, colors: int, **_: Any) -> Mapping[str, Any]:
    """Which colours the borders of a tile have."""
    return {by: list(Borders.of(frame.seed, by, colors).colours)}


def _canvas(model: Model, colors: int, by: str, side: int, set: int, seed: int, **_: Any) -> "Canvas":
    """A tile, of which only the border is there."""
    return _Strips(model, side, set).around(Borders.of(seed, by, colors))


def _shorthand(values: dict[str, Any]) -> dict[str, Any]:
    """`random` is a set with one kind of border."""
    if values.get("random") is None:
        return values
    if values.get("colors", _COLORS) not in (1, _COLORS):
        raise UnicaError("random is in place of colors: give one of them")
    return {**values, "colors": 1, "count": values["random"], "random": None}


def _table(seeds: Sequence[int], by: str, colors: int, **_: Any) -> dict[int, dict[str, Any]]:
    """Of each tile, its borders, and which tiles may lie right of it and below it."""
    borders = {seed: Borders.of(seed, by, colors) for seed in seeds}
    left, top = defaultdict(list), defaultdict(list)
    for seed, one in borders.items():
        left[one.sides[3]].append(seed)
        top[one.sides[0]].append(seed)
    return {
        seed: {by: list(one.colours), "right": left[one.sides[1]], "below": top[one.sides[2]]}
        for seed, one in borders.items()
    }


def _layout(seeds: Sequence[int], **arguments: Any) -> list[list[int | None]]:
    """Tiles at random beside each other, as their borders allow. Where none of them fits, there is none."""
    table, chance = _table(seeds, **arguments), Random(seeds[0])
    side = min(max(ceil(sqrt(2 * len(seeds))), 4), _MOST_ROWS)
    rows: list[list[int | None]] = []
    for _ in range(side):
        row: list[int | None] = []
        for column in range(side):
            left, above = row[-1] if row else None, rows[-1][column] if rows else None
            fitting = set(seeds if left is None else table[left]["right"])
            fitting &= set(seeds if above is None else table[above]["below"])
            row.append(chance.choice(sorted(fitting)) if fitting else None)
        rows.append(row)
    return rows


@task(NEW, needs_source=True, preview=_canvas, notes=_notes, shorthand=_shorthand, together=Together(_table, _layout))
def tiles(
    model: Model,
    colors: Annotated[
        int, Param("How many kinds of borders there are. With 1, all tiles fit beside each other.", Whole(1, 8))
    ] = _COLORS,
    by: Annotated[
        str,
        Param("What must agree where tiles meet: their edges, or their corners.", Choice("edges", "corners")),
    ] = "edges",
    side: Annotated[int, Param("Pixels of a tile's side.", Whole(64, 2048))] = 256,
    set: Annotated[int, Param("Which set: tiles of different sets do not fit together.", Whole(0, 10**6))] = 0,
    random: Annotated[
        int | None,
        Param(
            "This many tiles with one common border, which may lie in any order; in place of colors.",
            Whole(1, LARGEST_COUNT),
            recorded=False,
        ),
    ] = None,
    count: Annotated[
        int,
        Param(
            "How many tiles. A set has colors^4; more of them are others with the same borders.",
            Whole(1, LARGEST_COUNT),
            short="n",
            recorded=False,
            command_default=16,
        ),
    ] = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw tiles that fit together in many ways, as game engines lay them: Wang tiles.

    The seed is a tile's number. A tile is drawn from its borders inwards: so there is no seam, and tiles with the same
    borders need not be alike.
    """
    from unica.tasks.run import check_area

    check_area((side, side))
    if round(_BAND * side) * 2 > min(model.picture.size):
        w, h = model.picture.size
        raise UnicaError(f"tiles of {side} pixels are too large for a picture of {w}x{h}: ask for a smaller --side")
    return _frames(model, colors, by, side, set, count, seed)


def _frames(model: Model, colors: int, by: str, side: int, number: int, count: int, seed: int) -> "Iterator[Frame]":
    from dataclasses import replace

    from unica.tasks.run import draw

    strips = _Strips(model, side, number)
    for index in range(count):
        canvas = strips.around(Borders.of(seed + index, by, colors))
        for frame in draw(model, model.run(canvas.size), 1, seed + index, canvas=canvas):
            yield replace(frame, index=index, done=(index + frame.fraction) / count)


class _Strips:
    """The borders of all tiles of a set: pictures across a corner, and across each side. Each is drawn once."""

    def __init__(self, model: Model, side: int, number: int) -> None:
        self.model, self.side, self.number = model, side, number
        self.band = max(round(_BAND * side), 8)
        self._drawn: dict[tuple[Any, ...], Canvas] = {}

    def around(self, borders: Borders) -> "Canvas":
        """A tile, of which only the border is there."""
        from unica.tasks.canvas import Canvas

        n, m = self.side, self.band
        canvas = Canvas.empty(self.model.picture, (n, n))
        a, b, c, d = borders.corners
        top, right, bottom, left = borders.sides
        inner, outer = slice(m, 2 * m), slice(0, m)  # halves of a strip: behind the border, and before it
        for strip, rows, columns in (
            (self._along("x", top, a, b).part(inner, slice(m, m + n)), slice(0, m), slice(0, n)),
            (self._along("x", bottom, d, c).part(outer, slice(m, m + n)), slice(n - m, n), slice(0, n)),
            (self._along("y", left, a, d).part(slice(m, m + n), inner), slice(0, n), slice(0, m)),
            (self._along("y", right, b, c).part(slice(m, m + n), outer), slice(0, n), slice(n - m, n)),
        ):
            canvas = canvas.with_part(strip, rows, columns)
        return canvas

    def _along(self, axis: str, key: Sequence[int], first: int, last: int) -> "Canvas":
        """What lies on both sides of a border from one corner to the next: 2 bands wide, and from corner to corner."""
        name = (axis, *key)
        if name not in self._drawn:
            from unica.tasks.canvas import Canvas

            n, m = self.side, self.band
            size = (4 * m, n + 2 * m) if axis == "x" else (n + 2 * m, 4 * m)
            canvas = Canvas.empty(self.model.picture, size)
            across, begin, end = slice(m, 3 * m), slice(0, 2 * m), slice(n, n + 2 * m)
            for part, along in ((self._corner(first), begin), (self._corner(last), end)):
                canvas = canvas.with_part(part, *((across, along) if axis == "x" else (along, across)))
            drawn = self._draw(canvas, name)
            rest = slice(0, n + 2 * m)
            self._drawn[name] = drawn.part(*((across, rest) if axis == "x" else (rest, across)))
        return self._drawn[name]

    def _corner(self, colour: int) -> "Canvas":
        """What lies around a corner: 2 bands wide and high."""
        name = ("corner", colour)
        if name not in self._drawn:
            from unica.tasks.canvas import Canvas

            m = self.band
            drawn = self._draw(Canvas.empty(self.model.picture, (4 * m, 4 * m)), name)
            self._drawn[name] = drawn.part(slice(m, 3 * m), slice(m, 3 * m))
        return self._drawn[name]

    def _draw(self, canvas: "Canvas", name: tuple[Any, ...]) -> "Canvas":
        """The finished canvas, in whose middle there is no edge. It depends on its name and the set alone."""
        from zlib import crc32

        from unica.tasks.run import draw

        best: tuple[float, Canvas] | None = None
        for attempt in range(_ATTEMPTS):
            seed = crc32(repr((self.number, name, attempt)).encode())
            *_, frame = draw(self.model, self.model.run(canvas.size), 1, seed, canvas=canvas)
            drawn = frame.as_canvas()
            step = self._step(drawn.pixels, name[0])
            if best is None or step < best[0]:
                best = step, drawn
            if step <= _PLAIN:
                break
        assert best is not None
        return best[1]

    def _step(self, pixels: "Float[Tensor, 'c h w']", kind: str) -> float:
        """The step over the border that lies in the middle, as a multiple of those in the source."""
        dims = {"x": (1,), "y": (2,), "corner": (1, 2)}[kind]
        usual = sum(float(self.model.picture.pixels.diff(dim=dim).abs().mean()) for dim in (1, 2)) / 2
        found = []
        for dim in dims:
            middle = pixels.narrow(dim, pixels.shape[dim] // 2 - 1, 2).diff(dim=dim)
            found.append(float(middle.narrow(3 - dim, self.band, middle.shape[3 - dim] - 2 * self.band).abs().mean()))
        return max(found) / max(usual, 1e-6)
