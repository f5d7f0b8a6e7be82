"""Progress on stderr: a bar with time left on a terminal, a line a picture elsewhere, nothing when quiet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from unica.cli.terminal import plain
from unica.jobs.progress import Progress

_LINES = 20  # at most, about how far a training is, where there is no terminal


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
