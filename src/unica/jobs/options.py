"""Declared parameters as options: flat, by name, from a text or as a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unica.declare import UNSET, Flag, Group, Parameter, parameters
from unica.errors import UnicaError, short


@dataclass(frozen=True)
class Option:
    """A declared parameter on a command line."""

    parameter: Parameter
    panel: str | None = None  # of the help; None: the command's own
    optional: bool = False  # None unless it is typed, whatever its default
    default: Any = UNSET  # where it is not the parameter's

    @property
    def name(self) -> str:
        return self.parameter.name

    @property
    def usual(self) -> Any:
        """The value that holds where nothing is typed."""
        return self.parameter.default if self.default is UNSET else self.default

    @property
    def label(self) -> str:
        """The option as messages name it."""
        return "/".join(self.names) or self.parameter.kind.metavar

    @property
    def names(self) -> list[str]:
        """What is typed to give it: -n, --count; nothing for what is given by its position."""
        if self.parameter.about.argument:
            return []
        short = self.parameter.about.short
        return [f"-{short}"] * bool(short) + [f"--{self.parameter.option}"]

    def value(self, typed: Any) -> Any:
        """What was typed, as the parameter's value."""
        kind = self.parameter.kind
        if typed is None:
            return None if self.optional or self.parameter.default is None else self.parameter.default
        if isinstance(kind, Flag):
            return typed is not self.parameter.default if self.parameter.default is True else typed
        if kind.repeated:
            return kind.check(self.parameter.name, [kind.parse(self.label, text) for text in typed])
        if typed == "" and self.parameter.default == "":
            return typed
        return kind.parse(self.label, typed)


class Refused(UnicaError):
    """Values that cannot be: a sentence for each, by the name of its option."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__("; ".join(dict.fromkeys(sentences.values())))
        self.sentences = dict(sentences)


def read_values(options: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """A value for every option, from JSON: as Python has it, or as the text that a command line has."""
    known = {option.name: option for option in options}
    values, refused = {}, {}
    for name in given.keys() - known.keys():
        refused[name] = f"{short(str(name))} is not a setting of this task"
    for name, option in known.items():
        try:
            values[name] = _read_value(option, given.get(name))
            if values[name] is UNSET:
                raise UnicaError(f"{option.label} must be given")
        except UnicaError as error:
            refused[name] = str(error)
    if refused:
        raise Refused(refused)
    return values


def _read_value(option: Option, value: Any) -> Any:
    kind = option.parameter.kind
    if value is None or (value in ("", [], ()) and not isinstance(value, bool | int)):
        return option.value(None)
    if kind.repeated:
        several = value if isinstance(value, list) else [value]
        return kind.check(option.name, [kind.parse(option.label, v) if isinstance(v, str) else v for v in several])
    if isinstance(kind, Flag) or not isinstance(value, str):
        return option.parameter.check(value)
    return option.value(value)


def options_of(declared: type | Callable[..., Any], panel: str | None = None, optional: bool = False) -> list[Option]:
    """An option for each declared parameter; a group has one for each of its fields."""
    return [option for parameter in parameters(declared) for option in _options(parameter, panel, optional)]


def _options(parameter: Parameter, panel: str | None, optional: bool) -> Iterator[Option]:
    if isinstance(parameter.kind, Group):
        yield from options_of(parameter.kind.of, panel or "Where to act")
    else:
        yield Option(parameter, panel, optional, parameter.about.command_default)


def grouped(declared: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a task: options of a group become one value, or none where nothing of it was typed."""
    arguments = {}
    for parameter in declared:
        if isinstance(parameter.kind, Group):
            fields = {field.name: values[field.name] for field in parameters(parameter.kind.of)}
            given = any(fields.values()) or parameter.required
            arguments[parameter.name] = parameter.kind.of(**fields) if given else None
        else:
            arguments[parameter.name] = values[parameter.name]
    return arguments


def written(declared: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of their options, as texts, numbers and booleans that say the same again."""
    texts: dict[str, Any] = {}
    for parameter in declared:
        if isinstance(parameter.kind, Group):
            texts |= written(parameters(parameter.kind.of), values)
        elif parameter.about.recorded:
            texts[parameter.name] = as_text(parameter, values[parameter.name])
    return texts


def written_values(options: Sequence[Option], values: Mapping[str, Any], without: Collection[str] = ()) -> str:
    """Values as one text, which `read_values` reads again as JSON. It is the same for all jobs of a run."""
    kept = [option for option in options if option.name not in without]
    return json.dumps({option.name: as_text(option.parameter, values[option.name]) for option in kept})


def as_text(parameter: Parameter, value: Any) -> Any:
    """A value as the text that a command line has, or several; numbers and booleans as they are."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if parameter.kind.repeated:
        return [parameter.kind.format(one) for one in value] or None
    return parameter.kind.format(value)


def as_typed(parameter: Parameter, value: Any) -> list[str]:
    """What is typed on a command line to give an option this value; nothing if it is no value."""
    if isinstance(parameter.kind, Flag):
        return [f"--{parameter.option}"] if value is not None and value is not parameter.default else []
    if value in (None, ""):
        return []
    texts = value if isinstance(value, list | tuple) and parameter.kind.repeated else [value]
    return [
        word
        for text in texts
        for word in (f"--{parameter.option}", text if isinstance(text, str) else parameter.kind.format(text))
    ]
