"""What a job says on its way, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unica.errors import UnicaError, span

if TYPE_CHECKING:
    from unica.tasks.run import Frame

_WATCHED = 3.0  # seconds of a run before there is a forecast
_LONG, _TOO_LONG = 90.0, 3600.0  # seconds of a run of which is told, and of one that must be wanted


class Progress:
    """Reports nothing, as --quiet wants; subclasses report."""

    def update(self, done: float, standing: str = "") -> None:
        """Report that this share of the whole is done; 1 is all. `standing` is a short text about it."""

    def say(self, line: str) -> None:
        """Report a line that stays."""

    def frame(self, frame: Frame) -> None:
        """Show a step of a picture."""

    def saved(self, picture: Mapping[str, Any]) -> None:
        """Report a picture that was written: its path, its seed, and what is known of it."""


class Forecast:
    """How long a run takes, from the time between its first step and later ones: the first one may compile code."""

    def __init__(self, progress: Progress, patient: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        self._progress, self.patient, self._clock = progress, patient, clock
        self._began, self._first, self._told = clock(), None, False

    def update(self, done: float) -> None:
        """Note that this share of the run is done. Says once how long it all takes, and refuses what takes too long."""
        now = self._clock()
        self._first = self._first or (now, done)
        then, before = self._first
        if self._told or now - then < _WATCHED or done <= before:
            return
        self._told = True
        total = then - self._began + (now - then) * (1 - before) / (done - before)
        if total > _TOO_LONG and not self.patient:
            raise UnicaError(
                f"this takes about {span(total)}: say --yes if it may, or ask for a smaller size or fewer pictures"
            )
        if total > _LONG:
            self._progress.say(f"this takes about {span(total)}")


class PixelProgress(Progress):
    """How far a run of several large pictures is, in pixels."""

    def __init__(self, progress: Progress, number: int, count: int, patient: bool) -> None:
        self._progress, self._number, self._count = progress, number, count
        self._forecast = Forecast(progress, patient)
        self._done, self._total = 0, 1

    def of_layout(self, done: float, standing: str) -> None:
        """The layout is drawn so far."""
        if done < 1:
            self._tell(standing)

    def begin(self, done: int, total: int) -> None:
        """The layout is there, and so many pixels that an earlier run has drawn."""
        self._done, self._total = done, total
        self._forecast = Forecast(self._progress, self._forecast.patient)
        self._tell()
        if done:
            self._progress.say(f"{done / 1e6:.0f} of {total / 1e6:.0f} megapixels are there already")

    def drawn(self, pixels: int) -> None:
        self._done += pixels
        self._forecast.update(self._done / self._total)
        self._tell(f"{self._done / 1e6:.0f} of {self._total / 1e6:.0f} megapixels")

    def _tell(self, standing: str = "") -> None:
        self._progress.update((self._number + self._done / self._total) / self._count, standing)
