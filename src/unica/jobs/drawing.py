"""From a declared task and the values of its options to whole files on disk."""

import json
import shlex
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unica.declare import File, Group, parameters
from unica.engines.base import Report
from unica.errors import UnicaError
from unica.fleet import check_reachable
from unica.jobs.closeup import closeup
from unica.jobs.models import open_model, other_offers, typed_options
from unica.jobs.options import as_typed, grouped, written
from unica.jobs.outputs import Outputs, check_file, read_files, without_folders
from unica.jobs.progress import Forecast, Progress
from unica.jobs.task_options import AnimationOptions, options_of_task
from unica.tasks import Task, Together
from unica.tiled import ENDINGS

if TYPE_CHECKING:
    from unica.image import Picture

_PLAIN = "sample"  # the task whose files have no suffix, and after which other engines are named


class Drawn(NamedTuple):
    """A file with a picture, or with an animation, and what is told of it."""

    picture: dict[str, Any]  # its path, its seed, and what is known of it
    size: tuple[int, int]
    image: Any  # for the contact sheet
    memory: float | None  # the most that the process which drew it has used so far, in MB


class Drawing:
    """One run of a task that ends in files. The values are those of `options_of_task`, by name."""

    def __init__(self, task: Task, values: dict[str, Any]) -> None:
        from unica.image import ANIMATED, STILL
        from unica.maps import WRITTEN

        values = values if task.shorthand is None else task.shorthand(values)
        self.task, self.mask = task, values.get("show_mask")
        options = options_of_task(task)
        read = read_files(options, values).values()
        still = {*STILL, *WRITTEN}
        endings = ANIMATED if task.animation else (still if task.sketch is None else {*still, *ENDINGS})
        self.outputs = Outputs.named(values["output"], endings, read, values["overwrite"])
        usual = {option.name: option.usual for option in options}
        fitting = (usual.get("format"), self.outputs.suffix[1:].lower())
        if task.animation and self.outputs.stem is not None and values["format"] not in fitting:
            raise UnicaError(f"--format {values['format']} and {values['output']} are two formats: give one")
        if "count" in values and values["count"] is None:  # a file that was named is one picture
            values = {**values, "count": usual["count"] if self.outputs.stem is None else 1}
        self.values = values
        self.began = time.perf_counter()
        self.pictures: list[dict[str, Any]] = []  # a report on each one that is written
        self.first_preview = 0.0  # seconds from the beginning to the first thing that can be shown
        animation = parameters(AnimationOptions) if task.animation else ()
        named = values if values["keep_paths"] else without_folders(options, values)
        self.source = File().format(named["path"])
        self.options = written([*task.parameters, *animation], named)
        self.named = named

    def open(self, report: Report | None = None) -> None:
        """Open the model. Some engines learn the picture first, and report how far that is."""
        if self.values["ray"] is not None:
            check_reachable(self.values["ray"])  # before there is any work
        if self.mask is not None:
            check_file(self.mask, self.outputs.read)
            if self.mask.suffix.lower() != ".png":
                raise UnicaError(f"--show-mask writes a PNG: {self.mask} must end in .png")
        self.closeup = closeup(self.task, self.values)
        self.model = open_model(self._worked_on, report)

    @property
    def _worked_on(self) -> dict[str, Any]:
        """The values of the run: those that were given, or those of a part of the picture."""
        return self.values if self.closeup is None else self.closeup.values

    @property
    def picture(self) -> "Picture":
        """The source, at full size if a part of it is worked on."""
        whole = self.closeup is not None and self.closeup.name == "path"
        return self.closeup.whole if whole and self.closeup is not None else self.model.picture

    def save(self, progress: Progress) -> dict[str, Any]:
        """Draw, and write every picture the moment it is done. Returns a report on all of it."""
        from unica.files import check_folder
        from unica.image import png_bytes
        from unica.machine import peak_memory_mb

        self.say_if_shrunk(progress)
        self._say_if_first(progress)
        self.prepare(progress)
        self.outputs.check(self.name(seed) for seed in self.seeds)
        check_folder(self.outputs.folder)
        if self.mask is not None:
            self._show_mask(self.mask)
        drawn = self._draw(progress)
        report = self._report(drawn)
        stem = self.outputs.stem or self._stem
        if self.task.together is not None and len(drawn) > 1:
            report["table"] = str(self.outputs.write(f"{stem}.json", self._table(self.task.together, drawn)))
            progress.say(report["table"])
        if self.values["sheet"]:
            report["sheet"] = str(self.outputs.write(f"{stem}-sheet.png", png_bytes(self._sheet(drawn))))
            progress.say(report["sheet"])
        if self.values["engine"] is None and self.task.name == _PLAIN:
            for offer in other_offers(self.values["path"], self.model):
                progress.say(offer)
        report["seconds"] = round(time.perf_counter() - self.began, 3)
        memory = [peak_memory_mb(), *(one.memory for one in drawn)]
        report["peak_memory_mb"] = max((one for one in memory if one is not None), default=None)
        return report

    def _sheet(self, drawn: "Sequence[Drawn]") -> Any:
        """All pictures on one sheet; those of a set as they can lie, without gaps."""
        from unica.image import contact_sheet

        if self.task.together is None or len(drawn) == 1:
            return contact_sheet([one.image for one in drawn])
        images = {one.picture["seed"]: one.image for one in drawn}
        rows = self.task.together.layout(self.seeds, **self.arguments)
        return contact_sheet([images.get(seed) for row in rows for seed in row], columns=len(rows[0]), gap=0)

    def _table(self, told: Together, drawn: "Sequence[Drawn]") -> bytes:
        """What a program must know of a set of pictures, to use them together."""
        table = told.table(self.seeds, **self.arguments)
        kept = ("seed", "path", "maps")
        pictures = [
            {**_named({key: one.picture[key] for key in kept if key in one.picture}), **table[one.picture["seed"]]}
            for one in drawn
        ]
        about = {**self.about_run(), "source": self.values["path"].name, "size": list(drawn[0].size)}
        return json.dumps({**about, "pictures": pictures}).encode()

    @property
    def seeds(self) -> range:
        """The seed of each picture."""
        return range(self.values["seed"], self.values["seed"] + (self.values.get("count") or 1))

    def read_arguments(self, progress: Progress) -> dict[str, Any]:
        """The task's arguments, with what is slow to load."""
        arguments = grouped(self.task.parameters, self._worked_on)
        if self.task.prepare is not None:
            arguments = self.task.prepare(self.model, self.task.values(self.model, arguments), progress.say)
        self.arguments = arguments
        return arguments

    def prepare(self, progress: Progress) -> None:
        """Find out what is wrong with the arguments before anything is drawn."""
        from unica.image import check_animation, check_ending
        from unica.maps import check_form, is_one_file

        arguments = self.read_arguments(progress)
        if self.task.animation:
            suffix = Path(self.name(self.seeds[0])).suffix.lower()
            check_animation(suffix, self.model.picture.size, self.model.picture.alpha is not None)
        elif self.outputs.stem is not None:
            suffix, alpha = self.outputs.suffix.lower(), self.model.picture.alpha is not None
            if self.picture.maps:
                maps = self.picture.maps
                written = maps if is_one_file(maps) else maps[:1]
                check_form(suffix, sum(one.channels for one in written) + alpha, maps[0].dtype)
            else:
                check_ending(suffix, alpha)
        self._frames = self.task.frames(self.model, **arguments)

    def drawn(self, progress: Progress) -> Generator[Drawn, None, None]:
        """Draw every picture and write it; they may come in any order."""
        return self.written(self._frames, self.arguments, progress)

    def written(
        self, frames: Iterator[Any], arguments: Mapping[str, Any], progress: Progress
    ) -> Generator[Drawn, None, None]:
        """Write each picture of a run of the task with these arguments."""
        from unica.machine import peak_memory_mb

        started = time.perf_counter()
        for frame, images in self._finished(frames, progress):
            path, others = self._write(frame, images)
            seconds = time.perf_counter() - started
            started = time.perf_counter()
            notes = {} if self.task.notes is None else self.task.notes(frame, **arguments)
            picture = {"path": str(path), "seed": frame.seed, "seconds": round(seconds, 3), **notes}
            if others:
                picture["maps"] = others
            if self.values.get("show") and self.task.figures is not None:
                picture |= self._save_beside(path, _figures(self.task.figures.draw(frame)))
            if self.values["provenance"] and frame.origins is not None:
                picture |= self._save_beside(path, self._origins(frame.origins))
            image = images[-1] if self.values["sheet"] else None  # only a sheet needs it again
            yield Drawn(picture, self._size(images[-1]), image, peak_memory_mb())

    def _draw(self, progress: Progress) -> list[Drawn]:
        """All pictures in the order of their seeds; each is reported when it is there."""
        found = []
        with closing(self.drawn(progress)) as arriving:
            for drawn in arriving:
                found.append(drawn)
                self.pictures.append(drawn.picture)
                progress.saved(drawn.picture)
                numbers = {name: value for name, value in drawn.picture.items() if isinstance(value, float)}
                seconds = numbers.pop("seconds")
                said = "".join(f", {name.replace('_', ' ')} {value:g}" for name, value in numbers.items())
                progress.say(f"{drawn.picture['path']}  ({seconds:.1f} s{said})")
        return sorted(found, key=lambda drawn: drawn.picture["seed"])

    def about_run(self) -> dict[str, Any]:
        """What a report says of a run, whatever comes of it."""
        import unica

        return {
            "task": self.task.name,
            "engine": self.model.engine,
            "version": unica.__version__,
            "source": str(self.values["path"]),
            "source_sha256": self.picture.sha256,
        }

    def _report(self, drawn: Sequence[Drawn]) -> dict[str, Any]:
        """What is known of the run, but for what is known only at its end."""
        return {
            **self.about_run(),
            "size": list(drawn[-1].size),
            "pictures": [one.picture for one in drawn],
            "sheet": None,
            "seconds_per_picture": round(sum(one.picture["seconds"] for one in drawn) / len(drawn), 3),
            "first_preview_seconds": round(self.first_preview, 3),
        }

    def _finished(self, frames: Iterator[Any], progress: Progress) -> Iterator[tuple[Any, list[Any]]]:
        """The pictures of each file, and the last of their frames: one picture, or all those of an animation."""
        images: list[Any] = []
        final = None
        forecast = Forecast(progress, self.values["yes"])
        for frame in frames:
            forecast.update(frame.done)
            progress.frame(frame)
            self.first_preview = self.first_preview or time.perf_counter() - self.began
            progress.update(frame.done)
            if final is not None and frame.index != final.index:
                yield final, images
                images, final = [], None
            if frame.last:
                images.append(frame.image())
                final = frame
                if not self.task.animation:
                    yield final, images
                    images, final = [], None
        if final is not None:
            yield final, images

    def _write(self, frame: Any, images: list[Any]) -> tuple[Path, dict[str, str]]:
        """One file with its provenance: a picture, or an animation. Of several maps, the others, too."""
        from unica.image import animation_bytes, picture_bytes

        text, name = self.provenance(frame.seed, self._size(images[-1])), self.name(frame.seed)
        suffix = Path(name).suffix.lower()
        if self.task.animation:
            return self.outputs.write(name, animation_bytes(images, suffix, self.values["fps"], text)), {}
        if self.picture.maps:
            return self._write_maps(frame, name, text)
        pixels, alpha = frame.pixels, frame.alpha
        if self.closeup is not None:
            pixels, alpha = self.closeup.put_back(pixels, alpha, self._canvas().new)
        return self.outputs.write(name, picture_bytes(pixels, alpha, self.picture.bits, text, suffix)), {}

    def _write_maps(self, frame: Any, name: str, text: dict[str, str]) -> tuple[Path, dict[str, str]]:
        """A file for each map, in the form of its source: the first has the picture's name."""
        from unica.maps import map_files, working_range

        maps = self.picture.maps
        affine = working_range(maps)
        text = text | ({"unica:range": json.dumps(affine)} if affine else {})
        files = map_files(maps, frame.maps, frame.alpha, text, Path(name).suffix)
        (_, data), *_ = files.values()
        path = self.outputs.write(name, data)
        others = {
            key: self.outputs.write(f"{path.stem}_{key}{suffix}", data)
            for key, (suffix, data) in files.items()
            if key != maps[0].name
        }
        return path, {key: str(other) for key, other in others.items()}

    def _size(self, image: Any) -> tuple[int, int]:
        """Width and height of what is written of an image."""
        return image.size if self.closeup is None else self.closeup.whole.size

    def name(self, seed: int) -> str:
        """Of the file with the picture of this seed."""
        suffix = self.picture.maps[0].suffix if self.picture.maps else ".png"
        suffix = f".{self.values['format']}" if self.task.animation else suffix
        return self.outputs.name(self._stem, seed, suffix, several=(self.values.get("count") or 1) > 1)

    def _save_beside(self, path: Path, files: Mapping[str, tuple[str, bytes]]) -> dict[str, str]:
        """Files that explain a picture; each has a suffix of its own."""
        return {
            name: str(self.outputs.write(path.with_suffix(suffix).name, data)) for name, (suffix, data) in files.items()
        }

    @property
    def _stem(self) -> str:
        name = self.model.picture.name
        return name if self.task.name == _PLAIN else f"{name}-{self.task.name}"

    def provenance(self, seed: int, size: tuple[int, int]) -> dict[str, str]:
        """What a picture says of how it was made."""
        import unica

        model, source = self.model, self.values["path"]
        settings = {
            **model.settings,
            "size": list(size),
            **{name: value for name, value in self.options.items() if name != "size"},
            "device": model.device.type,
            "dtype": str(model.dtype).removeprefix("torch."),
        }
        return {
            "Software": f"unica {unica.__version__}",
            "unica:task": self.task.name,
            "unica:engine": model.engine,
            "unica:settings": json.dumps(settings, default=str),
            "unica:seed": str(seed),
            "unica:source": source.name,
            "unica:source-sha256": self.picture.sha256,
            "unica:command": self._again(seed),
        }

    def _again(self, seed: int) -> str:
        """The command that makes exactly this picture again."""
        line, positional = ["unica", self.task.name, self.source, "-n", "1", "--seed", str(seed)], []
        animation = parameters(AnimationOptions) if self.task.animation else ()
        for parameter in [*self.task.parameters, *animation]:
            fields = parameters(parameter.kind.of) if isinstance(parameter.kind, Group) else (parameter,)
            for field in fields:
                if field.about.argument:
                    positional += self.options[field.name]
                elif field.about.recorded:
                    line += as_typed(field, self.options[field.name])
        line += typed_options(self.named, self.values["device"], self.model)
        return shlex.join([*line, "--", *positional] if positional else line)

    def _canvas(self) -> Any:
        """What stays and what is new, as the task says it."""
        assert self.task.preview is not None
        arguments = grouped(self.task.parameters, self._worked_on)
        return self.task.preview(self.model, **self.task.values(self.model, arguments))

    def _origins(self, origins: Any) -> dict[str, tuple[str, bytes]]:
        if self.closeup is not None and self.closeup.name == "path":
            origins = self.closeup.origins(origins)
        return _explained(self.picture, origins)

    def _show_mask(self, path: Path) -> None:
        """Write the canvas with what will be new in red."""
        from unica.image import save_png, to_pil
        from unica.masks import shown

        if self.task.preview is None:
            return
        canvas = self._canvas()
        new = canvas.new > 0
        alpha = None if canvas.alpha is None else canvas.alpha.masked_fill(new, 1.0)
        save_png(to_pil(shown(new, canvas.pixels), alpha), path)

    def _say_if_first(self, progress: Progress) -> None:
        from unica.patches import compiled

        if self.model.knows_origins and not compiled():
            progress.say("the first run on this machine compiles the search loops, which takes some 10 seconds")

    def say_if_shrunk(self, progress: Progress) -> None:
        model, path = self.model, self.values["path"]
        if self.closeup is not None:
            height, width = self.closeup.size
            progress.say(f"working on {width}x{height} pixels around what is marked; the rest stays as it is")
            return
        (w0, h0), (w, h) = model.picture.original_size, model.picture.size
        if (w0, h0) == (w, h):
            return
        if model.max_side is None:
            progress.say(f"{path} was trained at {w}x{h}, on a source of {w0}x{h0}")
        else:
            progress.say(f"{path} is {w0}x{h0}; working at {w}x{h} (--max-side {model.max_side})")


def _named(told: Any) -> Any:
    """What is told, with the names of files in place of their paths."""
    if isinstance(told, Mapping):
        return {key: _named(one) for key, one in told.items()}
    return Path(told).name if isinstance(told, str) else told


def _figures(figures: Mapping[str, tuple[str, Any]]) -> dict[str, tuple[str, bytes]]:
    """Pictures and curves that explain a result, as files."""
    from unica.image import png_bytes, to_pil

    return {
        name: (suffix, figure.encode() if isinstance(figure, str) else png_bytes(to_pil(figure)))
        for name, (suffix, figure) in figures.items()
    }


def _explained(picture: "Picture", origins: Any) -> dict[str, tuple[str, bytes]]:
    """Where every pixel comes from: a map for programs, and an overview beside the source for people."""
    from unica.image import contact_sheet, png_bytes, to_pil
    from unica.provenance import key, map_bytes, overview

    source = picture.pixels
    shown = overview(origins, (source.shape[1], source.shape[2]))
    sheet = contact_sheet([to_pil(key(source)), to_pil(shown)], columns=2)
    return {"map": (".map.png", map_bytes(origins)), "overview": (".overview.png", png_bytes(sheet))}
