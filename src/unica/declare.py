"""Declaring a parameter once.

A parameter of a task, of an engine or of a command is declared by its annotation:

    strength: Annotated[float | None, Param("0 keeps the picture that enters, 1 frees it.", Number(0, 1))] = None

From that come the check of arguments in Python, the option of the command line, the JSON schema and the reference
page. Annotations know none of these. Modules that declare parameters do not postpone the evaluation of annotations
(no `from __future__ import annotations`), and import nothing heavy, so that help is quick.
"""

from __future__ import annotations

import inspect
import os
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from unica.errors import UnicaError, as_path, one_of, real, short, shown, whole


class _Unset:
    """No value: nothing is given, or nothing is the default."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Any = _Unset()


class Kind(ABC):
    """What values a parameter takes: how they are written on a command line, checked, and described as JSON."""

    metavar = ""
    repeated = False  # whether the option may be given several times

    @abstractmethod
    def parse(self, name: str, text: str) -> Any:
        """The value that a text stands for. Of a repeated option, each text is one item of a list."""

    @abstractmethod
    def check(self, name: str, value: Any) -> Any:
        """The value as the task wants it; a `UnicaError` that begins with the name if it cannot be that."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON schema of a value."""

    def format(self, value: Any) -> str:
        """The text that `parse` reads as the value; of a repeated option, as one item."""
        return str(value)

    def without_folder(self, value: Any) -> Any:
        """The value as others may read it: of a file that is read, only its name."""
        return value


@dataclass(frozen=True)
class Whole(Kind):
    """Whole numbers, both ends included."""

    low: int
    high: int
    metavar: str = "N"

    def parse(self, name: str, text: str) -> int:
        return whole(name, _int(text), self.low, self.high)

    def check(self, name: str, value: Any) -> int:
        return whole(name, value, self.low, self.high)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Odd(Whole):
    """Odd whole numbers."""

    def parse(self, name: str, text: str) -> int:
        return self.check(name, _int(text))

    def check(self, name: str, value: Any) -> int:
        number = super().check(name, value)
        if number % 2 == 0:
            raise UnicaError(f"{name} must be an odd number from {self.low} to {self.high}, not {number}")
        return number


