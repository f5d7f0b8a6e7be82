"""How far a training is: by its number of steps, or by a budget of time.

The learning rate follows the fraction of the schedule that is done. With a number of steps, that is the fraction of the
steps. With a budget, the number of steps is only estimated, and estimated again while the training goes on; the clock
makes the fraction rise evenly from where it is to 1 each time.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from unica.errors import UnicaError

if TYPE_CHECKING:
    from unica.training.loop import Trainer

_SHORTEST = 10.0  # seconds that a budget must have ...
_FEWEST = 20  # ... and steps that there must be time for
_RESERVE = 0.03  # of the budget, for saving and for previews
_ESTIMATES = 20  # times that the number of steps is estimated in a session


class Clock(NamedTuple):
    """The fraction of the schedule that is done: `start` at step `begin`, then rising evenly to 1 at step `end`."""

    begin: int
    start: float
    end: int

    def fraction(self, step: int) -> float:
        if step >= self.end:
            return 1.0
        return self.start + (1 - self.start) * (step - self.begin) / (self.end - self.begin)

    def with_steps(self, step: int, more: int) -> Clock:
        """A clock that shows the same at `step`, and has this many steps left."""
        return Clock(step, self.fraction(step), step + max(more, 0))


def planned(trainer: Trainer, budget: float) -> Clock:
    """The clock of a training that goes on until `budget` seconds are used, those of earlier sessions included."""
    clock, step, used = trainer.clock, trainer.step, trainer.seconds
    if not budget >= _SHORTEST:  # NaN is refused, too
        raise UnicaError(f"a budget of {budget:g} seconds is too short to train; give at least {_SHORTEST:g}")
    if clock.fraction(step) == 1 and step and used > budget * (1 - 2 * _RESERVE):
        raise UnicaError(f"the budget of {budget:g} seconds is used up; give a longer one to go on")
    fraction = min(clock.fraction(step), used / budget)  # with a longer budget, less of the schedule is done
    began = time.perf_counter()
    seconds = seconds_a_step(trainer.twin(), budget / 4)
    left = budget * (1 - _RESERVE) - used - (time.perf_counter() - began)
    clock = Clock(step, fraction, step + 1).with_steps(step, int(left / seconds))
    if step == 0 and clock.end < _FEWEST:
        raise UnicaError(
            f"a budget of {budget:g} seconds is too short: a step takes {seconds:.1f}, and there must be time for"
            f" {_FEWEST}; give at least {math.ceil(_FEWEST * seconds * 1.5)}"
        )
    return clock


class Estimates:
    """Estimates the number of steps anew about twenty times in a session, by the time that steps have taken so far."""

    def __init__(self, clock: Clock, step: int, budget: float) -> None:
        self.first, self.every = step, max((clock.end - step) // _ESTIMATES, 1)
        self.budget = budget * (1 - _RESERVE / 2)

    def update(self, clock: Clock, step: int, used: float, seconds: float) -> Clock:
        """The clock after a step, where a step takes this many seconds."""
        if (step - self.first) % self.every:
            return clock
        return clock.with_steps(step, int((self.budget - used) / seconds))


def seconds_a_step(twin: Trainer, limit: float) -> float:
    """The mean time of a step over all levels, measured on a trainer that is thrown away, in about `limit` seconds.

    A level that there is no time for is expected to need as long for each pixel as the finest level that was measured.
    """
    began, paces = time.perf_counter(), {}
    for level in list(range(len(twin.pairs))) * 2:  # the first step of a level is slower than those that follow
        step = time.perf_counter()
        pixels = twin.train_step(level)
        paces[level] = (time.perf_counter() - step) / pixels
        if time.perf_counter() - began > limit:
            break
    areas = [pair.sharp.shape[-2] * pair.sharp.shape[-1] for pair in twin.pairs]
    known = paces[max(paces)]
    times = [twin.batch_size(area) * area * paces.get(level, known) for level, area in enumerate(areas)]
    return sum(times) / len(times)
