"""From declarations to a command line: parameters become Typer's options, and what was typed becomes their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from unica.declare import UNSET, Choice, Flag, Group, Parameter, parameters


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

    def declared(self) -> inspect.Parameter:
        """The parameter of a function as Typer reads it. All values but flags are texts, and parsed here."""
        about, kind = self.parameter.about, self.parameter.kind
        default = self._default()
        texts: Any = bool if isinstance(kind, Flag) else list[str] if kind.repeated else str
        if about.argument:
            extra: Any = typer.Argument(metavar=kind.metavar, help=about.help)
        else:
            extra = typer.Option(
                *self.names,
                metavar=None if isinstance(kind, Flag) else self._metavar(),
                help=about.off or about.help,
                rich_help_panel=self.panel,
                show_default=self._shown() if default is None else default not in ("", False),
            )
        if default is None:
            texts = texts | None
        annotation = Annotated[texts, extra]
        default = inspect.Parameter.empty if default is UNSET else default
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

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

    def _default(self) -> Any:
        """What Typer shows and passes on: the written default, or None where nothing or a constant stands for it."""
        default = self.usual
        if isinstance(self.parameter.kind, Flag):
            return None if self.optional else False
        if self.optional or default is None or (self.parameter.kind.repeated and default in ((), [])):
            return None
        return UNSET if default is UNSET else self.parameter.kind.format(default)

    def _shown(self) -> str | bool:
        default = self.usual
        known = self.optional and default not in (None, (), "") and not isinstance(self.parameter.kind, Flag)
        return self.parameter.kind.format(default) if known else False

    def _metavar(self) -> str:
        kind = self.parameter.kind
        return "|".join(filter(None, kind.options)) if isinstance(kind, Choice) else kind.metavar


def options_of(declared: type | Callable[..., Any], panel: str | None = None, optional: bool = False) -> list[Option]:
    """An option for each declared parameter; a group has one for each of its fields."""
    return [option for parameter in parameters(declared) for option in _options(parameter, panel, optional)]


def _options(parameter: Parameter, panel: str | None, optional: bool) -> Iterator[Option]:
    if isinstance(parameter.kind, Group):
        yield from options_of(parameter.kind.of, panel or "Where to act")
    else:
        yield Option(parameter, panel, optional, parameter.about.command_default)


def command(
    run: Callable[[dict[str, Any]], None], options: Sequence[Option], name: str, description: str
) -> Callable[..., None]:
    """A function that Typer makes a command of; it hands the values that were typed to `run`, by name."""

    def typed(**texts: Any) -> None:
        run({option.name: option.value(texts[option.name]) for option in options})

    needed = [option for option in options if option.parameter.required]
    rest = [option for option in options if not option.parameter.required]
    parts = [option.declared() for option in [*needed, *rest]]
    paragraphs = inspect.cleandoc(description).split("\n\n")
    typed.__name__, typed.__doc__ = name, "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    setattr(typed, "__signature__", inspect.Signature(parts))  # noqa: B010
    typed.__annotations__ = {part.name: part.annotation for part in parts}
    return typed


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
            texts[parameter.name] = _written(parameter, values[parameter.name])
    return texts


def _written(parameter: Parameter, value: Any) -> Any:
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
