"""What a node asks for, made from declared parameters.

A `Socket` is one input of a node, in words that both of ComfyUI's schemas have. A `Field` is a declared parameter: its
sockets, and how their values become the parameter's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from unica.declare import UNSET, Choice, File, Flag, Group, Kind, Number, Odd, Parameter, Size, Whole, parameters

from .running import mask_picture, picture

LARGEST_SEED = 2**53 - 1  # that a page can send
DEFAULT = "default"  # of a choice: what holds if nothing is said


@dataclass(frozen=True)
class Socket:
    name: str
    type: str  # INT, FLOAT, STRING, BOOLEAN, COMBO, IMAGE, MASK, UNICA_MODEL
    required: bool = False
    settings: dict[str, Any] = field(default_factory=dict)  # default, min, max, step, tooltip, ...
    options: Callable[[], Sequence[str]] | None = None  # of a COMBO


@dataclass(frozen=True)
class Field:
    name: str
    sockets: tuple[Socket, ...]
    read: Callable[[Mapping[str, Any]], Any]  # of the values of all sockets by name; UNSET: nothing was said


def fields_of(declared: Sequence[Parameter], pictures: str = "IMAGE") -> list[Field]:
    """A field for each parameter. Files are sockets of this type."""
    return [_field(parameter, pictures) for parameter in declared]


def values_of(fields: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that were given, by the names of the parameters."""
    values = {one.name: one.read(given) for one in fields}
    return {name: value for name, value in values.items() if value is not UNSET}


def _field(parameter: Parameter, pictures: str) -> Field:
    kind = parameter.kind
    if isinstance(kind, Group):  # where to act: its file is a mask
        inner = fields_of(parameters(kind.of), "MASK")
        sockets = tuple(socket for one in inner for socket in one.sockets)
        return Field(parameter.name, sockets, partial(_grouped, kind.of, inner, parameter.required))
    if isinstance(kind, File):
        socket = Socket(parameter.name, pictures, parameter.required, {"tooltip": parameter.about.help})
        return Field(parameter.name, (socket,), partial(_pictured, parameter.name))
    if type(kind) is Size:
        return _sides(parameter)
    if isinstance(kind, Flag):
        socket = _socket(parameter, "BOOLEAN", default=bool(parameter.default))
        return Field(parameter.name, (socket,), partial(_plain, parameter.name, UNSET))
    if isinstance(kind, Choice):
        return _choice(parameter, kind)
    if isinstance(kind, Whole | Number):
        return _number(parameter, kind)
    socket = _socket(parameter, "STRING", default=_written(parameter), multiline=kind.repeated)
    if kind.repeated:
        socket.settings["tooltip"] += f" One a line, as {kind.metavar}."
    elif kind.metavar:
        socket.settings["tooltip"] += f" As {getattr(kind, 'example', '') or kind.metavar}."
    return Field(parameter.name, (socket,), partial(_typed, parameter.name, kind))


def _socket(parameter: Parameter, type: str, **settings: Any) -> Socket:
    said = {"tooltip": parameter.about.help} | ({"advanced": True} if parameter.about.advanced else {})
    return Socket(parameter.name, type, parameter.required, settings | said)


def _number(parameter: Parameter, kind: Whole | Number) -> Field:
    """A number. Where None is a value, it is a number below all others."""
    whole = isinstance(kind, Whole)
    low, high = (kind.low, kind.high) if whole else (float(kind.low), float(kind.high))
    none: Any = UNSET
    default = low if parameter.default is UNSET else parameter.default
    if default is None:
        none = low - 1 if low < 0 else -1 if whole else -1.0
        default, low = none, none
    step = 2 if isinstance(kind, Odd) else 1 if whole else 0.01
    settings: dict[str, Any] = {"default": default, "min": low, "max": min(high, LARGEST_SEED), "step": step}
    if parameter.name == "seed":
        settings["control_after_generate"] = not parameter.about.advanced  # another training each time is not wanted
    socket = _socket(parameter, "INT" if whole else "FLOAT", **settings)
    if none is not UNSET:
        socket.settings["tooltip"] += f" {none:g}: the default."
    return Field(parameter.name, (socket,), partial(_plain, parameter.name, none))


def _choice(parameter: Parameter, kind: Choice) -> Field:
    words = [DEFAULT] if parameter.default in (None, "") else []
    words += [word for word in kind.options if word]
    default = words[0] if parameter.default in (UNSET, None, "") else parameter.default
    socket = _socket(parameter, "COMBO", default=default)
    socket = Socket(socket.name, socket.type, socket.required, socket.settings, lambda: words)
    return Field(parameter.name, (socket,), partial(_plain, parameter.name, DEFAULT))


def _sides(parameter: Parameter) -> Field:
    """A width and a height; without them, the default."""
    front = "" if parameter.name == "size" else f"{parameter.name}_"
    names = [f"{front}width", f"{front}height"]
    tooltip = f"{parameter.about.help} 0: the default."
    settings = {"default": 0, "min": 0, "max": 16384, "step": 1, "tooltip": tooltip}
    sockets = tuple(Socket(name, "INT", parameter.required, settings) for name in names)
    return Field(parameter.name, sockets, partial(_both, names))


def _written(parameter: Parameter) -> str:
    default = parameter.default
    if default in (UNSET, None, (), ""):
        return ""
    return str(default) if isinstance(default, str) else parameter.kind.format(default)


def _plain(name: str, none: Any, given: Mapping[str, Any]) -> Any:
    value = given.get(name, UNSET)
    return UNSET if value == none else value


def _pictured(name: str, given: Mapping[str, Any]) -> Any:
    value = given.get(name)
    read = None if value is None else mask_picture(value) if value.ndim < 4 else picture(value)
    return UNSET if read is None else read


def _both(names: Sequence[str], given: Mapping[str, Any]) -> Any:
    sides = tuple(given.get(name, 0) for name in names)
    return sides if any(sides) else UNSET


def _typed(name: str, kind: Kind, given: Mapping[str, Any]) -> Any:
    """What a text says, as on a command line."""
    text = str(given.get(name, "")).strip()
    if not text:
        return UNSET
    return [kind.parse(name, line.strip()) for line in text.splitlines()] if kind.repeated else kind.parse(name, text)


def _grouped(of: type, inner: Sequence[Field], required: bool, given: Mapping[str, Any]) -> Any:
    """Where to act."""
    values = {name: value for name, value in values_of(inner, given).items() if value is not False}
    return of(**values) if values or required else UNSET
