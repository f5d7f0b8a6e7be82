"""The pictures of a run, drawn by several processes or by a cluster: the same files as one process draws.

Each process opens the model once, and draws one picture after the other. Pictures that the model draws together, as it
does on a GPU, stay together.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, nullcontext
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unica.fleet import Job, several, stream
from unica.jobs import workers
from unica.jobs.drawing import Drawing, Drawn
from unica.jobs.options import read_values, written_values
from unica.jobs.progress import Forecast, Progress
from unica.jobs.task_options import options_of_task
from unica.jobs.tiles import TiledDrawing, writes_tiles
from unica.tasks import Task, tasks

_OF_ALL = ("show_mask", *workers.NAMES)  # options that are for the run, and not for its single pictures


def drawing(task: Task, values: dict[str, Any]) -> Drawing:
    """A run of a task, by this process or by several, as its values say."""
    if writes_tiles(task, values["output"]):
        return TiledDrawing(task, values)
    shared = several(values["workers"], values["ray"])
    return (SharedDrawing if shared else Drawing)(task, values)


class SharedDrawing(Drawing):
    """A run whose pictures are jobs."""

    def drawn(self, progress: Progress) -> Generator[Drawn, None, None]:
        if len(self.seeds) == 1:
            yield from super().drawn(progress)
            return
        finished, forecast = 0, Forecast(progress, self.values["yes"])
        beside = (
            TemporaryDirectory(prefix=".sheet-", dir=self.outputs.folder) if self.values["sheet"] else nullcontext()
        )
        with beside as folder, closing(stream(self._jobs(folder), self.values["workers"], self.values["ray"])) as done:
            for one in done:
                self.first_preview = self.first_preview or time.perf_counter() - self.began
                finished += len(one.result)
                forecast.update(finished / len(self.seeds))
                progress.update(finished / len(self.seeds))
                yield from map(_read, one.result)

    def _jobs(self, beside: str | None) -> Iterator[Job]:
        """A job for the pictures that are drawn together: mostly for each one."""
        together = self.arguments["batch"] or self.model.batch if "batch" in self.arguments else 1
        values = written_values(options_of_task(self.task), self.values, without=_OF_ALL)
        run = {"task": self.task.name, "values": values, "beside": beside}
        for first in range(0, len(self.seeds), together):
            seeds = self.seeds[first : first + together]
            name = self.name(seeds[0]) if len(seeds) == 1 else f"{self.name(seeds[0])} to {self.name(seeds[-1])}"
            yield Job(name, f"{__name__}:draw", {**run, "seed": seeds[0], "count": len(seeds)})


def draw(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Draw some pictures of a run: the work of a job. What a sheet needs of them goes to the folder `beside`."""
    from unica.image import png_bytes

    run = _opened(description["task"], description["values"])
    some = {"seed": description["seed"], "count": description["count"]}
    arguments = {name: some.get(name, value) for name, value in run.arguments.items()}
    found = []
    for drawn in run.written(run.task.frames(run.model, **arguments), arguments, Progress()):
        image = None
        if description["beside"] is not None:
            image = str(Path(description["beside"]) / f"{drawn.picture['seed']}.png")
            Path(image).write_bytes(png_bytes(drawn.image))
        found.append(drawn._replace(image=image)._asdict())
    return found


@lru_cache(maxsize=1)
def _opened(task: str, values: str) -> Drawing:
    """The run, ready to draw. Jobs of a process share it."""
    declared = tasks()[task]
    run = Drawing(declared, read_values(options_of_task(declared), json.loads(values)))
    run.open()
    run.prepare(Progress())
    return run


def _read(said: Mapping[str, Any]) -> Drawn:
    """What `draw` said of a picture."""
    from unica.image import load, to_pil

    drawn = Drawn(**said)
    if drawn.image is not None:
        picture = load(drawn.image)
        drawn = drawn._replace(image=to_pil(picture.pixels, picture.alpha, picture.bits))
    return drawn._replace(size=(drawn.size[0], drawn.size[1]))
