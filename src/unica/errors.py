"""The one kind of error that a user can mend, and the words that such errors share."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from operator import index
from pathlib import Path
from typing import Any


class UnicaError(Exception):
    """Something the user can mend. The message is one clear sentence; the command line prints it and exits with 2."""


def whole(name: str, value: Any, low: int, high: int) -> int:
    """`value` as an int from `low` to `high`. NumPy's whole numbers count; fractions, texts and booleans do not."""
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise UnicaError(f"{name} must be a whole number from {low} to {high}, not {_quoted(value)}")
    return number


def real(name: str, value: Any, low: float, high: float, above: bool = False, below: bool = False) -> float:
    """`value` as a float from `low` to `high`; `above` and `below` leave the ends out. NaN is refused too."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not ((number > low if above else number >= low) and (number < high if below else number <= high)):
        first, last = "above " if above else "from ", "below " if below else ""
        raise UnicaError(f"{name} must be a number {first}{low:g} to {last}{high:g}, not {_quoted(value)}")
    return number


def one_of(name: str, value: Any, options: Sequence[str]) -> str:
    """`value`, if it is one of the options."""
    if not isinstance(value, str) or value not in options:
        raise UnicaError(f"{name} must be {listed(options)}, not {shown(value)}")
    return value


def as_path(name: str, value: Any, wanted: str = "a path") -> Path:
    """`value` as a path. A number is none: some functions of Python would take it for a file that is open already."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else ""
    if isinstance(path, str) and path:
        return Path(path)
    raise UnicaError(f"{name} must be {wanted}, not {shown(value)}")


def by_reason(failed: Mapping[str, str]) -> str:
    """What failed, with the reason once for all that have the same: "a and b (they do not exist)"."""
    alike = {why: [name for name in failed if failed[name] == why] for why in failed.values()}
    return ", ".join(
        why if names[0] in why and len(names) == 1 else f"{' and '.join(names)} ({why})" for why, names in alike.items()
    )


def listed(options: Sequence[str]) -> str:
    """ "a", "a or b", "a, b or c"; an empty option is left out."""
    *most, last = [option for option in options if option]
    return f"{', '.join(most)} or {last}" if most else last


def span(seconds: float) -> str:
    """A time in words: "40 s", "3 minutes", "1.9 hours"."""
    if seconds <= 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def shown(value: Any) -> str:
    """A short word for any value: numbers and texts as they are, of everything else only its type."""
    if isinstance(value, str):
        return short(value) or "an empty text"
    if isinstance(value, int | float):
        return short(f"{value:g}" if isinstance(value, float) else str(value))
    if isinstance(value, tuple | list) and len(value) <= 4 and all(isinstance(v, int | float) for v in value):
        return ", ".join(map(shown, value)) or "an empty list"
    name = type(value).__name__
    return "nothing" if value is None else f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _quoted(value: Any) -> str:
    """For a number that is asked for: a text in quotes, so that "1" is not taken for 1."""
    return f'"{short(value)}"' if isinstance(value, str) else shown(value)


def short(text: str, most: int = 40) -> str:
    """The beginning of a text, as a part of one line."""
    return _printable(text if len(text) <= most else text[: most - 3] + "...")


def _printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def reason(error: BaseException) -> str:
    """Why something failed, as the end of a sentence: one line, without an OSError's number and path."""
    lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
    words = re.sub(r"\s+", " ", lines[0]).rstrip(".: ") if lines else ""
    words = _printable(words) or type(error).__name__
    ordinary = (
        words.split()[0].isalpha() and words.split()[0][1:].islower()
    )  # and no name, as "CUDA" or "IncompleteRead"
    return words[0].lower() + words[1:] if ordinary else words
