"""`unica train` and `unica import`: from a picture, or from a checkpoint of the authors', to a model file."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import unica
from unica.cli.progress import reporter
from unica.cli.words import pair
from unica.errors import UnicaError
from unica.foreign import import_checkpoint
from unica.image import save_png
from unica.machine import peak_memory_mb
from unica.session import Session, begin, check_output
from unica.trained import TrainedModel, load
from unica.training import Progress

_SHOWN_AT = (0.1, 0.25, 0.5, 0.75)  # of the schedule: a sample of what there is
_SHOW_FROM = 60.0  # seconds that a training must take to be worth looking in on


def train_and_save(
    image: Path,
    engine: str,
    preset: str,
    budget: str | None,
    steps: int | None,
    output: Path | None,
    resume: bool,
    seed: int,
    max_side: int,
    device: str,
    precision: str,
    source: bool,
    preview: bool,
    as_json: bool,
    quiet: bool,
    receptive_field: float | None = None,
) -> None:
    """Train, saying where it stands; Ctrl-C ends it with a usable model."""
    began = time.perf_counter()
    path = output or Path(f"{image.stem}.unica")
    session = begin(
        image, engine, preset, budget, steps, path, resume, seed, max_side, device, precision, source, receptive_field
    )
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
        print(f"unica: interrupted; {path} is usable, and --resume goes on with it.", file=sys.stderr)
        raise SystemExit(130)


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Notes a Ctrl-C, for the end of the step that it falls into: half a step could not be resumed. A second one is
    obeyed at once, and what was kept last stays."""
    seen: list[int] = []

    def note(number: int, frame: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _intention(session: Session, path: Path) -> str:
    """What is about to happen, and when it will be over."""
    trainer = session.trainer
    plan, sizes = trainer.plan, trainer.recipe.sizes
    levels = ", ".join(f"{width}x{height}" for height, width in sizes)
    (w0, h0), (w, h) = trainer.picture.original_size, trainer.picture.size
    made = "" if (w0, h0) == (w, h) else f"{w0}x{h0} shrunk to {w}x{h}, "
    numbers = str(trainer.dtype).removeprefix("torch.")
    if session.budget is None:
        goal = f"{plan.steps} steps"
    else:
        end = time.localtime(time.time() + max(session.budget - trainer.seconds, 0))
        goal = f"done by {time.strftime('%H:%M:%S', end)}"
    need = f"{trainer.memory() / 2**30:.1f} GB a step"
    where = f"{trainer.device.type}, {numbers}, field {trainer.recipe.network.field}, {need}"
    after = f", after {trainer.step} steps before" if trainer.step else ""
    return f"{path}: preset {plan.preset}, {made}levels {levels}, {where}; {goal}{after}"


def _standing(now: Progress) -> str:
    losses = " ".join("-" if math.isnan(loss) else f"{loss:.3f}" for loss in now.losses)
    return f"step {now.step}/{now.steps}, loss a level {losses}, {_clock(now.remaining)} left"


def _show(model: TrainedModel, path: Path) -> str:
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
        "engine": trainer.recipe.engine,
        "preset": trainer.plan.preset,
        "version": unica.__version__,
        "source_sha256": trainer.picture.sha256,
        "steps": trainer.step,
        "losses": [None if math.isnan(loss) else round(loss, 4) for loss in trainer.losses.tolist()],
        "validation": [round(loss, 4) for loss in trainer.validate()],
        "training_seconds": round(trainer.seconds, 3),
        "seconds": round(time.perf_counter() - began, 3),
        "peak_memory_mb": peak_memory_mb(),
    }


def import_and_save(checkpoint: Path, image: Path, sizes: str | None, output: Path, source: bool, quiet: bool) -> None:
    """The authors' checkpoint as a model file of ours."""
    parsed = None if sizes is None else [pair(size, int, "--sizes", "64x48,90x67,...") for size in sizes.split(",")]
    model = import_checkpoint(checkpoint, image, parsed)
    model.save(check_output(output), source)
    with reporter(quiet) as progress:
        progress.say(f"{output}: {model.summary}, {_settings(model)}")


def _settings(model: TrainedModel) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in model.recipe.settings.items())


def push_model(path: Path, repository: str, private: bool) -> None:
    model = load(path, device="cpu")
    try:
        print(model.push_to_hub(repository, private=private))
    except Exception as error:  # the hub's library raises its own kinds, and those of whatever carries its requests
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UnicaError(
            f"{repository} cannot be written to on the Hugging Face hub ({reason}); hf auth login may help"
        ) from None
