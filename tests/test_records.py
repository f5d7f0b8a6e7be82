"""Dataclasses from JSON: annotations say what a file may hold."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import pytest

from unica.declare import Number, Whole
from unica.errors import UnicaError
from unica.records import Digest, Name, read_record


@dataclass(frozen=True)
class Inner:
    side: Annotated[int, Whole(1, 9)]


@dataclass(frozen=True)
class Record:
    count: Annotated[int, Whole(1, 9)]
    share: Annotated[float, Number(0, 1)]
    bits: Literal[8, 16]
    sizes: tuple[tuple[int, int], ...]
    pair: tuple[int, float]
    name: Annotated[str, Name()]
    sha256: Annotated[str, Digest()]
    inner: Inner
    flag: bool = False
    seed: Annotated[int, Whole(0, 9)] | None = None


GOOD = {
    "count": 3,
    "share": 1,
    "bits": 8,
    "sizes": [[1, 2], [3, 4]],
    "pair": [1, 2.5],
    "name": "../photo",
    "sha256": "0a" * 32,
    "inner": Inner(2),
}


def test_json_becomes_a_record_and_the_record_the_same_json() -> None:
    record = read_record(Record, GOOD)
    assert record == Record(3, 1.0, 8, ((1, 2), (3, 4)), (1, 2.5), "_photo", "0a" * 32, Inner(2))
    again = json.loads(json.dumps(asdict(record) | {"inner": None})) | {"inner": Inner(2)}
    assert read_record(Record, again) == record


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"count": 10**9}, "count must be a whole number from 1 to 9, not 1000000000"),
        ({"count": 3.0}, "count must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"share": float("nan")}, "share must be a number"),
        ({"share": 10**400}, "share must be a number"),
        ({"bits": 8.0}, "bits must be 8 or 16, not 8"),
        ({"bits": True}, "bits must be 8 or 16"),
        ({"sizes": 5}, "sizes must be a list, not 5"),
        ({"sizes": [[1, 2], [3]]}, r"sizes\[1\] must be 2 values, not 1"),
        ({"sizes": [[1, "2"]]}, r"sizes\[0\]\[1\] must be a whole number"),
        ({"pair": [1, None]}, r"pair\[1\] must be a number"),
        ({"name": 5}, "name must be a text"),
        ({"sha256": "0A" * 32}, "sha256 must be 64 hexadecimal digits"),
        ({"inner": {"side": 2}}, "inner must not be a dict"),
        ({"flag": 1}, "flag must be True or False"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"more\n": 1}, r"more\? is unknown"),
    ],
)
def test_what_is_not_as_declared_is_named(change: dict[str, Any], match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        read_record(Record, GOOD | change)


def test_missing_values_and_other_things_than_objects_are_named() -> None:
    with pytest.raises(UnicaError, match=r"picture\.count is missing"):
        read_record(Record, {}, "picture.")
    with pytest.raises(UnicaError, match="picture must be an object, not an empty list"):
        read_record(Record, [], "picture.")
