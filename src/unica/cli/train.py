"""`unica train`, `unica import` and `unica push`: how models are made, and where they go."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import unica
from unica.cli.progress import reporter
from unica.cli.signals import Stopped, handled
from unica.cli.terminal import complain, say
from unica.engines.author_checkpoints import import_checkpoint
from unica.engines.base import Model, training_engine
from unica.engines.train import begin
from unica.errors import UnicaError, reason
from unica.image import save_png
from unica.jobs.models import refuse_others
from unica.jobs.outputs import spare
from unica.machine import peak_memory_mb
from unica.training.loop import Progress
from unica.training.memory import step_memory
from unica.training.session import Session, check_output

_SHOWN_AT = (0.1, 0.25, 0.5, 0.75)  # of the schedule: when a sample is drawn
_SHOW_FROM = 60.0  # seconds that a training must take to be worth a sample on the way


def train_and_save(
    image: Path,
    output: Path | None,
    preview: bool,
    as_json: bool,
    quiet: bool,
    knobs: Mapping[str, Any],
    **settings: Any,
) -> None:
    """Train, and report on the way; Ctrl-C ends it with a usable model. Settings and knobs are those of `begin`."""
    began = time.perf_counter()
    refuse_others(training_engine(settings["engine"]), knobs, lambda engine: engine.training_knobs)
    path = Path(f"{image.stem}.unica") if output is None else output
    spare(path, [image])
    session = begin(image, output=path, **settings, **knobs)
    with reporter(quiet, "training") as progress, _interruptible() as interrupted:
        progress.say(_intention(session, path))
        shown = 0
        for now in session.run():
            progress.update(now.fraction, _standing(now))
            due = sum(now.fraction >= share for share in _SHOWN_AT)
            if preview and due > shown and now.seconds + now.remaining >= _SHOW_FROM:
                shown = due
                progress.say(_show(session.trainer.model(), path))
            if interrupted:
                session.keep()
                break
        progress.say(f"{path}  ({time.perf_counter() - began:.0f} s)")
    if as_json:
        print(json.dumps(_report(session, path, began)))
    if interrupted:
        complain(f"interrupted; {path} is usable, and --resume continues the training")
        raise SystemExit(Stopped(interrupted[0]).exit_code)


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


def _show(model: Model, path: Path) -> str:
    picture = path.with_name(f"{path.stem}-preview.png")
    save_png(unica.sample(model, seed=0)[0], picture)
    return f"{picture} shows where it stands"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _report(session: Session, path: Path, began: float) -> dict[str, Any]:
    trainer = session.trainer
    return {
        "model": str(path),
        "engine": trainer.process.engine,
        "preset": trainer.config.preset,
        "version": unica.__version__,
        "source_sha256": trainer.picture.sha256,
        "steps": trainer.step,
        "losses": [None if math.isnan(loss) else round(loss, 4) for loss in trainer.losses.tolist()],
        "validation": [round(loss, 4) for loss in trainer.validate()],
        "training_seconds": round(trainer.seconds, 3),
        "seconds": round(time.perf_counter() - began, 3),
        "peak_memory_mb": peak_memory_mb(),
    }


def import_and_save(
    checkpoint: Path, image: Path, sizes: Sequence[tuple[int, int]] | None, output: Path, source: bool, quiet: bool
) -> None:
    """Make a model file of a checkpoint of the authors' code."""
    model = import_checkpoint(checkpoint, image, sizes)
    model.save(check_output(output), source)
    with reporter(quiet) as progress:
        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in model.settings.items())
        progress.say(f"{output}: {model.summary}, {settings}")


def push_model(path: Path, repository: str, private: bool) -> None:
    """Put a model on the Hugging Face hub."""
    model = unica.load(path, device="cpu")
    try:
        say(model.push_to_hub(repository, private=private))
    except Exception as error:  # the hub's library raises errors of its own, and those of its transport
        raise UnicaError(
            f"{repository} cannot be written to on the Hugging Face hub ({reason(error)}); hf auth login may help"
        ) from None
