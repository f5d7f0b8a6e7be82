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
from unica.errors import UnicaError

from .running import mask_picture, picture

LARGEST_SEED = 2**53 - 1  # that a page can send
DEFAULT, NONE = "default", "none"  # of a choice: what holds if nothing is said


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
    required: bool = False


def fields_of(declared: Sequence[Parameter], pictures: str = "IMAGE") -> list[Field]:
    """A field for each parameter. Files are sockets of this type."""
    return [_field(parameter, pictures) for parameter in declared]


def values_of(fields: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that were given, by the names of the parameters."""
    values = {one.name: one.read(given) for one in fields}
    for one in fields:
        if one.required and values[one.name] is UNSET:
            raise UnicaError(f"{one.name} must be given")
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
    example = getattr(kind, "example", "")
    socket.settings["tooltip"] += " One a line." * kind.repeated + f" As {example}." * bool(example)
    return Field(parameter.name, (socket,), partial(_typed, parameter.name, kind), parameter.required)


def _socket(
    parameter: Parameter, type: str, options: Callable[[], Sequence[str]] | None = None, **settings: Any
) -> Socket:
    said = {"tooltip": parameter.about.help} | ({"advanced": True} if parameter.about.advanced else {})
    return Socket(parameter.name, type, parameter.required, settings | said, options)


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
    if isinstance(kind, Number) and kind.above and none is UNSET:
        low += step
    settings: dict[str, Any] = {"default": default, "min": low, "max": min(high, LARGEST_SEED), "step": step}
    if parameter.name == "seed":
        settings["control_after_generate"] = not parameter.about.advanced  # another training each time is not wanted
    socket = _socket(parameter, "INT" if whole else "FLOAT", **settings)
    if none is not UNSET:
        socket.settings["tooltip"] += f" {none:g}: the default."
    return Field(parameter.name, (socket,), partial(_plain, parameter.name, none))


def _choice(parameter: Parameter, kind: Choice) -> Field:
    nothing = {None: DEFAULT, "": NONE}.get(parameter.default)
    words = [*([] if nothing is None else [nothing]), *filter(None, kind.options)]
    default = parameter.default if parameter.default in words else words[0]
    socket = _socket(parameter, "COMBO", lambda: words, default=default)
    return Field(parameter.name, (socket,), partial(_plain, parameter.name, UNSET if nothing is None else nothing))


def _sides(parameter: Parameter) -> Field:
    """A width and a height; without them, the default."""
    front = "" if parameter.name == "size" else f"{parameter.name}_"
    names = [f"{front}width", f"{front}height"]
    tooltip = f"{parameter.about.help} 0 in both: the default."
    settings = {"default": 0, "min": 0, "max": 16384, "step": 1, "tooltip": tooltip}
    sockets = tuple(Socket(name, "INT", parameter.required, settings) for name in names)
    return Field(parameter.name, sockets, partial(_both, names))


def _written(parameter: Parameter) -> str:
    """The default as it is typed."""
    default = parameter.default
    if default in (UNSET, None, (), ""):
        return ""
    items = default if parameter.kind.repeated else [default]
    return "\n".join(item if isinstance(item, str) else parameter.kind.format(item) for item in items)


def _plain(name: str, none: Any, given: Mapping[str, Any]) -> Any:
    value = given.get(name, UNSET)
    return UNSET if value == none else value


def _pictured(name: str, given: Mapping[str, Any]) -> Any:
    value = given.get(name)
    read = None if value is None else mask_picture(value) if value.ndim < 4 else picture(value)
    return UNSET if read is None else read


def _both(names: Sequence[str], given: Mapping[str, Any]) -> Any:
    sides = tuple(given.get(name, 0) for name in names)
    if 0 in sides and any(sides):
        raise UnicaError(f"give both {names[0]} and {names[1]}, or neither")
    return sides if any(sides) else UNSET


def _typed(name: str, kind: Kind, given: Mapping[str, Any]) -> Any:
    """What a text says, as on a command line."""
    text = str(given.get(name, "")).strip()
    if not text:
        return UNSET
    if not kind.repeated:
        return kind.parse(name, text)
    return [kind.parse(name, line.strip()) for line in text.splitlines() if line.strip()]


def _grouped(of: type, inner: Sequence[Field], required: bool, given: Mapping[str, Any]) -> Any:
    """Where to act."""
    values = {name: value for name, value in values_of(inner, given).items() if value is not False}
    if required and not values:
        raise UnicaError("nothing is marked: connect a mask that marks something, or type a box")
    return of(**values) if values else UNSET
