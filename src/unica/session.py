"""A training that lives in files: begun or taken up again, kept now and then, and usable whenever it ends."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unica.devices import find_device, find_dtype
from unica.errors import UnicaError
from unica.files import check_folder
from unica.image import load
from unica.model import TRAINED
from unica.networks import UNetConfig, structure
from unica.plan import Plan
from unica.presets import preset as find_preset
from unica.trained import TrainedModel
from unica.training import Progress, Trainer

_BUDGET = "10m"  # of a preset that has no number of steps
_KEEP_EVERY = 60.0  # seconds of training that a crash may cost


@dataclass(frozen=True)
class Session:
    """A trainer, and where its work is kept: the model at `output`, what is needed to go on beside it."""

    trainer: Trainer
    output: Path | None
    budget: float | None
    source: bool = True  # whether the model file holds the picture

    @property
    def state(self) -> Path | None:
        return None if self.output is None else state_path(self.output)

    def run(self, every: float = 1.0) -> Iterator[Progress]:
        """Train to the end. What is kept first is kept early: a full disk is found before the work, not after it."""
        kept = -_KEEP_EVERY
        for progress in self.trainer.run(self.budget, every):
            if time.perf_counter() - kept >= _KEEP_EVERY:
                self.keep()
                kept = time.perf_counter()
            yield progress
        self.keep()

    def keep(self) -> None:
        """The state first: a model is made of it, and not the other way round."""
        if self.output is not None and self.state is not None:
            self.trainer.save(self.state)
            self.trainer.model().save(self.output, self.source)


def state_path(output: Path) -> Path:
    return output.with_name(output.name + ".training")


def begin(
    image: str | os.PathLike[str] | Any,
    engine: str = "sinddm",
    preset: str = "fast",
    budget: str | float | None = None,
    steps: int | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    max_side: int | None = 1024,
    device: str = "auto",
    precision: str = "auto",
    source: bool = True,
    receptive_field: float | None = None,
) -> Session:
    """A training that has not begun yet, or one that goes on. `budget` is a time, as "10m" or in seconds, those of
    earlier sessions included; `steps` is an exact number of steps. Where neither is said, the preset's own number
    holds, or ten minutes. `receptive_field` picks, for SinDiffusion, the network whose field is nearest to that share
    of the picture's side (the root of its area; the paper's ablation has 0.07, 0.17, 0.36 and 0.74).
    """
    if engine not in TRAINED:
        raise UnicaError(f"engine must be {' or '.join(TRAINED)} to be trained, not {engine}")
    if budget is not None and steps is not None:
        raise UnicaError("give a budget or a number of steps, not both")
    if steps is not None and steps < 1:
        raise UnicaError(f"steps must be at least 1, not {steps}")
    where = find_device(device)
    picture = load(image, max_side)
    plan = find_preset(engine, preset)
    plan = plan if steps is None else replace(plan, steps=steps)
    plan = plan if receptive_field is None else _with_field(plan, receptive_field, picture.size)
    budget = _BUDGET if budget is None and plan.steps is None else budget
    path = None if output is None else check_output(Path(output), resume)
    trainer = Trainer(picture, plan, seed, where, find_dtype(precision, where))
    if resume:
        if path is None:
            raise UnicaError("to resume, say with -o which model")
        trainer.resume(state_path(path))
    return Session(trainer, path, None if budget is None else seconds(budget), source)


def _with_field(plan: Plan, share: float, size: tuple[int, int]) -> Plan:
    if not isinstance(plan.network, UNetConfig):
        raise UnicaError("receptive-field is for the sindiffusion engine")
    if not 0 < share <= 2:
        raise UnicaError(f"receptive-field must lie between 0 and 2, not {share:g}")
    area = min(size[0] * size[1], plan.largest)
    return replace(plan, network=structure(plan.network, share * area**0.5))


def train(image: str | os.PathLike[str] | Any, **words: Any) -> TrainedModel:
    """A trained model of one picture; the words are those of `begin`."""
    session = begin(image, **words)
    for _ in session.run():
        pass
    return session.trainer.model()


def seconds(budget: str | float) -> float:
    """Of 90, "90s", "10m", "1h30m"."""
    if not isinstance(budget, str):
        return float(budget)
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", budget.strip().lower())
    if found is None or not any(found.groups()):
        raise UnicaError(f"budget is written as 90s, 10m or 1h30m, not {budget}")
    return sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1)))


def check_output(path: Path, resume: bool = False) -> Path:
    """The path, if a model can be written there without losing another."""
    if path.is_dir():
        raise UnicaError(f"{path} is a folder; name the model's file, as photo.unica")
    if path.exists() and not resume:
        raise UnicaError(f"{path} is there already; another -o leaves it as it is, --resume goes on training it")
    check_folder(path.parent)
    return path
