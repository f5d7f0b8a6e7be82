"""Pictures that are too large to be drawn whole: written in parts, as tiles at several sizes.

A part is a job: a square block of tiles, which any process draws and writes by itself. What is written stays, so a
command that was ended goes on where it was.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from unica.errors import UnicaError, listed
from unica.fleet import Job, stream
from unica.jobs.drawing import Drawing
from unica.jobs.options import as_text, read_values
from unica.jobs.progress import PixelProgress, Progress
from unica.jobs.task_options import options_of_task
from unica.jobs.workers import NAMES
from unica.machine import peak_memory_mb
from unica.maps import WRITTEN
from unica.tasks import Task, tasks
from unica.tasks.run import LARGEST_AREA
from unica.tiled import ENDINGS
from unica.tiled.base import TileWriter, Tiling
from unica.tiled.blocks import Blocks
from unica.tiled.coarser import write_coarser
from unica.tiled.formats import open_tiled
from unica.tiled.formats import writer as tile_writer
from unica.tiled.working import working_files, working_folder

if TYPE_CHECKING:
    from unica.tasks.large import LargeCanvas, Layout

_LAYOUT, _COMMAND = "layout.safetensors", "command.json"  # files beside the tiles
_SHARE = {".zarr": 0.8, ".dzi": 0.3, ".tif": 1.6, ".tiff": 1.6}  # of the bytes of all pixels, on disk while it is made
_UNFIT = ("sheet", "provenance", "show_mask")  # options that need the whole picture
_OF_ALL = (*NAMES, *_UNFIT, "resume", "overwrite", "json", "quiet", "yes")  # options that no block needs


def writes_tiles(task: Task, output: str) -> bool:
    """Whether a result of this name may be written in parts."""
    return task.sketch is not None and Path(output).suffix.lower() in ENDINGS


class TiledDrawing(Drawing):
    """A run whose pictures are written in parts. A small TIFF is written whole, as any picture."""

    def save(self, progress: Progress) -> dict[str, Any]:
        self.say_if_shrunk(progress)
        if self.picture.maps and self.outputs.suffix.lower() not in WRITTEN:
            raise UnicaError("maps and pictures of many channels are not written in tiles: name a folder or a file")
        arguments = self.read_arguments(progress)
        sketch = self.task.sketched(self.model, **arguments)
        height, width = sketch.run.levels[-1].size
        whole = self.outputs.suffix.lower().startswith(".tif") and height * width <= LARGEST_AREA
        if whole and not self.values["resume"]:
            return super().save(progress)
        unfit = [f"--{name.replace('_', '-')}" for name in _UNFIT if self.values.get(name)]
        if unfit:
            raise UnicaError(f"{listed(unfit)} cannot be: it needs the whole picture, and this one is written in parts")
        for number, seed in enumerate(self.seeds):
            told = PixelProgress(progress, number, len(self.seeds), self.values["yes"])
            self.pictures.append(self._written(seed, told))
            progress.saved(self.pictures[-1])
            progress.say(f"{self.pictures[-1]['path']}  ({self.pictures[-1]['seconds']:.0f} s)")
        return self._large_report((width, height))

    def _written(self, seed: int, progress: PixelProgress) -> dict[str, Any]:
        """Draw one picture, and return what is known of it."""
        from unica.tasks.large import LargeCanvas

        began, destination = time.perf_counter(), self._destination(seed)
        sketch = self.task.sketched(self.model, **{**self.arguments, "seed": seed})
        canvas = LargeCanvas(self.model, sketch, seed)
        tiling = Tiling(canvas.size, canvas.channels, canvas.bits, self.values["tile_size"])
        told = {"path": str(destination), "seed": seed}
        if self._is_there(destination):
            return {**told, "seconds": 0.0}
        _check_space(destination, tiling, self.outputs.suffix)
        command = json.dumps({**self.provenance(seed, canvas.size), "tile": tiling.tile}).encode()
        self._check_begun(destination, command)
        if self.values["overwrite"]:  # there may not be room for both
            _remove_old(destination)
        out = tile_writer(destination, tiling)
        blocks = Blocks(tiling)
        working_files(destination).write(_COMMAND, command)
        run = {
            "task": self.task.name, "values": self._block_values(), "seed": seed, "destination": str(destination),
            "tile": tiling.tile,
        }  # fmt: skip
        layout = _kept_layout(destination)
        if layout is None:
            layout = canvas.layout(progress.of_layout)
            _keep_layout(destination, layout)
        else:
            canvas = LargeCanvas(self.model, sketch, seed, layout)
        _share(run, canvas, out)
        missing = blocks.missing(out)
        progress.begin(blocks.area() - sum(blocks.area(*one) for one in missing), blocks.area())
        memory = []
        with closing(stream(_jobs(run, missing), self.values["workers"], self.values["ray"])) as done:
            for one in done:
                progress.drawn(one.result["pixels"])
                memory.append(one.result["memory"])
                self.first_preview = self.first_preview or time.perf_counter() - self.began
        _share(None)
        write_coarser(out, tiling, blocks.level)
        out.finish(self.provenance(seed, canvas.size))
        seconds = round(time.perf_counter() - began, 3)
        return {**told, "seconds": seconds, "peak_memory_mb": max([one for one in memory if one], default=None)}

    def _destination(self, seed: int) -> Path | str:
        """The file or folder with the picture of a seed; a text, if it is at a URL."""
        output = self.values["output"]
        name = self.name(seed)
        return f"{output.rpartition('/')[0]}/{name}" if "://" in output else self.outputs.folder / name

    def _is_there(self, destination: Path | str) -> bool:
        """Whether an earlier run of this command has finished the picture."""
        if self.values["overwrite"]:
            return False
        exists = isinstance(destination, Path) and destination.exists()
        if exists and not self.values["resume"]:
            raise UnicaError(f"{destination} exists already: choose another name, or replace it with --overwrite")
        return exists

    def _check_begun(self, destination: Path | str, command: bytes) -> None:
        """Go on with tiles that are there only if this very command began them, and if that is wanted."""
        files = working_files(destination)
        if not files.has(_COMMAND):
            return
        if self.values["resume"]:
            if files.read(_COMMAND) != command:
                raise UnicaError(
                    f"{working_folder(destination)} was begun by another command, or by another version: run that"
                    " again, or start anew with --overwrite"
                )
        elif self.values["overwrite"]:
            files.remove()
        else:
            raise UnicaError(
                f"{working_folder(destination)} holds a picture that is not finished: --resume goes on with it,"
                " --overwrite starts anew"
            )

    def _block_values(self) -> str:
        """The values of the run, as a text that is the same for all its blocks."""
        options = [option for option in options_of_task(self.task) if option.name not in _OF_ALL]
        return json.dumps({option.name: as_text(option.parameter, self.values[option.name]) for option in options})

    def _large_report(self, size: tuple[int, int]) -> dict[str, Any]:
        seconds = sum(picture["seconds"] for picture in self.pictures)
        memory = [peak_memory_mb(), *(picture.get("peak_memory_mb") for picture in self.pictures)]
        return {
            **self.about_run(),
            "size": list(size),
            "pictures": self.pictures,
            "seconds_per_picture": round(seconds / len(self.pictures), 3),
            "seconds": round(time.perf_counter() - self.began, 3),
            "peak_memory_mb": max((one for one in memory if one is not None), default=None),
        }


def draw_block(description: Mapping[str, Any]) -> dict[str, Any]:
    """Draw a block of a picture: the work of a job."""
    canvas, out = _opened({name: value for name, value in description.items() if name not in ("row", "column")})
    blocks, place = Blocks(out.tiling), (description["row"], description["column"])
    blocks.write(out, *place, canvas[blocks.window(*place)])
    return {"pixels": blocks.area(*place), "memory": peak_memory_mb()}


_open: tuple[Mapping[str, Any], "LargeCanvas", TileWriter] | None = None  # what the blocks of this process share


def _share(run: Mapping[str, Any] | None, canvas: Any = None, out: Any = None) -> None:
    """Let jobs of this process use what is open already."""
    global _open
    _open = None if run is None else (run, canvas, out)


def _opened(run: Mapping[str, Any]) -> tuple["LargeCanvas", TileWriter]:
    """The canvas and its writer. The first job of a process opens them."""
    if _open is None or _open[0] != run:
        from unica.tasks.large import LargeCanvas

        declared = tasks()[run["task"]]
        drawing = TiledDrawing(declared, _with_defaults(declared, run))
        drawing.open()
        arguments = {**drawing.read_arguments(Progress()), "seed": run["seed"]}
        canvas = LargeCanvas(
            drawing.model, declared.sketched(drawing.model, **arguments), run["seed"], _kept_layout(run["destination"])
        )
        tiling = Tiling(canvas.size, canvas.channels, canvas.bits, run["tile"])
        _share(run, canvas, tile_writer(run["destination"], tiling))
    assert _open is not None
    return _open[1], _open[2]


def _with_defaults(task: Task, run: Mapping[str, Any]) -> dict[str, Any]:
    return read_values(options_of_task(task), json.loads(run["values"]))


def _jobs(run: Mapping[str, Any], missing: list[tuple[int, int]]) -> Iterator[Job]:
    for row, column in missing:
        name = f"block {row}, {column} of {run['destination']}"
        yield Job(name, f"{__name__}:draw_block", {**run, "row": row, "column": column})


def _keep_layout(destination: Path | str, layout: "Layout") -> None:
    """Write the layout beside the tiles, where all processes find it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / _LAYOUT
        layout.save(path)
        working_files(destination).write(_LAYOUT, path.read_bytes())


