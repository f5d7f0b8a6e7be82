"""From declared options to Typer's, and from what was typed to their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from unica.declare import UNSET, Choice, Flag
from unica.jobs.options import Option


def command(
    run: Callable[[dict[str, Any]], None], options: Sequence[Option], name: str, description: str
) -> Callable[..., None]:
    """A function that Typer makes a command of; it hands the values that were typed to `run`, by name."""

    def typed(**texts: Any) -> None:
        run({option.name: option.value(texts[option.name]) for option in options})

    needed = [option for option in options if option.parameter.required]
    rest = [option for option in options if not option.parameter.required]
    parts = [_declared(option) for option in [*needed, *rest]]
    paragraphs = inspect.cleandoc(description).split("\n\n")
    typed.__name__, typed.__doc__ = name, "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    setattr(typed, "__signature__", inspect.Signature(parts))  # noqa: B010
    typed.__annotations__ = {part.name: part.annotation for part in parts}
    return typed


def _declared(option: Option) -> inspect.Parameter:
    """The parameter of a function as Typer reads it. All values but flags are texts, and parsed here."""
    about, kind = option.parameter.about, option.parameter.kind
    default = _default(option)
    texts: Any = bool if isinstance(kind, Flag) else list[str] if kind.repeated else str
    if about.argument:
        extra: Any = typer.Argument(metavar=kind.metavar, help=about.help)
    else:
        extra = typer.Option(
            *option.names,
            metavar=" " if isinstance(kind, Flag) else _metavar(option),  # else newer versions of Typer show a type
            help=about.off or about.help,
            rich_help_panel=option.panel,
            show_default=_shown(option) if default is None else default not in ("", False),
            autocompletion=_offering(kind.options) if isinstance(kind, Choice) else None,
        )
    if default is None:
        texts = texts | None
    annotation = Annotated[texts, extra]
    default = inspect.Parameter.empty if default is UNSET else default
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _default(option: Option) -> Any:
    """What Typer shows and passes on: the written default, or None where nothing or a constant stands for it."""
    default = option.usual
    if isinstance(option.parameter.kind, Flag):
        return None if option.optional else False
    if option.optional or default is None or (option.parameter.kind.repeated and default in ((), [])):
        return None
    return UNSET if default is UNSET else option.parameter.kind.format(default)


def _offering(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """What tells a shell which choices begin with what was typed so far."""

    def offered(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return offered


def _shown(option: Option) -> str | bool:
    default = option.usual
    known = option.optional and default not in (None, (), "") and not isinstance(option.parameter.kind, Flag)
    return option.parameter.kind.format(default) if known else False


def _metavar(option: Option) -> str:
    kind = option.parameter.kind
    return "|".join(filter(None, kind.options)) if isinstance(kind, Choice) else kind.metavar
