"""What the page shows of a file: its facts, a preview and a thumbnail, and how it was made if unica made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unica.errors import UnicaError
from unica.jobs.again import read_command
from unica.jobs.options import as_text
from unica.jobs.task_options import options_of_task
from unica.studio.forms import files_of, options_of_form

if TYPE_CHECKING:
    from unica.image import Map, Picture

PREVIEW, THUMB = 2048, 320  # pixels of the longer side
LARGE = 32_000_000  # pixels; more are looked at in the viewer, and the page shows a preview


def facts_of_picture(path: Path) -> dict[str, Any]:
    """Of an uploaded picture; a preview and a thumbnail are written beside it."""
    from unica.maps import load_source, meant_by, read_header, read_text, without_meaning

    header = read_header(path)
    picture = load_source(path, PREVIEW, smallest=1)
    return {
        "size": list(header.size),
        "sha256": header.sha256,
        "bytes": path.stat().st_size,
        "restores": _restores(read_text(path)),
        "maps": told_of_maps(picture.maps, [path.name]),
        "map": {"name": meant_by(path.stem), "of": without_meaning(path.stem)},
        **_previews(path, picture),
    }


def facts_of_maps(files: Mapping[str, Path]) -> dict[str, Any]:
    """Of several maps, the first of which is the picture's own."""
    from unica.maps import Maps, load_source, read_text

    picture = load_source(Maps(files), PREVIEW, smallest=1)
    first, *_ = paths = list(files.values())
    return {
        "size": list(picture.original_size),
        "sha256": picture.sha256,
        "bytes": sum(path.stat().st_size for path in paths),
        "restores": _restores(read_text(first)),
        "maps": told_of_maps(picture.maps, [path.name for path in paths]),
        **_previews(first, picture),
    }


def told_of_maps(maps: Sequence[Map], files: Sequence[str]) -> list[dict[str, Any]]:
    """What the page must know of a picture's maps; nothing, if it is an ordinary picture. All of one file are one."""
    from unica.maps import is_one_file

    if is_one_file(maps):
        return [{"name": maps[0].name, "kind": "scalar", "channels": sum(m.channels for m in maps), "file": files[0]}]
    return [
        {"name": one.name, "kind": one.kind, "channels": one.channels, "file": file} for one, file in zip(maps, files)
    ]


def shown(path: Path, name: str, channels: Sequence[int] | None = None) -> bytes:
    """What the page shows of a map, or of some of its channels."""
    from unica.maps import Maps, load_source

    return _seen(load_source(Maps({name: path}, preview=channels), PREVIEW, smallest=1), PREVIEW)


def facts_of_model(path: Path) -> dict[str, Any]:
    """The same of a model."""
    import unica

    model = unica.load(path, device="cpu")
    facts = {
        "size": list(model.picture.size),
        "sha256": model.picture.sha256,
        "bytes": path.stat().st_size,
        "engine": model.engine,
    }
    return facts | (_previews(path, model.picture) if model.has_source else {})


def copies_of_result(path: Path, channels: Sequence[int] | None = None) -> dict[str, str]:
    """Write a thumbnail beside a picture, and a preview if it is large; return their names."""
    width, height = size_of(path)
    if width * height <= LARGE:
        return {"thumb": thumbnail(path, channels)}
    picture = _opened(path, PREVIEW, channels)
    return {
        "preview": _small(path, picture, PREVIEW, f"{path.stem}.preview.webp"),
        "thumb": _small(path, picture, THUMB, f"{path.stem}.thumb.webp"),
    }


def thumbnail(path: Path, channels: Sequence[int] | None = None) -> str:
    """Write a thumbnail beside a picture, and return its name."""
    return _small(path, _opened(path, THUMB, channels), THUMB, f"{path.stem}.thumb.webp")


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a picture or a video."""
    from unica.image import VIDEOS, video_frames
    from unica.maps import read_header

    return next(video_frames(path)).size if path.suffix in VIDEOS else read_header(path).size


def _opened(path: Path, longest: int, channels: Sequence[int] | None) -> Picture:
    from unica.image import VIDEOS, load, video_frames
    from unica.maps import Maps, load_source

    if path.suffix in VIDEOS:
        return load(next(video_frames(path)), longest, smallest=1)
    source = path if channels is None else Maps.beginning_with(path, {}, preview=channels)
    return load_source(source, longest, smallest=1)


def _previews(path: Path, picture: Picture) -> dict[str, str]:
    return {
        "preview": _small(path, picture, PREVIEW, "preview.webp"),
        "thumb": _small(path, picture, THUMB, "thumb.webp"),
    }


def _small(path: Path, picture: Picture, longest: int, name: str) -> str:
    path.with_name(name).write_bytes(_seen(picture, longest))
    return name


def _seen(picture: Picture, longest: int) -> bytes:
    from unica.image import preview, preview_bytes, to_pil

    return preview_bytes(to_pil(preview(picture.pixels, picture.maps, picture.shown), picture.alpha), longest)


def _restores(text: Mapping[str, str]) -> dict[str, Any] | None:
    """How a picture was made: its task, its settings, and the names of its files. None if unica did not make it."""
    command = read_command(text.get("unica:command", ""))
    if command is None:
        return None
    try:
        values = command.values()
    except UnicaError:
        return None
    options = {option.name: option.parameter for option in options_of_form(command.task)}
    files = {name: Path(values[name]).name for name in files_of(options_of_task(command.task), values)}
    return {
        "task": command.task.name,
        "values": {
            name: as_text(options[name], value)
            for name, value in values.items()
            if name in options and name not in files
        },
        "files": files,
        "source": Path(command.words[0]).name,
        "sha256": text.get("unica:source-sha256"),
    }