def _kept_layout(destination: Path | str) -> "Layout | None":
    from unica.tasks.large import Layout

    files = working_files(destination)
    if not files.has(_LAYOUT):
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder) / _LAYOUT
        path.write_bytes(files.read(_LAYOUT))
        return Layout.read(path)


def _check_space(destination: Path | str, tiling: Tiling, suffix: str) -> None:
    """Refuse a picture for which the disk has no room."""
    if not isinstance(destination, Path):
        return
    (width, height), folder = tiling.size, destination.parent
    while not folder.exists():
        folder = folder.parent
    need = width * height * tiling.channels * tiling.bits / 8 * 4 / 3 * _SHARE[suffix.lower()]
    free = shutil.disk_usage(folder).free
    if need > free:
        raise UnicaError(
            f"a picture of {width}x{height} needs about {need / 1e9:.0f} GB while it is made, and {folder} has"
            f" {free / 1e9:.0f} GB left: ask for less, or name another disk"
        )


def _remove_old(destination: Path | str) -> None:
    """Remove a finished picture that is to be replaced; nothing else."""
    if not isinstance(destination, Path) or not destination.exists():
        return
    open_tiled(destination)  # raises an error for what is no tiled picture
    if destination.is_dir():
        shutil.rmtree(destination)
        return
    destination.unlink()
    if destination.suffix.lower() == ".dzi":
        shutil.rmtree(destination.with_name(f"{destination.stem}_files"), ignore_errors=True)
