"""A process that does jobs, one at a time: a line of JSON on stdin is a job, and lines on stdout tell how it goes.

    {"job": {"id": ..., "kind": "draw", ...}}      begin
    {"cancel": id}                                 stop; pictures that are finished stay
    {"keep": id}                                   of a training: stop, and keep the model

It is a process, so that it can be killed, what it takes of memory comes back, and the pages of all users stay quick.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unica.errors import UnicaError, reason
from unica.fleet.lines import claim_stdout, heard
from unica.jobs.progress import Progress
from unica.studio.seen import copies_of_result, size_of, thumbnail, told_of_maps

if TYPE_CHECKING:
    from unica.tasks.run import Frame

LONGEST = 640  # pixels of the longer side of a preview
_SHARE = 0.2  # of the time may go into previews
_EVERY = 0.3  # seconds between reports on a training
_SHOWN_AFTER, _SHOWN_EVERY = 8.0, 1.7  # seconds of a training before its first sample, and the ratio of the next ones

Tell = Callable[[dict[str, Any]], None]


class Cancelled(BaseException):
    """The job is not wanted any more. No code that handles errors may take it for one."""


class Control:
    """What is wanted of the job that runs now."""

    def __init__(self) -> None:
        self.job = ""
        self.cancelled = self.kept = False

    def begin(self, job: str) -> None:
        self.job, self.cancelled, self.kept = job, False, False

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled


class _Told(Progress):
    """Progress as lines."""

    def __init__(self, tell: Tell, control: Control) -> None:
        self.tell, self.control = tell, control
        self._next = 0.0  # when there is time for a preview

    def update(self, done: float, standing: str = "") -> None:
        self.control.check()
        self.tell({"event": "progress", "done": round(done, 4), "standing": standing})

    def say(self, line: str) -> None:
        self.tell({"event": "said", "line": line})

    def frame(self, frame: Frame) -> None:
        from unica.image import preview_bytes

        self.control.check()
        began = time.perf_counter()
        if began < self._next and not frame.last:
            return
        image = frame.image()
        shown = {"preview": base64.b64encode(preview_bytes(image, LONGEST)).decode(), "seed": frame.seed}
        self.tell({"event": "frame", "done": round(frame.done, 4), "size": list(image.size), **shown})
        now = time.perf_counter()
        self._next = now + (now - began) * (1 - _SHARE) / _SHARE


def draw(job: Mapping[str, Any], tell: Tell, control: Control) -> dict[str, Any]:
    """A task, from its values to files. Returns the report that the command line writes."""
    from unica.jobs.again import python
    from unica.jobs.drawing import Drawing
    from unica.jobs.options import read_values
    from unica.jobs.task_options import options_of_task
    from unica.tasks import tasks

    task = tasks()[job["task"]]
    values = read_values(options_of_task(task), job["values"])
    folder, origins = Path(values["output"]), {}

    class Shown(_Told):
        def frame(self, frame: Frame) -> None:
            super().frame(frame)
            if frame.last and frame.model.knows_origins and not task.animation and drawing.closeup is None:
                origins[frame.seed] = _origins(frame)

        def saved(self, picture: Mapping[str, Any]) -> None:
            path = Path(picture["path"])
            beside = copies_of_result(path, None if picture.get("maps") else drawing.values["preview"])
            if picture["seed"] in origins:
                beside["origins"] = f"{path.stem}.origins.png"
                (folder / beside["origins"]).write_bytes(origins.pop(picture["seed"]))
            written = {key: Path(value) for key, value in picture.items() if isinstance(value, str)}
            named = {key: path.name for key, path in written.items() if path.parent == folder}
            engine, saved = drawing.model.engine, None if drawing.picture.maps else path.name
            code = python(task, {**drawing.values, "engine": engine}, picture["seed"], saved)
            others = [Path(other).name for other in picture.get("maps", {}).values()]
            maps = told_of_maps(drawing.picture.maps, [path.name, *others])
            self.tell({"event": "picture", **picture, **named, **beside, "maps": maps, **_said(path), "python": code})

    def learning(done: float, standing: str) -> None:
        told.update(done, f"learning the picture: {standing}")

    told = Shown(tell, control)
    drawing = Drawing(task, values)
    drawing.open(learning)
    report = drawing.save(told)
    return {key: value for key, value in report.items() if key not in ("source", "pictures", "sheet", "table")}


def train(job: Mapping[str, Any], tell: Tell, control: Control) -> dict[str, Any]:
    """A training, with its losses and samples on the way, and the model at the end."""
    import math

    import unica
    from unica.engines.train import begin
    from unica.image import save_png
    from unica.jobs.models import source_of

    path, shown = Path(job["output"]), _SHOWN_AFTER
    source = {"path": Path(job["path"]), "with_": job["with_"], "weight": (), "preview": None}
    session = begin(source_of(source), output=path, **job["values"])
    session.keep()
    tell({"event": "levels", "sizes": [[w, h] for h, w in session.trainer.process.sizes]})

    def show(now: Any) -> None:
        picture = path.with_name(f"{path.stem}-{now.step}.png")
        save_png(unica.sample(session.trainer.model(), seed=0)[0], picture)
        tell({"event": "sample", "path": picture.name, "thumb": thumbnail(picture), "step": now.step})

    now = None
    for now in session.run(_EVERY):
        losses = [None if math.isnan(loss) else round(loss, 4) for loss in now.losses]
        tell({"event": "training", "done": round(now.fraction, 4), "step": now.step, "seconds": round(now.seconds, 2),
              "losses": losses, "left": round(now.remaining, 1)})  # fmt: skip
        control.check()
        if now.seconds >= shown and now.fraction < 1:
            shown = max(shown, now.seconds) * _SHOWN_EVERY
            show(now)
        if control.kept:
            session.keep()
            break
    if now is not None:
        show(now)
    session.trainer.model().save(path)
    if session.state is not None:
        session.state.unlink(missing_ok=True)
    return {"model": path.name, "engine": session.trainer.process.engine, "steps": session.trainer.step,
            "seconds": round(session.trainer.seconds, 1), "bytes": path.stat().st_size}  # fmt: skip


def evaluate(job: Mapping[str, Any], tell: Tell, control: Control) -> dict[str, Any]:
    """The table of pictures that were made from one, and the report with the pictures in it."""
    from unica.evaluation.report import COLUMNS, reasons, rows, verdict
    from unica.jobs.measuring import measured

    def seen(done: float) -> None:
        control.check()
        tell({"event": "progress", "done": round(done, 4)})

    tell({"event": "progress", "done": 0.0, "standing": "reading the networks"})
    result = measured(Path(job["source"]), list(map(Path, job["samples"])), None, Path(job["output"]), seen)
    return {
        "columns": COLUMNS,
        "rows": [[measure.family, *cells] for measure, cells in rows(result)],
        "verdict": verdict(result),
        "reasons": reasons(result),
        "report": Path(job["output"]).name,
    }


KINDS = {"draw": draw, "train": train, "evaluate": evaluate}


def _origins(frame: Frame) -> bytes:
    """Where each pixel comes from, as colours."""
    from unica.image import png_bytes, to_pil
    from unica.provenance import overview

    assert frame.origins is not None
    height, width = frame.model.picture.pixels.shape[-2:]
    return png_bytes(to_pil(overview(frame.origins, (height, width))))


def _said(path: Path) -> dict[str, Any]:
    """What a picture of unica's says of itself, and its size."""
    from unica.maps import read_text

    text = read_text(path)
    return {"size": list(size_of(path)), "bytes": path.stat().st_size, "command": text.get("unica:command", "")}


