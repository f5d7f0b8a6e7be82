"""Options that commands share, in groups: a parameter that is a group stands for an option for each of its fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Optional, TypeVar, get_type_hints

import typer

_Command = TypeVar("_Command", bound=Callable[..., None])


def spread(command: _Command) -> _Command:
    """The command with the fields of its groups in their place, as Typer wants its parameters: what must be given
    first, that of the groups before the command's own; then the command's own, then those of its groups."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    own = [
        parameter.replace(annotation=hints[name], kind=parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in groups
    ]
    shared = [parameter for group in groups.values() for parameter in _parameters(group)]
    needed = [parameter for parameter in [*shared, *own] if parameter.default is parameter.empty]
    parameters = [*needed, *(parameter for parameter in [*own, *shared] if parameter not in needed)]

    @wraps(command)
    def with_groups(**words: Any) -> None:
        made = {name: group(**{f.name: words.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        command(**made, **words)

    with_groups.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    with_groups.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del with_groups.__wrapped__  # whose parameters are others
    return with_groups  # pyright: ignore[reportReturnType]


def _parameters(group: Any) -> list[inspect.Parameter]:
    types = get_type_hints(group, include_extras=True)
    none = inspect.Parameter.empty
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=none if field.default is MISSING else field.default,
            annotation=types[field.name],
        )
        for field in fields(group)
    ]


@dataclass(frozen=True)
class Opening:
    """What makes a model of what was named, as typed; None is left out."""

    path: Annotated[Path, typer.Argument(metavar="IMAGE|MODEL", help="The one picture, or a model trained on it.")]
    engine: Annotated[str | None, typer.Option(help="instant for a picture; a model knows its own.")] = None
    diversity: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="instant: 0 for near-copies, 0.5 for new layouts of the scene, 1 for wild (default: 0.5)."),
    ] = None
    patch: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="instant: side of the patches of fine detail; larger copies more (default: 7)."),
    ] = None
    levels: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="instant: sizes the picture is seen at (default: by its size)."),
    ] = None
    max_side: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="instant: larger sources are shrunk to this (default: 1024)."),
    ] = None
    start_steps: Annotated[
        str | None,
        typer.Option(metavar="T,T,...", help="sinddm: steps of each level above the coarsest; more change more."),
    ] = None
    no_blend: Annotated[bool, typer.Option("--no-blend", help="sinddm: levels denoise but do not deblur, by DDPM.")] = (
        False
    )
    steps: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="sindiffusion: of the 1000 that there are (default: 25)."),
    ] = None
    sampler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="sindiffusion: sde-dpm++, dpm++, ddim or ddpm (default: sde-dpm++)."),
    ] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto"
    precision: Annotated[str, typer.Option(help="auto, float32 or bf16: of matrix products.")] = "auto"


@dataclass(frozen=True)
class Drawing:
    """What every command that draws can be told."""

    count: Annotated[int, typer.Option("-n", "--count", help="How many pictures.")] = 1
    seed: Annotated[int, typer.Option(help="Of the first picture; the next ones count up.")] = 0
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the pictures.")] = Path(
        "unica-out"
    )
    sheet: Annotated[bool, typer.Option("--sheet", help="Also write a contact sheet.")] = False
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Also write where in the source each pixel comes from.")
    ] = False
    json: Annotated[bool, typer.Option("--json", help="One machine-readable line on stdout.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False


@dataclass(frozen=True)
class Sampling(Drawing):
    count: Annotated[int, typer.Option("-n", "--count", help="How many pictures.")] = 4


@dataclass(frozen=True)
class Where:
    """Where to act, all parts together, in pixels of the picture as its file has them."""

    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="A picture as large, white where to act.")] = None
    mask_alpha: Annotated[bool, typer.Option("--mask-alpha", help="Act where the picture is transparent.")] = False
    box: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="Act in this box; may be repeated.")] = None
    polygon: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,X,Y,...", help="Act between these corners; may be repeated."),
    ] = None
    show_mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the picture with what was understood in red.")
    ] = None
