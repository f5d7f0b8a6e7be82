"""Words of the command line that stand for more than themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unica.errors import UnicaError
from unica.guides.clip import Prompt

LARGEST = 10**6  # of a number in a pair; what is possible is decided by the task


def pair(text: str | None, number: Callable[[str], Any], option: str, example: str) -> Any:
    """(width, height) of WIDTHxHEIGHT."""
    if text is None:
        return None
    try:
        width, height = (number(part) for part in text.lower().split("x"))
    except ValueError:
        raise UnicaError(f"{option} is written as {example}, width first, not {text}") from None
    if not (0 < width <= LARGEST and 0 < height <= LARGEST):
        raise UnicaError(f"{option} must be above zero and not absurdly large, not {text[:40]}")
    return width, height


def numbers(text: str | None, option: str, example: str) -> tuple[int, ...] | None:
    """(52, 41) of 52,41."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UnicaError(f"{option} is written as {example}, not {text}") from None


def boxes(texts: list[str] | None, option: str = "--box") -> list[tuple[int, int, int, int]]:
    """(x, y, width, height) of each X,Y,W,H."""
    found = []
    for text in texts or []:
        four = numbers(text, option, "10,20,64,48")
        if four is None or len(four) != 4:
            raise UnicaError(f"{option} is four numbers, as 10,20,64,48 (left, top, width, height), not {text}")
        found.append(four)
    return found


def polygons(texts: list[str] | None) -> list[list[tuple[int, int]]]:
    """((x, y), ...) of each X,Y,X,Y,..."""
    found = []
    for text in texts or []:
        flat = numbers(text, "--polygon", "10,10,60,15,30,50") or ()
        if len(flat) % 2:
            raise UnicaError(f"--polygon is pairs of numbers, as 10,10,60,15,30,50, not {text}")
        found.append(list(zip(flat[::2], flat[1::2])))
    return found


def puts(texts: list[str] | None, option: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Both boxes of each X,Y,W,H@X,Y[,W,H]; what lands keeps its size unless another is said."""
    found = []
    for text in texts or []:
        box, _, place = text.partition("@")
        four, there = numbers(box, option, "10,20,64,48@100,20"), numbers(place or None, option, "10,20,64,48@100,20")
        if four is None or there is None or len(four) != 4 or len(there) not in (2, 4):
            raise UnicaError(f"{option} is written as 10,20,64,48@100,20 (a box, and where it goes), not {text}")
        found.append((four, there if len(there) == 4 else (*there, *four[2:])))
    return found


def prompts(texts: list[str]) -> list[Prompt]:
    """Each TEXT or TEXT:WEIGHT."""
    found = []
    for text in texts:
        words, _, weight = text.rpartition(":")
        try:
            found.append(Prompt(words, float(weight)) if words else Prompt(text))
        except ValueError:  # a colon of the text
            found.append(Prompt(text))
    return found
