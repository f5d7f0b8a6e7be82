"""The commands that draw, as Typer reads them: options, their words of help, and what they are called. What they do is
in `tasks`, which is heavy and imported when one is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from unica.cli.options import Drawing, Opening, Sampling, Where

_FEATHER = typer.Option(metavar="N", help="Pixels of what was there over which old fades into new.")
_STRENGTH = typer.Option(metavar="0..1", help="0 keeps the picture that enters, 1 frees it (default: by the engine).")
_CONTENT = typer.Option(metavar="FILE", help="The other picture.")
_SIZE = typer.Option(metavar="WxH", help="Of the result (default: the source's).")
_PUT = "X,Y,W,H@X,Y[,W,H]"


def sample(
    opening: Opening,
    drawing: Sampling,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size, as 512x256 (default: the source's).")] = None,
    stretch: Annotated[
        str | None, typer.Option(metavar="WxH", help="Size as multiples of the source's, as 2x1.")
    ] = None,
    tile: Annotated[str, typer.Option(help="x, y or xy: axes along which the result repeats without a seam.")] = "",
    batch: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Pictures drawn together (default: what suits the device)."),
    ] = None,
) -> None:
    """Draw new pictures from one picture. The same seed gives the same picture."""
    from unica.cli import tasks

    tasks.sample(opening, drawing, size, stretch, tile, batch)


def outpaint(
    opening: Opening,
    drawing: Drawing,
    left: Annotated[int, typer.Option(metavar="N", help="Pixels to add on this side.")] = 0,
    right: Annotated[int, typer.Option(metavar="N", help="Pixels to add on this side.")] = 0,
    up: Annotated[int, typer.Option(metavar="N", help="Pixels to add above.")] = 0,
    down: Annotated[int, typer.Option(metavar="N", help="Pixels to add below.")] = 0,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Of the result, instead of sides.")] = None,
    anchor: Annotated[
        str, typer.Option(help="With --size, where the picture stays: center, left, right, up, down or as left-up.")
    ] = "center",
    repeat: Annotated[int, typer.Option(metavar="N", help="So many times.")] = 1,
    feather: Annotated[int, _FEATHER] = 0,
) -> None:
    """Let the picture go on beyond its edges. What was there stays as it is."""
    from unica.cli import tasks

    tasks.outpaint(
        opening, drawing, size, left=left, right=right, up=up, down=down, anchor=anchor, repeat=repeat, feather=feather
    )  # fmt: skip


def inpaint(
    opening: Opening,
    drawing: Drawing,
    where: Where,
    feather: Annotated[int, _FEATHER] = 0,
) -> None:
    """Draw marked pixels anew from the rest of the picture, which stays as it is."""
    from unica.cli import tasks

    tasks.inpaint(opening, drawing, where, feather=feather)


def region(
    opening: Opening,
    drawing: Drawing,
    put: Annotated[
        list[str] | None,
        typer.Option(metavar=_PUT, help="A box of the source, and where it goes; may be repeated."),
    ] = None,
    eta: Annotated[float, typer.Option(metavar="0..1", help="How strictly.")] = 0.8,
    size: Annotated[str | None, _SIZE] = None,
) -> None:
    """Put parts of the picture at chosen places, and generate the rest around them."""
    from unica.cli import tasks

    tasks.region(opening, drawing, put, size, eta=eta)


def harmonize(
    opening: Opening,
    drawing: Drawing,
    where: Where,
    content: Annotated[Path, typer.Option(metavar="FILE", help="The scene with something pasted into it.")],
    strength: Annotated[Optional[float], _STRENGTH] = None,  # noqa: UP045
    dilate: Annotated[int, typer.Option(metavar="N", help="Pixels around the mask that are drawn anew too.")] = 7,
    feather: Annotated[int, _FEATHER] = 5,
) -> None:
    """Make what was pasted into a scene a part of it."""
    from unica.cli import tasks

    tasks.harmonize(opening, drawing, content, where, strength=strength, dilate=dilate, feather=feather)


def style(
    opening: Opening,
    drawing: Drawing,
    content: Annotated[Path, _CONTENT],
    strength: Annotated[Optional[float], _STRENGTH] = None,  # noqa: UP045
) -> None:
    """Another picture's layout with this one's colours and textures."""
    from unica.cli import tasks

    tasks.plain("style", opening, drawing, content=content, strength=strength)


def analogy(
    opening: Opening,
    drawing: Drawing,
    content: Annotated[Path, _CONTENT],
    strength: Annotated[Optional[float], _STRENGTH] = None,  # noqa: UP045
) -> None:
    """Another picture's large shapes, made of what this one has there."""
    from unica.cli import tasks

    tasks.plain("analogy", opening, drawing, content=content, strength=strength)


def paint(
    opening: Opening,
    drawing: Drawing,
    content: Annotated[Path, typer.Option(metavar="FILE", help="The painting.")],
    strength: Annotated[float, _STRENGTH] = 1.0,
    coarse: Annotated[float, typer.Option(metavar="N", help="Pixels: larger things are followed.")] = 8,
    follow: Annotated[float, typer.Option(metavar="0..1", help="The share of the steps that follow.")] = 0.6,
) -> None:
    """Make a rough painting a picture of this one's stuff."""
    from unica.cli import tasks

    tasks.plain("paint", opening, drawing, content=content, strength=strength, coarse=coarse, follow=follow)


