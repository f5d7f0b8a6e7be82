"""The commands that are no tasks, as declared functions. What they do is heavy, and imported when one is run."""

import json as json_
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from unica.cli.options import command
from unica.declare import File, Flag, Number, Param, Size, Text, Texts, Whole, parameters
from unica.engines.base import MAX_SIDE, picture_engine
from unica.errors import UnicaError, as_path
from unica.jobs.models import Device, MapWeights, MoreMaps, Precision, model_options
from unica.jobs.options import Option
from unica.jobs.training import Budget, EngineName, MaxSide, Preset, Steps, TrainSeed, knob_options
from unica.jobs.workers import Ray, Workers
from unica.studio import DAYS, GIGABYTES, HOST, PORT

VIEWED = "ZARR|DZI|TIF|PICTURE|MODEL"
STUDIO, MODELS, MEASURING = "In the browser", "Models", "Measuring"


class Sizes(Size):
    """Sizes of several levels, from coarse to fine."""

    metavar = "WxH,WxH,..."

    def parse(self, name: str, text: str) -> Any:
        return [super(Sizes, self).parse(name, part) for part in text.split(",")]


Json = Annotated[bool, Param("Write one machine-readable line to stdout.", Flag())]
Quiet = Annotated[bool, Param("Say nothing.", Flag(), short="q")]
ModelOut = Annotated[Path, Param("Where the model goes.", File("MODEL", written=True), short="o")]
Source = Annotated[bool, Param("Keep the picture in the model.", Flag(), off="Leave the picture out of the model.")]
Weights = Annotated[Path | None, Param("Networks' weights are here; nothing is downloaded.", File("DIR"))]


def train(
    images: Annotated[
        Sequence[str],
        Param(
            "The one picture to learn from, or a folder with its maps; or several pictures, or folders of them.",
            Texts("IMAGE"),
            argument=True,
        ),
    ],
    with_: MoreMaps = (),
    weight: MapWeights = (),
    engine: EngineName = None,
    preset: Preset = None,
    budget: Budget = None,
    steps: Steps = None,
    output: Annotated[
        Path | None,
        Param(
            "Where the model goes (default: IMAGE.unica); a folder, if there are several.",
            File("MODEL", written=True),
            short="o",
        ),
    ] = None,
    resume: Annotated[bool, Param("Continue a training that was interrupted.", Flag())] = False,
    seed: TrainSeed = 0,
    max_side: MaxSide = MAX_SIDE,
    device: Device = "auto",
    precision: Precision = "auto",
    source: Source = True,
    preview: Annotated[
        bool, Param("Draw samples while training.", Flag(), off="Draw no samples while training.")
    ] = True,
    json: Json = False,
    quiet: Quiet = False,
    workers: Workers = None,
    ray: Ray = None,
    **knobs: Any,
) -> None:
    """Train a model on one picture. It is saved on the way: whenever training ends, there is a usable model.

    Of several pictures, each has its own model. One that fails is named at the end, when the others are done.
    """
    from unica.cli.train import train_and_save, train_each
    from unica.jobs.batch import sources

    settings: dict[str, Any] = {
        "engine": engine, "preset": preset, "budget": budget, "steps": steps, "resume": resume, "seed": seed,
        "max_side": max_side, "device": device, "precision": precision, "source": source, "preview": preview,
    }  # fmt: skip
    given = {name: value for name, value in knobs.items() if value is not None}
    named = [as_path("IMAGE", image) for image in images]
    more, paths = {"with_": with_, "weight": weight}, sources(named)
    if paths == named and len(paths) == 1:
        train_and_save(paths[0], more, output, json, quiet, given, **settings)
        return
    if any(more.values()):
        raise UnicaError("--with and --weight are for one picture, and there are several")
    train_each(paths, output, json, quiet, given, workers, ray, **settings)


def import_(
    checkpoint: Annotated[
        Path,
        Param("What the authors' code saved: model-12.pt, ema_0.9999_050000.pt.", File("CHECKPOINT"), argument=True),
    ],
    image: Annotated[Path, Param("The picture that it was trained on.", File())],
    output: ModelOut,
    sizes: Annotated[
        Any, Param("Sizes of the levels, where they do not follow from the authors' rule.", Sizes())
    ] = None,
    source: Source = True,
    quiet: Quiet = False,
) -> None:
    """Make a model of a checkpoint of the authors' own code. Nothing in it is executed."""
    from unica.cli.train import import_and_save

    import_and_save(checkpoint, image, sizes, output, source, quiet)