def _memory() -> int:
    """Bytes of memory that this process has now; 0 where nothing tells."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _warm() -> None:
    """Load what every job needs, and what is compiled."""
    import torch

    from unica.engines.base import open as opened
    from unica.image import to_pil
    from unica.tasks import FUNCTIONS

    opened_picture = opened(to_pil(torch.linspace(-1, 1, 3 * 40 * 48).view(3, 40, 48)))
    FUNCTIONS["sample"](opened_picture)


def main() -> None:
    """Do jobs until stdin ends."""
    say, control = claim_stdout(), Control()
    waiting: list[dict[str, Any]] = []
    news = threading.Condition()

    def tell(event: dict[str, Any]) -> None:
        say({**event, "id": control.job})

    def listen() -> None:
        for asked in heard():
            with news:
                if "job" in asked:
                    waiting.append(asked["job"])
                    news.notify()
                elif asked.get("cancel") == control.job:
                    control.cancelled = True
                elif asked.get("keep") == control.job:
                    control.kept = True
        os._exit(0)  # the studio is gone

    threading.Thread(target=listen, daemon=True).start()
    _warm()
    tell({"event": "ready", "memory": _memory()})
    while True:
        with news:
            news.wait_for(lambda: waiting)
            job = waiting.pop(0)
            control.begin(job["id"])
        try:
            report = KINDS[job["kind"]](job, tell, control)
            ended = {"state": "done", "report": report}
        except Cancelled:
            ended = {"state": "cancelled"}
        except UnicaError as error:
            ended = {"state": "failed", "error": str(error)}
        except MemoryError:
            ended = {"state": "failed", "error": "there is not enough memory for a picture of this size"}
        except OSError as error:
            ended = {"state": "failed", "error": f"a file cannot be used: {reason(error)}"}
        except Exception as error:
            import traceback

            traceback.print_exc()
            ended = {
                "state": "failed",
                "error": f"unica failed ({type(error).__name__}): this is a fault of unica, not yours",
            }
        tell({"event": "ended", **ended, "memory": _memory()})


if __name__ == "__main__":
    main()
