"""The same things for programs: an HTTP endpoint for each task, with the task's parameters, by Gradio's protocol."""

from __future__ import annotations

import inspect
import os
import queue
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, no_type_check

import gradio
from gradio.data_classes import FileData

from unica.declare import UNSET, Choice, File, Flag, Number, Whole, parameters
from unica.errors import UnicaError
from unica.jobs.options import Option, Refused
from unica.regions import Region
from unica.studio.forms import options_of_form
from unica.studio.store import Session, linked
from unica.studio.studio import Studio
from unica.tasks import Task, tasks

_AT_ONCE = 64  # requests of one endpoint that are in the queue of the pool


def add_endpoints(server: gradio.Server, studio: Studio) -> None:
    """An endpoint for each task."""
    for task in tasks().values():
        if task.group is not None:
            server.api(
                _endpoint(task, studio),
                name=task.name,
                description=task.description,
                concurrency_limit=_AT_ONCE,
                stream_every=0.1,
            )


def _endpoint(task: Task, studio: Studio) -> Callable[..., Any]:
    """A function as Gradio wants it: the task's parameters as JSON, and a stream of what happens."""
    options = {option.name: option for option in options_of_form(task)}
    files = {name for name, option in options.items() if isinstance(option.parameter.kind, File)}

    @no_type_check  # what wraps functions to check them would hide from Gradio that this is a generator
    def call(*args: Any, **given: Any) -> Iterator[tuple[list[Any] | None, dict[str, Any]]]:
        bound = signature.bind(*args, **given).arguments
        request = bound.pop("request", None)
        session = studio.store.session(f"program {getattr(request, 'session_hash', None)}")
        try:
            source = _source(studio, session, bound.pop("source"), bound.pop("maps", None) or {})
            values = {name: value for name, value in bound.items() if value is not None}
            for name in files & values.keys():
                values[name] = _uploaded(studio, session, values[name])
            yield from _followed(studio, session, {"task": task.name, "source": source, "values": values})
        except UnicaError as error:
            sentence = "; ".join(error.sentences.values()) if isinstance(error, Refused) else str(error)
            raise gradio.Error(sentence, print_exception=False) from None

    parts = [inspect.Parameter("source", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=FileData)]
    needed = [option for option in options.values() if option.parameter.required and option.name not in _GROUPED]
    rest = [option for option in options.values() if option not in needed]
    parts += [_parameter(option) for option in [*needed, *rest]]
    maps = inspect.Parameter("maps", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=dict | None)
    parts.append(maps)
    parts.append(
        inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gradio.Request)
    )
    signature = inspect.Signature(parts, return_annotation=tuple[list[FileData], dict])
    delattr(call, "__no_type_check__")  # and this would hide its types
    call.__name__ = task.name
    call.__doc__ = task.documentation
    setattr(call, "__signature__", signature)  # noqa: B010
    call.__annotations__ = {part.name: part.annotation for part in parts} | {"return": signature.return_annotation}
    return call


_GROUPED = {field.name for field in parameters(Region)}  # a region needs one of them, none in particular


def _parameter(option: Option) -> inspect.Parameter:
    kind = option.parameter.kind
    types: dict[type, Any] = {Whole: int, Number: float, Flag: bool, File: FileData}
    plain: Any = next((made for cls, made in types.items() if isinstance(kind, cls)), str)
    if isinstance(kind, Choice):
        plain = Literal[kind.options]  # pyright: ignore[reportInvalidTypeForm]
    elif kind.repeated:
        plain = list[Any]
    default = option.parameter.default
    if option.parameter.required and option.name not in _GROUPED:
        default = inspect.Parameter.empty
    elif option.optional or default is UNSET or not isinstance(default, str | int | float | bool):
        default = None
    annotation = plain if default is not None else plain | None
    return inspect.Parameter(
        option.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation
    )


def _source(studio: Studio, session: Session, first: Any, more: Any) -> str:
    """What a program draws from, as a record: a file, or that and more maps of the same thing by their names."""
    from unica.maps import meant_by

    source = _uploaded(studio, session, first)
    if not isinstance(more, Mapping):
        raise UnicaError("maps are files by their names")
    if not more:
        return source
    name = meant_by(Path(session.find(source).about["file"]).stem) or "color"
    if name in more:
        raise UnicaError(f"there are two maps of the name {name}")
    return studio.join(session, {name: source} | {key: _uploaded(studio, session, one) for key, one in more.items()}).id


def _uploaded(studio: Studio, session: Session, given: Any) -> str:
    """A file that the program has uploaded, as a record of its session."""
    path = given.get("path") if isinstance(given, Mapping) else getattr(given, "path", None)
    folder = studio.store.uploads.resolve()
    inside = Path(os.path.realpath(str(path or "")))
    if path is None or folder not in inside.parents or Path(path).is_symlink():
        raise UnicaError("this file was not uploaded: upload it first, as gradio_client's handle_file does")
    try:
        with open(inside, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnicaError("this is not a file")
            return studio.upload(session, inside.name, file).id
    except OSError:
        raise UnicaError("this file is not there any more: upload it again") from None


def _offered(studio: Studio, path: Path) -> dict[str, Any]:
    """A file that whoever knows its name may fetch. The name cannot be guessed."""
    there = studio.store.uploads / secrets.token_hex(20) / path.name
    there.parent.mkdir(parents=True)
    linked(path, there)
    return FileData(path=str(there), orig_name=path.name).model_dump()


def _followed(
    studio: Studio, session: Session, asked: Mapping[str, Any]
) -> Iterator[tuple[list[Any] | None, dict[str, Any]]]:
    """Submit a job, and yield how it goes; at last its files, and what is known of each."""
    happened: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    stop = studio.listen(session, happened.put)
    record = studio.submit(session, asked)
    ended = False
    try:
        while not ended:
            event = happened.get()
            if event["event"] == "record" and event["record"]["id"] == record.id:
                ended = record.about["state"] not in ("waiting", "running")
            elif event.get("id") == record.id and event["event"] in ("progress", "frame", "place"):
                known = {key: event[key] for key in ("done", "left", "place", "of", "standing") if key in event}
                yield None, {"state": record.about["state"], **known}
    finally:
        stop()
        if not ended:
            studio.pool.cancel(record.id)
    if record.about["state"] != "done":
        raise UnicaError(record.about.get("error", "the job was cancelled"))
    pictures = record.about["pictures"]
    refs = [{"record": record.id, "file": picture["path"]} for picture in pictures]
    files = [_offered(studio, path) for ref in refs for path in studio.files(session, ref)]
    said = ("seed", "seconds", "size", "command", "python", "maps")
    told = [{"name": one["path"], **{key: one[key] for key in said if key in one}} for one in pictures]
    yield files, {"state": "done", "seconds": record.about["seconds"], "pictures": told}
