"""`unica train`, `unica import` and `unica push`: how models are made, and where they go."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import unica
from unica.cli.progress import reporter
from unica.cli.signals import Stopped, handled
from unica.cli.terminal import complain, say
from unica.engines.author_checkpoints import import_checkpoint
from unica.engines.base import training_engine
from unica.engines.train import begin
from unica.errors import UnicaError, by_reason, reason
from unica.files import check_folder
from unica.jobs.models import refuse_others, source_of
from unica.jobs.outputs import spare
from unica.jobs.trainings import each_trained, models_of, report, shown
from unica.training.loop import Progress
from unica.training.memory import step_memory
from unica.training.session import Session, check_output


def train_and_save(
    image: Path,
    more: Mapping[str, Any],
    output: Path | None,
    as_json: bool,
    quiet: bool,
    knobs: Mapping[str, Any],
    preview: bool,
    **settings: Any,
) -> None:
    """Train, and report on the way; Ctrl-C ends it with a usable model. Settings and knobs are those of `begin`.

    `more` are the other maps of the picture, and their weights, as a command line gives them.
    """
    began = time.perf_counter()
    refuse_others(training_engine(settings["engine"]), knobs, lambda engine: engine.training_knobs)
    path = Path(f"{image.stem}.unica") if output is None else output
    spare(path, [image, *(file for _, file in more["with_"])])
    source = source_of({"path": image, "preview": None, **more})
    session = begin(source, output=path, **settings, **knobs)
    with reporter(quiet, "training") as progress, _interruptible() as interrupted:
        progress.say(_intention(session, path))
        for now in shown(session, path, preview, progress.say):
            progress.update(now.fraction, _standing(now))
            if interrupted:
                session.keep()
                break
        progress.say(f"{path}  ({time.perf_counter() - began:.0f} s)")
    if as_json:
        print(json.dumps(report(session, path, began)))
    if interrupted:
        complain(f"interrupted; {path} is usable, and --resume continues the training")
        raise SystemExit(Stopped(interrupted[0]).exit_code)


def train_each(
    images: Sequence[Path],
    output: Path | None,
    as_json: bool,
    quiet: bool,
    knobs: Mapping[str, Any],
    workers: int | None,
    ray: str | None,
    **settings: Any,
) -> None:
    """Train a model for each picture. Those that fail are named at the end, when the others are done."""
    refuse_others(training_engine(settings["engine"]), knobs, lambda engine: engine.training_knobs)
    models = models_of(images, output)
    reports, failed, sentences = [], {}, []
    try:
        with (
            reporter(quiet, "training") as progress,
            closing(each_trained(models, workers, ray, **settings, **knobs)) as trained,
        ):
            for image, result in trained:
                if isinstance(result, str):
                    failed[str(image)] = result
                    progress.say(f"{image}: {result}")
                else:
                    reports.append(result)
                    progress.say(f"{models[image]}  ({result['seconds']:.0f} s)")
                progress.update((len(reports) + len(failed)) / len(models))
    except UnicaError as error:  # no worker can be had, or some pictures made theirs die
        sentences = [str(error)]
    except Stopped as stopped:
        complain(f"interrupted; {len(reports)} models are finished, and --resume continues the others")
        raise SystemExit(stopped.exit_code) from None
    if as_json:
        print(json.dumps({"models": reports, "failed": failed}))
    if failed:
        sentences = [f"{len(failed)} of {len(models)} pictures have no new model: {by_reason(failed)}", *sentences]
    if sentences:
        raise UnicaError("; ".join(sentences))


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Note a signal, and let the step finish: half a step could not be resumed. A second signal stops at once."""
    seen: list[int] = []

    def note(number: int, frame: object) -> None:
        if seen:
            raise Stopped(number)
        seen.append(number)

    with handled(note):
        yield seen


def _intention(session: Session, path: Path) -> str:
    """What is about to happen, and when it will be done."""
    trainer = session.trainer
    config, sizes = trainer.config, trainer.process.sizes
    levels = ", ".join(f"{width}x{height}" for height, width in sizes)
    (w0, h0), (w, h) = trainer.picture.original_size, trainer.picture.size
    made = "" if (w0, h0) == (w, h) else f"{w0}x{h0} shrunk to {w}x{h}, "
    numbers = str(trainer.dtype).removeprefix("torch.")
    if session.budget is None:
        goal = f"{config.steps} steps"
    else:
        end = time.localtime(time.time() + max(session.budget - trainer.seconds, 0))
        goal = f"done by {time.strftime('%H:%M:%S', end)}"
    need = f"{step_memory(trainer) / 2**30:.1f} GB a step"
    field = f"receptive field {trainer.process.network.receptive_field}"
    where = f"{trainer.device.type}, {numbers}, {field}, {need}"
    after = f", after {trainer.step} steps before" if trainer.step else ""
    return f"{path}: preset {config.preset}, {made}levels {levels}, {where}; {goal}{after}"


def _standing(now: Progress) -> str:
    losses = " ".join("-" if math.isnan(loss) else f"{loss:.3f}" for loss in now.losses)
    return f"step {now.step}/{now.steps}, loss a level {losses}, {_clock(now.remaining)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def import_and_save(
    checkpoint: Path, image: Path, sizes: Sequence[tuple[int, int]] | None, output: Path, source: bool, quiet: bool
) -> None:
    """Make a model file of a checkpoint of the authors' code."""
    model = import_checkpoint(checkpoint, image, sizes)
    model.save(check_output(output), source)
    with reporter(quiet) as progress:
        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in model.settings.items())
        progress.say(f"{output}: {model.summary}, {settings}")


def push_model(
    path: Path, repository: str | None, private: bool, licence: str | None, credit: str | None, folder: Path | None
) -> None:
    """Put a model with a page about it on the Hugging Face hub, or only into a folder."""
    from unica.engines.trained import TrainedModel, check_hub
    from unica.jobs.publishing import card_of

    if repository is None:
        if folder is None:
            raise UnicaError("name where the model goes on the Hugging Face hub, as you/photo; or give a --folder")
        repository = folder.name
    model = unica.load(path, device="cpu")
    if not isinstance(model, TrainedModel):
        raise UnicaError(f"{path} is a model of the {model.engine} engine, which has nothing to publish")
    if folder is None:
        with _of_hub(repository):
            check_hub()  # before samples are drawn
    with reporter(False) as progress:
        progress.say("drawing samples for the model's page")
        model.beside = card_of(model, repository, licence, credit)
    if folder is not None:
        check_folder(folder)
        model.save_pretrained(folder)
        say(str(folder))
        return
    with _of_hub(repository):
        say(model.push_to_hub(repository, private=private))


@contextmanager
def _of_hub(repository: str) -> Iterator[None]:
    """Errors of the hub's library, which has its own and those of its transport, in a sentence."""
    try:
        yield
    except Exception as error:
        raise UnicaError(
            f"{repository} cannot be written to on the Hugging Face hub ({reason(error)}); hf auth login may help"
        ) from None
