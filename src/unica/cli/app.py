"""The commands, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional, cast

import typer

import unica
from unica.cli.commands import COMMANDS
from unica.cli.options import spread
from unica.errors import UnicaError

# click's ClickException, by a way that holds for typers that import click and for those that carry it inside.
_BadWords = cast(type[Exception], typer.BadParameter.__mro__[2])

_INTERRUPTED = 130  # typer's code of a Ctrl-C

app = typer.Typer(
    name="unica",
    help="New pictures from one picture: variations of any size, at once or from a model trained in minutes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line: 0 done, 2 something the user can mend, 130 interrupted."""
    try:
        code = app(standalone_mode=False) or 0
        if code == _INTERRUPTED:  # where nothing could say more
            typer.echo("unica: interrupted.", err=True)
        raise SystemExit(code)
    except _BadWords as error:
        _usage(str(getattr(error, "format_message", error.__str__)()))
    except UnicaError as error:
        _fail(str(error))
    except BrokenPipeError:
        raise SystemExit(0) from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "memory" in str(error):
            _fail("there is not enough memory for a picture of this size; try a smaller --size or --max-side")
        raise


def _usage(message: str) -> None:
    """A command without words has been answered with its help, and has no message."""
    if not message.strip():
        raise SystemExit(2)
    _fail(" ".join(message.split()))


def _fail(sentence: str) -> None:
    typer.echo(f"unica: {sentence.rstrip('.')}.", err=True)
    raise SystemExit(2)


def _version(wanted: bool | None) -> None:
    if wanted:
        typer.echo(f"unica {unica.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = None,
) -> None:
    """Shared options."""


for command in COMMANDS:
    app.command()(spread(command))


@app.command()
def train(
    image: Annotated[Path, typer.Argument(help="The one picture to learn from.")],
    engine: Annotated[str, typer.Option(help="sinddm or sindiffusion.")] = "sinddm",
    preset: Annotated[
        str,
        typer.Option(help="fast or paper; sinddm: paper-small-gpu, no-blur; sindiffusion: paper-large, multi-scale."),
    ] = "fast",
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long, as 90s, 10m or 1h30m (fast: 10m).")
    ] = None,
    steps: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="How many steps, instead of a budget (default: the preset's)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="MODEL", help="Where the model goes (default: IMAGE.unica)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was broken off.")] = False,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn in training.")] = 0,
    max_side: Annotated[int, typer.Option(help="Larger sources are shrunk to this.")] = 1024,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32 or bf16: of matrix products.")] = "auto",
    receptive_field: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="SHARE", help="sindiffusion: of the picture's side that a pixel looks at, as 0.36."),
    ] = None,
    no_source: Annotated[bool, typer.Option("--no-source", help="Leave the picture out of the model.")] = False,
    no_preview: Annotated[bool, typer.Option("--no-preview", help="Draw no samples on the way.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One machine-readable line on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False,
) -> None:
    """Train a model on one picture. It is kept as it goes: whenever training ends, there is a usable model."""
    from unica.cli.train import train_and_save

    train_and_save(
        image, engine, preset, budget, steps, output, resume, seed, max_side, device, precision,
        not no_source, not no_preview, json, quiet, receptive_field,
    )  # fmt: skip


@app.command("import")
def import_(
    checkpoint: Annotated[
        Path, typer.Argument(help="What the authors' code saved: model-12.pt, ema_0.9999_050000.pt.")
    ],
    image: Annotated[Path, typer.Option(help="The picture that it was trained on.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="Where the model goes.")],
    sizes: Annotated[
        str | None,
        typer.Option(metavar="WxH,WxH,...", help="Of the levels, where they are not what the authors' rule makes."),
    ] = None,
    no_source: Annotated[bool, typer.Option("--no-source", help="Leave the picture out of the model.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing.")] = False,
) -> None:
    """Make a model of a checkpoint of the authors' own code. Nothing that is in it is run."""
    from unica.cli.train import import_and_save

    import_and_save(checkpoint, image, sizes, output, not no_source, quiet)


@app.command()
def push(
    model: Annotated[Path, typer.Argument(help="A trained model.")],
    repository: Annotated[str, typer.Argument(metavar="USER/NAME", help="Of the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="Not for everyone to see.")] = False,
) -> None:
    """Put a model on the Hugging Face hub. Its source picture goes with it, unless it was trained with --no-source."""
    from unica.cli.train import push_model

    push_model(model, repository, private)


@app.command("eval")
def evaluate(
    image: Annotated[Path, typer.Argument(help="The one picture that the samples were made from.")],
    samples: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Networks' weights are here: nothing is downloaded.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a report with the pictures.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON on stdout, instead of the table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure pictures made from one picture: diversity, fidelity, quality, and how much is copied."""
    from unica.cli.evaluate import evaluate_and_show

    evaluate_and_show(image, samples, weights, html, json, quiet)


@app.command()
def bench(
    folder: Annotated[Optional[Path], typer.Argument(help="A folder of images.")] = None,  # noqa: UP045
    engine: Annotated[list[str] | None, typer.Option(help="Which engine; may be repeated (default: instant).")] = None,
    external: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DIR", help="Score another method's pictures too, DIR/<image>/*.png; may be repeated."
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Put earlier results beside; may be repeated.")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", help="Samples of each image.")] = 50,
    budget: Annotated[str, typer.Option(metavar="TIME", help="For each image of an engine that is trained.")] = "10m",
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where results go.")] = Path("results"),
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Networks' weights are here: nothing is downloaded.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON on stdout, instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Draw from and measure a whole folder of images. What is done is not done again."""
    from unica.cli.bench import run_and_show

    run_and_show(folder, engine or [], external or [], compare or [], count, budget, output, weights, json, quiet)


@app.command()
def info(path: Annotated[Path, typer.Argument(metavar="MODEL|PICTURE", help="A model or a picture.")]) -> None:
    """What is inside a model or a picture; for a picture that unica made, the command that makes it again."""
    from unica.cli.info import describe

    sys.stdout.write(describe(path))