@dataclass(frozen=True)
class Number(Kind):
    """Real numbers; `above` and `below` leave the ends out."""

    low: float
    high: float
    above: bool = False
    below: bool = False

    @property
    def metavar(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return f"{self.low:g}..{self.high:g}" if self.high <= 10 else "F"

    def parse(self, name: str, text: str) -> float:
        return self.check(name, _float(text))

    def check(self, name: str, value: Any) -> float:
        return real(name, value, self.low, self.high, self.above, self.below)

    def schema(self) -> dict[str, Any]:
        low, high = "exclusiveMinimum" if self.above else "minimum", "exclusiveMaximum" if self.below else "maximum"
        return {"type": "number", low: self.low, high: self.high}


class Flag(Kind):
    """True or False. On a command line, `--name` if it is off by default and `--no-name` if it is on."""

    def parse(self, name: str, text: str) -> bool:
        return text == "True"

    def check(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise UnicaError(f"{name} must be True or False, not {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Choice(Kind):
    """One of several words."""

    def __init__(self, *options: str) -> None:
        self.options = options

    def parse(self, name: str, text: str) -> str:
        return one_of(name, text, self.options)

    def check(self, name: str, value: Any) -> str:
        return one_of(name, value, self.options)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}


@dataclass(frozen=True)
class Text(Kind):
    """Any text."""

    metavar: str = "TEXT"

    def parse(self, name: str, text: str) -> str:
        return text

    def check(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            raise UnicaError(f"{name} must be a text, not {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class File(Kind):
    """A file or a folder; in Python, a picture may also be a Pillow image."""

    metavar: str = "FILE"
    written: bool = False  # whether it is written, not read

    def parse(self, name: str, text: str) -> Path:
        return as_path(name, text)

    def check(self, name: str, value: Any) -> Any:
        if isinstance(value, bool | int | float):
            raise UnicaError(f"{name} must be a file or a picture, not {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "path"}

    def without_folder(self, value: Any) -> Any:
        return value if self.written else Path(Path(value).name)

    def format(self, value: Any) -> str:
        text = os.fspath(value)
        return f"./{text}" if text.startswith("-") else text  # else it would be taken for an option


class Destination(File):
    """A folder or a file to write to, as it was typed: a slash at its end makes it a folder."""

    def parse(self, name: str, text: str) -> Any:
        super().parse(name, text)
        return text


class Anything(Kind):
    """A Python object that no command line or form can give."""

    def parse(self, name: str, text: str) -> Any:
        return text

    def check(self, name: str, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {}


class Size(Kind):
    """(width, height) in pixels."""

    metavar = "WxH"
    example = "512x256"

    def parse(self, name: str, text: str) -> tuple[Any, Any]:
        parts = text.lower().split("x")
        try:
            width, height = map(self._number, parts)
        except ValueError:
            raise UnicaError(f"{name} is written as {self.example}, width first, not {short(text)}") from None
        return self.check(name, (width, height))

    def check(self, name: str, value: Any) -> tuple[Any, Any]:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
            raise UnicaError(f"{name} must be a pair, width and height, not {shown(value)}")
        return self._side(name, value[0]), self._side(name, value[1])

    def _number(self, text: str) -> Any:
        return int(text)

    def _side(self, name: str, value: Any) -> Any:
        return whole(name, value, 1, 10**6)

    def schema(self) -> dict[str, Any]:
        side = {"type": "integer", "minimum": 1}
        return {"type": "array", "items": side, "minItems": 2, "maxItems": 2}

    def format(self, value: Any) -> str:
        return f"{value[0]}x{value[1]}"


class Stretch(Size):
    """(width, height) as multiples of the source's."""

    example = "2x1"

    def _number(self, text: str) -> float:
        return float(text)

    def _side(self, name: str, value: Any) -> float:
        return real(name, value, 0, 10**5, above=True)

    def schema(self) -> dict[str, Any]:
        side = {"type": "number", "exclusiveMinimum": 0}
        return {"type": "array", "items": side, "minItems": 2, "maxItems": 2}


@dataclass(frozen=True)
class Numbers(Kind):
    """Whole numbers in a row."""

    metavar: str = "N,N,..."
    example: str = "52,41,31"

    def parse(self, name: str, text: str) -> tuple[int, ...]:
        return _numbers(name, text, self.example)

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        return _whole_tuple(name, value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "integer"}}

    def format(self, value: Any) -> str:
        return ",".join(map(str, value))


class Repeated(Kind):
    """A list: each item is one option of the command line."""

    repeated = True
    example = ""

    def check(self, name: str, value: Any) -> list[Any]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise UnicaError(f"{name} must be a list, not {shown(value)}")
        return [self.item(name, one) for one in value]

    @abstractmethod
    def item(self, name: str, value: Any) -> Any: ...


class Texts(Repeated):
    """Texts, one for each time that the option is given."""

    def __init__(self, metavar: str) -> None:
        self.metavar = metavar

    def parse(self, name: str, text: str) -> str:
        return text

    def item(self, name: str, value: Any) -> str:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}


class Named(Repeated):
    """Values by name, each written as NAME=VALUE."""

    value = ""  # what comes after the name, in words

    def parse(self, name: str, text: str) -> Any:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UnicaError(f"{name} is written as {self.example}, not {short(text)}")
        return key, value

    def check(self, name: str, value: Any) -> list[Any]:
        pairs = list(value.items()) if isinstance(value, Mapping) else super().check(name, value)
        names = [key for key, _ in pairs]
        for key in names:
            if names.count(key) > 1:
                raise UnicaError(f"{name} names {short(str(key))} twice")
        return [(key, self.one(f"{name} {key}", one)) for key, one in pairs]

    def item(self, name: str, value: Any) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
            raise UnicaError(f"{name} must be a list of names with {self.value}")
        return value[0], value[1]

    @abstractmethod
    def one(self, name: str, value: Any) -> Any:
        """A value as it should be."""

    def format(self, value: Any) -> str:
        key, one = value
        return f"{key}={one:g}" if isinstance(one, float) else f"{key}={one}"

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}


class NamedFiles(Named):
    """Files by name."""

    metavar = "NAME=FILE"
    example = "normal=stone_normal.png"
    value = "a file each"

    def one(self, name: str, value: Any) -> Path:
        return as_path(name, value)

    def without_folder(self, value: Any) -> Any:
        return [(key, Path(Path(path).name)) for key, path in value]


class NamedNumbers(Named):
    """Numbers by name."""

    metavar = "NAME=NUMBER"
    example = "normal=0.5"
    value = "a number each"

    def one(self, name: str, value: Any) -> float:
        return real(name, _float(value) if isinstance(value, str) else value, 0, 10)


class Boxes(Repeated):
    """Boxes as (left, top, width, height), in pixels of the picture as its file has it."""

    metavar = "X,Y,W,H"
    example = "10,20,64,48"

    def parse(self, name: str, text: str) -> Any:
        four = _numbers(name, text, self.example)
        if len(four) != 4:
            raise UnicaError(f"{name} is four numbers, as {self.example} (left, top, width, height), not {short(text)}")
        return four

    def item(self, name: str, value: Any) -> tuple[int, ...]:
        return _box(name, value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": _BOX}

    def format(self, value: Any) -> str:
        return ",".join(map(str, value))


class Polygons(Repeated):
    """Polygons as lists of their (x, y) corners."""

    metavar = "X,Y,X,Y,..."
    example = "10,10,60,15,30,50"

    def parse(self, name: str, text: str) -> Any:
        flat = _numbers(name, text, self.example)
        if len(flat) % 2:
            raise UnicaError(f"{name} is pairs of numbers, as {self.example}, not {short(text)}")
        return [(x, y) for x, y in zip(flat[::2], flat[1::2], strict=True)]

    def item(self, name: str, value: Any) -> list[tuple[float, float]]:
        try:
            corners = [(x, y) for x, y in value]
        except (TypeError, ValueError):
            raise UnicaError(f"{name} must be a list of polygons, each a list of (x, y) corners") from None
        return [(real(name, x, -1e6, 1e6), real(name, y, -1e6, 1e6)) for x, y in corners]

    def schema(self) -> dict[str, Any]:
        corner = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
        return {"type": "array", "items": {"type": "array", "items": corner, "minItems": 3}}

    def format(self, value: Any) -> str:
        return ",".join(f"{number:g}" for corner in value for number in corner)


class Placements(Repeated):
    """Pairs of boxes: a part of the source, and where it goes. On a command line it keeps its size by default."""

    metavar = "X,Y,W,H@X,Y[,W,H]"
    example = "10,20,64,48@100,20"

    def parse(self, name: str, text: str) -> Any:
        box, at, place = text.partition("@")
        four, there = _numbers(name, box, self.example), _numbers(name, place, self.example) if at else ()
        if len(four) != 4 or len(there) not in (2, 4):
            raise UnicaError(f"{name} is written as {self.example} (a box, and where it goes), not {short(text)}")
        return four, (there if len(there) == 4 else (*there, *four[2:]))

    def item(self, name: str, value: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
            raise UnicaError(f"{name} must be a list of pairs of boxes, each left, top, width and height")
        return _box(name, value[0]), _box(name, value[1])

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "array", "items": _BOX, "minItems": 2, "maxItems": 2}}

    def format(self, value: Any) -> str:
        (_, _, *size), place = value
        kept = list(place[2:]) == size
        return "@".join(",".join(map(str, box)) for box in (value[0], place[:2] if kept else place))


@dataclass(frozen=True)
class Group(Kind):
    """A frozen dataclass of declared fields: one value in Python, one option for each field on a command line."""

    of: type

    def parse(self, name: str, text: str) -> Any:
        raise NotImplementedError("a group has an option for each of its fields")

    def check(self, name: str, value: Any) -> Any:
        if not isinstance(value, self.of):
            raise UnicaError(f"{name} must be a {self.of.__name__}, not {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        return object_schema(parameters(self.of))


@dataclass(frozen=True)
class Param:
    """What an annotation says of a parameter."""

    help: str
    kind: Kind
    short: str = ""  # a one-letter option
    argument: bool = False  # given by its position on a command line, without its name
    off: str = ""  # of a flag that is on by default: the help of the option that turns it off
    advanced: bool = False  # seldom changed: forms fold it away
    recorded: bool = True  # whether it can change the picture, and belongs to the command that makes it again
    fallback: Any = UNSET  # where None means the engine's default: what holds if the engine has none
    command_default: Any = UNSET  # the command line's default, where it is not Python's


@dataclass(frozen=True)
class Parameter:
    """A declared parameter: a name, a default and what its annotation says."""

    name: str
    default: Any  # UNSET: it must be given
    about: Param
    optional: bool = False  # whether None is a value

    @property
    def kind(self) -> Kind:
        return self.about.kind

    @property
    def required(self) -> bool:
        return self.default is UNSET

    @property
    def option(self) -> str:
        """The name on a command line."""
        return ("no-" if self.default is True else "") + self.name.rstrip("_").replace("_", "-")

    def check(self, value: Any) -> Any:
        """The value, checked. None is accepted where the annotation has it, and where it is the default."""
        accepted = value is None and (self.optional or self.default is None)
        return value if accepted else self.kind.check(self.name, value)


@cache
def parameters(of: Callable[..., Any] | type) -> tuple[Parameter, ...]:
    """The declared parameters of a function, or the fields of a dataclass, in their order."""
    found = []
    for name, parameter in inspect.signature(of).parameters.items():
        if typing.get_origin(parameter.annotation) is typing.Annotated:
            (about,) = (extra for extra in get_args(parameter.annotation)[1:] if isinstance(extra, Param))
            default = UNSET if parameter.default is inspect.Parameter.empty else parameter.default
            found.append(Parameter(name, default, about, NoneType in get_args(get_args(parameter.annotation)[0])))
    return tuple(found)


def checked(declared: Sequence[Parameter], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The given values, each checked; a name that is not declared is refused."""
    known = {parameter.name: parameter for parameter in declared}
    for name in given:
        if name not in known:
            others = f"it has {', '.join(known)}" if known else "it has none"
            raise UnicaError(f"{name} is not a setting of {what}: {others}")
    return {name: known[name].check(value) for name, value in given.items()}


def object_schema(declared: Sequence[Parameter]) -> dict[str, Any]:
    """JSON schema of an object with a property for each parameter."""
    properties = {p.name: _property(p) for p in declared}
    required = [p.name for p in declared if p.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(parameter: Parameter) -> dict[str, Any]:
    described = {"description": parameter.about.help, **parameter.kind.schema()}
    if isinstance(parameter.default, str | int | float | bool | list | tuple):
        described["default"] = parameter.default
    return described


_BOX = {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4}


def _box(name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 4:
        raise UnicaError(f"{name} is a list of boxes, each left, top, width and height: (10, 20, 64, 48)")
    return _whole_tuple(name, value)


def _whole_tuple(name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UnicaError(f"{name} must be a list of whole numbers, not {shown(value)}")
    return tuple(whole(name, one, -(10**6), 10**6) for one in value)


def _numbers(name: str, text: str, example: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UnicaError(f"{name} is written in whole numbers, as {example}, not {short(text)}") from None


def _int(text: str) -> int | str:
    """A whole number, or the text itself: `whole` says what is wrong with it."""
    try:
        return int(text)
    except ValueError:
        return text


def _float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
