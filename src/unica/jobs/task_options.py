"""The options of a command that draws: those of its task, of what it writes, and of the model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from unica.declare import Choice, Destination, File, Flag, Number, Param, Whole, parameters
from unica.jobs.models import model_options
from unica.jobs.options import Option, options_of
from unica.jobs.workers import Ray, Workers
from unica.tasks import Task

_PANEL = "Output"
_COUNTED = ("count", "seed")  # parameters of tasks that are shown with the output


@dataclass(frozen=True)
class OutputOptions:
    """What is written, and what is said."""

    output: Annotated[
        str,
        Param(
            "A folder for the pictures, or a file: x.png, x.jpg, x.webp, x.tif (of an animation: x.gif, x.webp, x.mp4,"
            " x.webm). A picture of any size is written in tiles, as x.tif, x.zarr (OME-Zarr) or x.dzi (DeepZoom).",
            Destination("DIR|FILE", written=True),
            short="o",
        ),
    ] = "unica-out"
    overwrite: Annotated[
        bool, Param("Replace pictures of the same name; else they stay, and new ones are numbered.", Flag())
    ] = False
    sheet: Annotated[bool, Param("Also write a contact sheet.", Flag())] = False
    provenance: Annotated[bool, Param("Also write where in the source each pixel comes from.", Flag())] = False
    keep_paths: Annotated[bool, Param("Write the paths of files into the pictures, not only their names.", Flag())] = (
        False
    )
    json: Annotated[bool, Param("Write one machine-readable line to stdout.", Flag())] = False
    quiet: Annotated[bool, Param("Say nothing.", Flag(), short="q")] = False
    yes: Annotated[bool, Param("Draw also what takes more than an hour.", Flag(), short="y", advanced=True)] = False
    workers: Workers = None
    ray: Ray = None


@dataclass(frozen=True)
class TileOptions:
    """How a picture is written that is too large to be drawn whole."""

    resume: Annotated[
        bool, Param("Of a picture in tiles: go on where an earlier command was ended.", Flag(), recorded=False)
    ] = False
    tile_size: Annotated[
        int, Param("Of a picture in tiles: the side of a tile, in pixels.", Whole(64, 4096), advanced=True)
    ] = 512


@dataclass(frozen=True)
class AnimationOptions:
    """How the pictures of an animation become one file."""

    format: Annotated[str, Param("Format of the file.", Choice("gif", "webp", "png", "mp4", "webm"))] = "gif"
    fps: Annotated[float, Param("Pictures a second.", Number(0.1, 60))] = 12


@dataclass(frozen=True)
class PreviewOptions:
    """A preview of where the task acts."""

    show_mask: Annotated[
        Path | None,
        Param(
            "First write a PNG of the picture, in which what will be drawn anew is red.",
            File(written=True),
            recorded=False,
        ),
    ] = None


def options_of_task(declared: Task) -> list[Option]:
    """The task's own options first, then output, the model, and each engine's knobs."""
    declared_options = options_of(declared.function)
    own = [option for option in declared_options if option.name not in _COUNTED]
    counted = [
        replace(option, panel=_PANEL, optional=option.name == "count")
        for option in declared_options
        if option.name in _COUNTED
    ]
    if declared.animation:
        own += options_of(AnimationOptions)
    if declared.preview is not None:
        own += options_of(PreviewOptions, "Where to act")
    output = [*counted, *options_of(OutputOptions, _PANEL)]
    if declared.sketch is not None:
        output += options_of(TileOptions, _PANEL)
    if declared.figures is not None:
        output.append(Option(_show(declared.figures.help), _PANEL))
    path, *model = model_options()
    return [path, *own, *output, *model]


def _show(help: str) -> Any:
    """The option that a task with figures has."""

    def declared(show: Annotated[bool, Param(help, Flag(), recorded=False)] = False) -> None: ...

    return parameters(declared)[0]
