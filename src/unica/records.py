"""Dataclasses from files of unknown origin: the annotation of a field says what a file may hold there.

    blocks: Annotated[int, Whole(1, 32)] = 3

takes whole numbers from 1 to 32, and 3 where a file does not say.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from unica.declare import Flag, Kind, Number, Text, Whole
from unica.errors import UnicaError, listed, short, shown
from unica.names import safe_name

T = TypeVar("T")


class Name(Text):
    """A text that becomes part of a file's name, or is shown."""

    def check(self, name: str, value: Any) -> str:
        return safe_name(super().check(name, value))


class Digest(Text):
    """The SHA-256 of a file, as hexadecimal digits."""

    def check(self, name: str, value: Any) -> str:
        text = super().check(name, value)
        if len(text) != 64 or set(text) - set("0123456789abcdef"):
            raise UnicaError(f"{name} must be 64 hexadecimal digits, not {shown(text)}")
        return text


_KINDS: dict[Any, Kind] = {
    bool: Flag(),
    int: Whole(-(2**63), 2**63 - 1),
    float: Number(-sys.float_info.max, sys.float_info.max),
    str: Text(),
}


def read_record(kind: type[T], data: Any, where: str = "") -> T:
    """A dataclass of what JSON says. A `UnicaError` names the first value that is not as its field declares it.

    `where` begins the names of its values: "network.".
    """
    entries = as_mapping(where.rstrip(".") or "the header", data)
    hints = typing.get_type_hints(kind, include_extras=True)
    declared = fields(kind)  # pyright: ignore[reportArgumentType]
    unknown = set(entries) - {field.name for field in declared}
    if unknown:
        raise UnicaError(f"{where}{short(min(unknown))} is unknown")
    values = {}
    for field in declared:
        if field.name in entries:
            values[field.name] = _checked(where + field.name, hints[field.name], entries[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise UnicaError(f"{where}{field.name} is missing")
    return kind(**values)


def as_mapping(name: str, data: Any) -> Mapping[str, Any]:
    """The data, if it is what JSON calls an object."""
    if not isinstance(data, Mapping):
        raise UnicaError(f"{name} must be an object, not {shown(data)}")
    return data


def _checked(name: str, hint: Any, value: Any) -> Any:
    """The value, if it is of the annotated type. Lists become tuples: JSON has no others."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _KINDS:
        return _KINDS[hint].check(name, value)
    if origin is Annotated:
        return inner[1].check(name, value)
    if origin is Literal:
        if not any(type(value) is type(option) and value == option for option in inner):
            raise UnicaError(f"{name} must be {listed(list(map(str, inner)))}, not {shown(value)}")
        return value
    if origin is tuple:
        return _items(name, inner, value)
    if origin in (Union, UnionType):
        if value is None and NoneType in inner:
            return None
        if len(inner) == 2 and inner[1] is NoneType:
            return _checked(name, inner[0], value)
    if not isinstance(value, hint):
        raise UnicaError(f"{name} must not be {shown(value)}")
    return value


def _items(name: str, inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UnicaError(f"{name} must be a list, not {shown(value)}")
    kinds = [inner[0]] * len(value) if inner[-1] is ... else inner
    if len(value) != len(kinds):
        raise UnicaError(f"{name} must be {len(kinds)} values, not {len(value)}")
    return tuple(_checked(f"{name}[{index}]", kind, item) for index, (kind, item) in enumerate(zip(kinds, value)))