def push(
    model: Annotated[Path, Param("A trained model.", File("MODEL"), argument=True)],
    repository: Annotated[
        str | None,
        Param("Where on the Hugging Face hub; not needed with --folder.", Text("USER/NAME"), argument=True),
    ] = None,
    private: Annotated[bool, Param("Only you can see it.", Flag())] = False,
    licence: Annotated[
        str | None, Param("Licence of the picture it was trained on, as cc0-1.0 or cc-by-4.0.", Text("NAME"))
    ] = None,
    credit: Annotated[str | None, Param("Whose picture it is, and where it is from.", Text("TEXT"))] = None,
    folder: Annotated[
        Path | None, Param("Write what would be published into this folder, and publish nothing.", File("DIR"))
    ] = None,
) -> None:
    """Put a model on the Hugging Face hub, with a page about it: samples, how to use it, settings and measures.

    Its source picture goes with it, unless it was trained with --no-source.
    """
    from unica.cli.train import push_model

    push_model(model, repository, private, licence, credit, folder)


def info(path: Annotated[Path, Param("A model or a picture.", File("MODEL|PICTURE"), argument=True)]) -> None:
    """Tell what is inside a model or a picture; for a picture by unica, the command that makes it again."""
    from unica.cli.info import describe
    from unica.cli.terminal import say

    say(describe(path))


def doctor(json: Json = False) -> None:
    """Tell what this machine has for unica, and which command mends what it lacks. Paste it into reports of faults."""
    from unica.cli.doctor import show

    show(json)


def cache(
    empty: Annotated[bool, Param("Remove everything.", Flag())] = False,
) -> None:
    """Show the files that can be downloaded or made again: layouts that were learned, and networks' weights."""
    from unica.cli.cache import show

    show(empty)


def schema(
    task: Annotated[str | None, Param("Only this task.", Text("TASK"), argument=True)] = None,
) -> None:
    """Print the parameters of tasks and engines as JSON schema."""
    from unica.schema import schema_of

    print(json_.dumps(schema_of(task), indent=1))


def evaluate(
    image: Annotated[Path, Param("The one picture that the samples were made from.", File("IMAGE"), argument=True)],
    samples: Annotated[Sequence[str], Param("Pictures, or folders of them.", Texts("SAMPLES"), argument=True)],
    weights: Weights = None,
    html: Annotated[Path | None, Param("Also write a report with the pictures.", File(written=True))] = None,
    json: Annotated[bool, Param("Write everything to stdout as JSON, instead of the table.", Flag())] = False,
    quiet: Quiet = False,
) -> None:
    """Measure pictures made from one picture: diversity, fidelity, quality, and how much is copied."""
    from unica.cli.evaluate import evaluate_and_show

    evaluate_and_show(image, list(map(Path, samples)), weights, html, json, quiet)


