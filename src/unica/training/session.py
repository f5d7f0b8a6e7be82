"""A training that lives in files: it is kept every minute, and its model is usable whenever the training ends."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from unica.errors import UnicaError, real, shown
from unica.files import check_folder, locked
from unica.image import Picture
from unica.training.config import TrainingConfig
from unica.training.loop import Progress, Trainer
from unica.training.state import restore_state, save_state

_BUDGET = "10m"  # where neither the user nor the preset says how long to train
_LONGEST = 366 * 86400.0  # seconds of a budget
_KEEP_EVERY = 60.0  # seconds of training that a crash may cost


@dataclass(frozen=True)
class Session:
    """A trainer and its files: the model at `output`, and beside it the state that lets a later session go on."""

    trainer: Trainer
    output: Path | None  # None: nothing is kept
    budget: float | None  # seconds; None: the config's number of steps
    source: bool = True  # whether the model file holds the picture

    @property
    def state(self) -> Path | None:
        return None if self.output is None else state_path(self.output)

    def run(self, every: float = 1.0) -> Generator[Progress, None, None]:
        """Train to the end; yield about every so many seconds. The files are written after the first step already.

        So a full disk is noticed before the work, not after it.
        """
        kept = -_KEEP_EVERY
        with self._alone():
            for progress in self.trainer.run(self.budget, every):
                if time.perf_counter() - kept >= _KEEP_EVERY:
                    self.keep()
                    kept = time.perf_counter()
                yield progress
            self.keep()

    def _alone(self) -> AbstractContextManager[None]:
        """Refuse a second training that would write to the same files."""
        if self.output is None:
            return nullcontext()
        lock = self.output.with_name(f".{self.output.name}.lock")
        return locked(lock, f"{self.output} is being trained by another process: wait for it, or name another file")

    def keep(self) -> None:
        """Write both files. The state goes first: a model can be made from it, but not the other way round."""
        if self.output is not None and self.state is not None:
            save_state(self.trainer, self.state)
            self.trainer.model().save(self.output, self.source)


def open_session(
    picture: Picture,
    config: TrainingConfig,
    budget: str | float | None = None,
    output: Path | None = None,
    resume: bool = False,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    source: bool = True,
) -> Session:
    """A session that is ready to run: new, or with `resume` one that goes on from the files at `output`.

    `budget` is a time, those of earlier sessions included. Without it, the config's number of steps counts, or ten
    minutes if it has none.
    """
    time_limit = _BUDGET if budget is None and config.steps is None else budget
    path = None if output is None else check_output(output, resume)
    trainer = Trainer(picture, config, seed, device, dtype)
    if resume:
        if path is None:
            raise UnicaError("resume needs the model's file: name it with -o")
        restore_state(trainer, state_path(path))
    return Session(trainer, path, None if time_limit is None else seconds(time_limit), source)


def state_path(output: Path) -> Path:
    """The file with the training state that belongs to a model's file."""
    return output.with_name(output.name + ".training")


def seconds(budget: str | float) -> float:
    """The seconds of a budget: 90, "90s", "10m", "1h30m"."""
    if isinstance(budget, int | float) and not isinstance(budget, bool):
        return real("budget", budget, 0, _LONGEST, above=True)
    pattern = r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?"
    found = re.fullmatch(pattern, budget.strip().lower()) if isinstance(budget, str) else None
    if found is None or not any(found.groups()):
        raise UnicaError(f"budget is written as 90s, 10m or 1h30m, not {shown(budget)}")
    total = sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1)))
    return real("budget", total, 0, _LONGEST, above=True)


def check_output(path: Path, resume: bool = False) -> Path:
    """The path, if a model can be written there and no other model is lost."""
    if path.is_dir():
        raise UnicaError(f"{path} is a folder; name the model's file, as photo.unica")
    if path.exists() and not resume:
        raise UnicaError(f"{path} exists already; name another file with -o, or go on training it with --resume")
    check_folder(path.parent)
    return path
