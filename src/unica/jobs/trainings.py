"""Training models: one with a look at it on the way, or one for each of several pictures, a job each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import unica
from unica.engines.base import Model
from unica.engines.train import begin
from unica.errors import UnicaError, listed, reason
from unica.fleet import Job, stream
from unica.image import save_png
from unica.machine import peak_memory_mb
from unica.training.loop import Progress
from unica.training.session import Session, check_output, state_path

_SHOWN_AT = (0.1, 0.25, 0.5, 0.75)  # of the schedule: when a sample is drawn
_SHOW_FROM = 60.0  # seconds that a training must take to be worth a sample on the way


def shown(session: Session, path: Path, preview: bool, say: Callable[[str], None]) -> Iterator[Progress]:
    """Train, and with `preview` draw a sample now and then. Yields how far it is."""
    seen = 0
    for now in session.run():
        due = sum(now.fraction >= share for share in _SHOWN_AT)
        if preview and due > seen and now.seconds + now.remaining >= _SHOW_FROM:
            seen = due
            say(f"{_show(session.trainer.model(), path)} shows where it stands")
        yield now


def _show(model: Model, path: Path) -> Path:
    picture = path.with_name(f"{path.stem}-preview.png")
    save_png(unica.sample(model, seed=0)[0], picture)
    return picture


def report(session: Session, path: Path, began: float) -> dict[str, Any]:
    """What is known of a training that has ended."""
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


# Several


def models_of(images: Sequence[Path], output: Path | None) -> dict[Path, Path]:
    """Each picture, and where its model goes: to the folder `output`, or the current one."""
    folder = Path() if output is None else output
    if folder.suffix == ".unica" or folder.is_file():
        raise UnicaError(f"{folder} must be a folder: each of the {len(images)} pictures has a model of its own")
    models = {image: folder / f"{image.stem}.unica" for image in images}
    paths = list(models.values())
    twice = sorted({str(path) for path in paths if paths.count(path) > 1})
    if twice:
        raise UnicaError(f"several pictures would have the model {listed(twice)}: rename one of them")
    return models


def each_trained(
    models: Mapping[Path, Path],
    workers: int | None,
    ray: str | None,
    resume: bool,
    **settings: Any,
) -> Generator[tuple[Path, dict[str, Any] | str], None, None]:
    """Train every model. Yields each picture with the report on its training, or with a sentence if that fails.

    With `resume`, trainings that were begun go on. The settings are those of `begin`, and `preview`.
    """
    begun = {}
    for image, path in models.items():
        try:
            check_output(path, resume and state_path(path).exists())
            begun[image] = path
        except UnicaError as error:
            yield image, str(error)
    jobs = (
        Job(str(image), f"{__name__}:train_one", {"image": str(image), "output": str(path), **settings})
        for image, path in begun.items()
    )
    pictures = list(begun)
    with closing(stream(jobs, workers, ray)) as done:
        for one in done:
            yield pictures[one.number], one.result


def train_one(description: Mapping[str, Any]) -> dict[str, Any] | str:
    """Train a model: the work of a job. Returns a report, or what is wrong.

    Another try of the job goes on where the process died.
    """
    began = time.perf_counter()
    settings = dict(description)
    path, preview = Path(settings.pop("output")), settings.pop("preview")
    try:
        session = begin(output=path, resume=state_path(path).exists(), **settings)
        for _ in shown(session, path, preview, lambda line: None):
            pass
        return report(session, path, began)
    except UnicaError as error:
        return str(error)
    except MemoryError:
        return "there is not enough memory"
    except OSError as error:
        return f"{error.filename or path} cannot be used: {reason(error)}"