def bench(
    folder: Annotated[Path | None, Param("A folder of images.", File("FOLDER"), argument=True)] = None,
    engine: Annotated[
        Sequence[str],
        Param(f"Which engine; may be repeated (default: {picture_engine().name}).", Texts("NAME")),
    ] = (),
    external: Annotated[
        Sequence[str],
        Param("Score another method's pictures too, DIR/<image>/*.png; may be repeated.", Texts("NAME=DIR")),
    ] = (),
    compare: Annotated[Sequence[str], Param("Show earlier results beside; may be repeated.", Texts("FILE"))] = (),
    count: Annotated[int, Param("Samples of each image.", Whole(1, 10_000), short="n")] = 50,
    budget: Annotated[str, Param("Training time for each image, for engines that are trained.", Text("TIME"))] = "10m",
    output: Annotated[Path, Param("Where results go.", File("DIR"), short="o")] = Path("results"),
    weights: Weights = None,
    json: Annotated[bool, Param("Write everything to stdout as JSON, instead of tables.", Flag())] = False,
    quiet: Quiet = False,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Draw from and measure a whole folder of images. What is done is not done again.

    With several workers, the times that are measured are those of a busy machine.
    """
    from unica.cli.bench import run_and_show

    run_and_show(
        folder, engine, external, list(map(Path, compare)), count, budget, output, weights, json, quiet, workers, ray,
    )  # fmt: skip


def augment(
    images: Annotated[Path, Param("A folder of pictures.", File("IMAGES"), argument=True)],
    masks: Annotated[
        Path, Param("A folder with the labels of their pixels: for each picture a file of its name.", File("DIR"))
    ],
    count: Annotated[int, Param("New pairs of each pair.", Whole(1, 10**6), short="n")] = 20,
    output: Annotated[
        Path,
        Param(
            "Where the pairs go: images/, masks/, origins/ and manifest.jsonl.", File("DIR", written=True), short="o"
        ),
    ] = Path("unica-pairs"),
    engine: Annotated[str | None, Param("Which engine draws.", Text("NAME"))] = None,
    size: Annotated[tuple[int, int] | None, Param("Size of the new pictures (default: the source's).", Size())] = None,
    seed: Annotated[int, Param("Of the first pair.", Whole(0, 2**62))] = 0,
    max_side: MaxSide = MAX_SIDE,
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Annotated[bool, Param("Draw again what is there already.", Flag())] = False,
    json: Json = False,
    quiet: Quiet = False,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Draw new pairs of pictures and label masks from few, to train other networks with.

    Picture and mask are drawn as one. What is done is not done again; a pair that fails is named at the end.
    """
    from unica.cli.augment import augment_and_show

    settings = {
        "count": count, "seed": seed, "engine": engine, "size": size, "device": device, "precision": precision,
        "max_side": max_side,
    }  # fmt: skip
    augment_and_show(images, masks, output, overwrite, json, quiet, workers, ray, **settings)


def studio(
    path: Annotated[Path | None, Param("What the page starts with.", File("PICTURE|MODEL"), argument=True)] = None,
    port: Annotated[int, Param("Where on this machine; 0 is any that is free.", Whole(0, 65535))] = PORT,
    open: Annotated[bool, Param("Open the page in the browser.", Flag())] = False,
    host: Annotated[
        str,
        Param("An address that other machines reach. They need a token, which is printed.", Text("ADDRESS")),
    ] = HOST,
    auth: Annotated[
        str | None, Param("Ask for a user and a password, which is in a file, instead of a token.", Text("USER:FILE"))
    ] = None,
    folder: Annotated[
        Path | None,
        Param("Where everything is kept (default: in the user's cache).", File("DIR", written=True)),
    ] = None,
    quota: Annotated[float, Param("Gigabytes that are kept; the oldest go first.", Number(0.01, 1e5))] = GIGABYTES,
    days: Annotated[float, Param("Days after which something is removed.", Number(0.01, 1e5))] = DAYS,
    clip: Annotated[Sequence[str], Param("Offer this CLIP for text, a folder; may be repeated.", Texts("DIR"))] = (),
    workers: Annotated[int | None, Param("Jobs at a time (default: one for each core).", Whole(1, 256))] = None,
    mcp: Annotated[bool, Param("Offer the tasks to assistants, too, by the Model Context Protocol.", Flag())] = False,
    quiet: Quiet = False,
) -> None:
    """Open a page on which everything can be done: in the browser, on this machine."""
    from unica.cli.studio import run

    run(
        path, open, quiet, host=host, port=port, auth=auth, folder=folder, quota=quota, days=days, clips=clip,
        mcp=mcp, workers=workers,
    )  # fmt: skip


def view(
    path: Annotated[str, Param("What is shown; a .zarr may also be a URL.", Text(VIEWED), argument=True)],
    size: Annotated[
        tuple[int, int] | None,
        Param("Draw a picture of this size from a picture or a model, where it is looked at.", Size()),
    ] = None,
    seed: Annotated[int, Param("Of the picture that is drawn.", Whole(0, 2**62))] = 0,
    port: Annotated[int, Param("Where on this machine; 0 is any that is free.", Whole(0, 65535))] = 0,
    open: Annotated[
        bool, Param("Open the page in the browser.", Flag(), off="Do not open the page in the browser.")
    ] = True,
    quiet: Quiet = False,
    **model: Any,
) -> None:
    """Look at a picture of any size: in the browser, on this machine. Only what is looked at is read, or drawn."""
    from unica.cli.view import run

    run(path, size, seed, port, open, quiet, model)


def add_commands(app: typer.Typer, only: str | None = None) -> None:
    """The commands that are no tasks. With `only`, the others have no options."""
    for function, name, group in (
        (studio, "studio", STUDIO),
        (view, "view", STUDIO),
        (train, "train", MODELS),
        (info, "info", MODELS),
        (import_, "import", MODELS),
        (push, "push", MODELS),
        (cache, "cache", MODELS),
        (doctor, "doctor", MODELS),
        (schema, "schema", MODELS),
        (augment, "augment", MODELS),
        (evaluate, "eval", MEASURING),
        (bench, "bench", MEASURING),
    ):
        options = _options(function) if only in (None, name) else ()
        made = command(partial(_run, function), options, name, function.__doc__ or "")
        app.command(name=name, rich_help_panel=group)(made)


def _run(function: Callable[..., None], values: dict[str, Any]) -> None:
    function(**values)


def _options(function: Callable[..., None]) -> list[Option]:
    """The declared parameters; of `train` and `view`, also each engine's knobs."""
    options = [Option(parameter) for parameter in parameters(function)]
    if function is view:
        return options + [option for option in model_options() if option.name != "path"]
    return options + (knob_options() if function is train else [])