def edit(
    opening: Opening,
    drawing: Drawing,
    move: Annotated[
        list[str] | None, typer.Option(metavar=_PUT, help="A box, and where it goes; may be repeated.")
    ] = None,
    copy: Annotated[list[str] | None, typer.Option(metavar=_PUT, help="The same, and it also stays.")] = None,
    erase: Annotated[list[str] | None, typer.Option(metavar="X,Y,W,H", help="A box to fill; may be repeated.")] = None,
    seam: Annotated[int, typer.Option(metavar="N", help="Pixels along borders that are drawn anew.")] = 3,
) -> None:
    """Move, copy, scale or erase parts of the picture. The rest stays as it is."""
    from unica.cli import tasks

    tasks.edit(opening, drawing, move, copy, erase, seam)


def objects(
    opening: Opening,
    drawing: Drawing,
    size_factor: Annotated[float, typer.Option(metavar="F", help="0.5: half as large.")],
    size: Annotated[str | None, _SIZE] = None,
) -> None:
    """New pictures in which things are smaller or larger."""
    from unica.cli import tasks

    tasks.sized("objects", opening, drawing, size, size_factor=size_factor)


def retarget(
    opening: Opening,
    drawing: Drawing,
    size: Annotated[str, typer.Option(metavar="WxH", help="Of the result.")],
    strength: Annotated[Optional[float], _STRENGTH] = None,  # noqa: UP045
) -> None:
    """Another width and height, with the content kept and not stretched."""
    from unica.cli import tasks

    tasks.sized("retarget", opening, drawing, size, strength=strength)


def tile(
    opening: Opening,
    drawing: Drawing,
    axis: Annotated[str, typer.Option(help="x, y or xy: along which it repeats.")] = "xy",
    band: Annotated[
        float, typer.Option(metavar="0..0.5", help="Share of a side that is drawn anew at each end.")
    ] = 0.12,
    feather: Annotated[int, _FEATHER] = 4,
) -> None:
    """Make this picture repeat without a seam, changing what is near its edges."""
    from unica.cli import tasks

    tasks.tile(opening, drawing, axis, band=band, feather=feather)


def mirror(
    opening: Opening,
    drawing: Drawing,
    axis: Annotated[str, typer.Option(help="x: left and right alike, y: top and bottom, or xy.")] = "x",
    size: Annotated[str | None, _SIZE] = None,
) -> None:
    """New pictures that are their own mirror image."""
    from unica.cli import tasks

    tasks.sized("mirror", opening, drawing, size, axis=axis)


def upscale(
    opening: Opening,
    drawing: Drawing,
    factor: Annotated[float, typer.Option(metavar="F", help="How many times as large, up to 4.")] = 2.0,
    strength: Annotated[float, _STRENGTH] = 1.0,
) -> None:
    """The picture, larger, with detail as its own."""
    from unica.cli import tasks

    tasks.plain("upscale", opening, drawing, factor=factor, strength=strength)


def text(
    opening: Opening,
    prompts: Annotated[
        list[str], typer.Argument(metavar="PROMPT...", help="What it should show; TEXT:W weighs, below 0 pushes away.")
    ],
    drawing: Drawing,
    where: Where,
    mode: Annotated[
        str, typer.Option(help="content and style draw new pictures, restyle and region change this one.")
    ] = "content",
    clip: Annotated[str, typer.Option(metavar="NAME|DIR", help="Of the transformers library.")] = (
        "openai/clip-vit-base-patch32"
    ),
    views: Annotated[int, typer.Option(metavar="N", help="Looks at a picture a step.")] = 16,
    eta: Annotated[Optional[float], typer.Option(metavar="0..1", help="How strongly (default: by the mode).")] = None,  # noqa: UP045
    fill: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="0..1", help="On how much of the picture (default: 0.3 for content)."),
    ] = None,
    momentum: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="0..1", help="How much of the engine's answer is taken (default: by the mode)."),
    ] = None,
    from_level: Annotated[int, typer.Option(metavar="N", help="content: from this level on; 0 is the coarsest.")] = 1,
    scale: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="F", help="Guide through the network, as SinDiffusion: try 10000."),
    ] = None,
    size: Annotated[str | None, _SIZE] = None,
    show: Annotated[bool, typer.Option("--show", help="Also write where it was guided, and the scores.")] = False,
) -> None:
    """Draw pictures that show what words say, by CLIP."""
    from unica.cli.text import text as run

    run(
        opening, drawing, where, show, prompts=prompts, mode=mode, clip=clip, views=views, eta=eta, fill=fill,
        momentum=momentum, from_level=from_level, scale=scale, size=size,
    )  # fmt: skip


def animate(
    opening: Opening,
    drawing: Drawing,
    frames: Annotated[int, typer.Option(metavar="N", help="Pictures of the loop.")] = 24,
    motion: Annotated[float, typer.Option(metavar="F", help="How far it moves.")] = 0.3,
    strength: Annotated[Optional[float], _STRENGTH] = None,  # noqa: UP045
    between: Annotated[Optional[int], typer.Option(metavar="N", help="Dissolved between two that are drawn.")] = None,  # noqa: UP045
    format: Annotated[str, typer.Option(help="gif, webp or png.")] = "gif",
    fps: Annotated[float, typer.Option(metavar="F", help="Pictures a second.")] = 12,
) -> None:
    """A short loop in which the picture moves a little."""
    from unica.cli import tasks

    tasks.animate(opening, drawing, format, fps, frames=frames, motion=motion, strength=strength, between=between)


COMMANDS = (
    sample,
    outpaint,
    inpaint,
    region,
    harmonize,
    style,
    analogy,
    paint,
    edit,
    objects,
    retarget,
    tile,
    mirror,
    upscale,
    animate,
    text,
)
