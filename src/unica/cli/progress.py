"""Progress on stderr: a bar with time left on a terminal, a line a picture elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from unica.cli.terminal import plain
from unica.errors import UnicaError, span

_WATCHED = 3.0  # seconds of a run before there is a forecast
_LONG, _TOO_LONG = 90.0, 3600.0  # seconds of a run of which is told, and of one that must be wanted
_LINES = 20  # at most, about how far a training is, where there is no terminal


class Progress:
    """Reports nothing, as --quiet wants; subclasses report."""

    def update(self, done: float, standing: str = "") -> None:
        """Report that this share of the whole is done; 1 is all. `standing` is a short text about it."""

    def say(self, line: str) -> None:
        """Print a line that stays on the screen."""


class _Lines(Progress):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = 0

    def update(self, done: float, standing: str = "") -> None:
        if standing and done * _LINES >= self._said + 1:
            self._said = int(done * _LINES)
            self.say(standing)

    def say(self, line: str) -> None:
        self._console.print(plain(line), markup=False, highlight=False, soft_wrap=True)


class _Bar(_Lines):
    def __init__(self, console: Console, bar: RichProgress, task: TaskID) -> None:
        super().__init__(console)
        self._bar, self._task = bar, task

    def update(self, done: float, standing: str = "") -> None:
        self._bar.update(self._task, completed=done, standing=standing)


class Forecast:
    """How long a run takes, from the time between its first step and later ones: the first one may compile code."""

    def __init__(self, progress: Progress, patient: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        self._progress, self._patient, self._clock = progress, patient, clock
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
        if total > _TOO_LONG and not self._patient:
            raise UnicaError(
                f"this takes about {span(total)}: say --yes if it may, or ask for a smaller size or fewer pictures"
            )
        if total > _LONG:
            self._progress.say(f"this takes about {span(total)}")


@contextmanager
def late_reporter(quiet: bool, verb: str) -> Iterator[Callable[[float, str], None]]:
    """Progress that is shown from the first report on: nothing is seen of what needs no time."""
    with ExitStack() as opened:
        progress: Progress | None = None

        def report(done: float, standing: str) -> None:
            nonlocal progress
            if progress is None:
                progress = opened.enter_context(reporter(quiet, verb))
            progress.update(done, standing)

        yield report


@contextmanager
def reporter(quiet: bool, verb: str = "drawing") -> Iterator[Progress]:
    """Progress in the form that suits stderr: a bar on a terminal, lines elsewhere, nothing if quiet."""
    console = Console(stderr=True)
    if quiet:
        yield Progress()
    elif not console.is_terminal:
        yield _Lines(console)
    else:
        columns = (
            TextColumn(verb),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[standing]}", markup=False),
        )
        with RichProgress(*columns, console=console, transient=True) as bar:
            yield _Bar(console, bar, bar.add_task(verb, total=1.0, standing=""))
