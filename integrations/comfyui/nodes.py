"""The nodes, in words that both of ComfyUI's schemas have: models of a picture, and a node for each task."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths  # pyright: ignore[reportMissingImports]

import unica
from unica.declare import Choice, Param, Parameter, parameters
from unica.engines.base import MAX_SIDE, Engine, engines
from unica.jobs.models import ModelOptions
from unica.jobs.training import Budget, MaxSide, Steps, TrainSeed
from unica.names import safe_name
from unica.tasks import Task, tasks

from .inputs import Field, Socket, fields_of, values_of
from .running import computing, drawn, picture, reporter

FOLDER = "unica"  # of ComfyUI's models
_MODEL = "UNICA_MODEL"
_IMAGE = Socket("image", "IMAGE", True, {"tooltip": "The one picture."})
_CLEAR = Socket("mask", "MASK", False, {"tooltip": "Where the picture is transparent: never used in new pictures."})


@dataclass(frozen=True)
class Node:
    """A node, and what it does with the values of its sockets."""

    id: str
    title: str
    category: str
    description: str
    sockets: tuple[Socket, ...]
    outputs: tuple[tuple[str, str], ...]  # type and name
    run: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    output_node: bool = False
    changed: Callable[[Mapping[str, Any]], Any] | None = None  # a value that changes when the result may change


def nodes() -> list[Node]:
    """All nodes, in the order of a menu."""
    opening = [_open(engine) for engine in engines().values() if engine.opens_pictures]
    training = [_train(engine) for engine in engines().values() if engine.presets]
    return [*opening, *training, _load(), _save(), *map(_task, (t for t in tasks().values() if t.group is not None))]


def _open(engine: Engine) -> Node:
    fields = [*fields_of(parameters(engine.knobs)), *_where()]

    def run(given: Mapping[str, Any]) -> tuple[Any, ...]:
        report = reporter()
        with computing():
            source = picture(given["image"], given.get("mask"))
            return (unica.open(source, engine.name, report=lambda done, _: report(done), **values_of(fields, given)),)

    return Node(
        f"unica.open.{engine.name}", f"Open picture ({engine.name})", "unica/model",
        f"A model of one picture: {engine.summary}.", (_IMAGE, _CLEAR, *_sockets(fields)), ((_MODEL, "model"),), run,
    )  # fmt: skip


def _train(engine: Engine) -> Node:
    fields = [*fields_of(_training(engine)), *fields_of(parameters(engine.training_knobs)), *_where()]

    def run(given: Mapping[str, Any]) -> tuple[Any, ...]:
        from unica.engines.train import begin

        report = reporter()
        with computing():
            source = picture(given["image"], given.get("mask"))
            session = begin(source, engine.name, **values_of(fields, given))
            for progress in session.run():
                report(progress.fraction)
            return (session.trainer.model(),)

    presets = "; ".join(f"{name}: {what}" for name, what in engine.presets.items())
    return Node(
        f"unica.train.{engine.name}", f"Train ({engine.name})", "unica/model",
        f"A model that learns one picture: {engine.summary}. Presets: {presets}.",
        (_IMAGE, _CLEAR, *_sockets(fields)), ((_MODEL, "model"),), run,
    )  # fmt: skip


def _load() -> Node:
    fields = _where()
    file = Socket(
        "file", "COMBO", True, {"tooltip": f"A model in the folder models/{FOLDER}."},
        lambda: folder_paths.get_filename_list(FOLDER),
    )  # fmt: skip

    def run(given: Mapping[str, Any]) -> tuple[Any, ...]:
        with computing():
            return (unica.load(folder_paths.get_full_path_or_raise(FOLDER, given["file"]), **values_of(fields, given)),)

    def changed(given: Mapping[str, Any]) -> Any:
        return os.stat(folder_paths.get_full_path_or_raise(FOLDER, given["file"])).st_mtime_ns

    return Node(
        "unica.load", "Load model", "unica/model", "A model that was trained before.",
        (file, *_sockets(fields)), ((_MODEL, "model"),), run, changed=changed,
    )  # fmt: skip


def _save() -> Node:
    model = Socket("model", _MODEL, True)
    name = Socket("name", "STRING", True, {"default": "picture", "tooltip": f"Of the file in models/{FOLDER}."})

    def run(given: Mapping[str, Any]) -> tuple[Any, ...]:
        folder = Path(folder_paths.get_folder_paths(FOLDER)[0])
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{safe_name(given['name'])}.unica"
        given["model"].save(file)
        return ()

    return Node(
        "unica.save", "Save model", "unica/model", "Keep a trained model as a file.", (model, name), (), run, True
    )


def _task(task: Task) -> Node:
    fields = fields_of(task.parameters)
    model = Socket("model", _MODEL, True, {"tooltip": "A model of one picture."})

    def run(given: Mapping[str, Any]) -> tuple[Any, ...]:
        with computing():
            return drawn(task, given["model"], values_of(fields, given))

    return Node(
        f"unica.{task.name}", task.name.capitalize(), f"unica/{task.group}", task.description,
        (model, *_sockets(fields)), (("IMAGE", "images"), ("MASK", "transparent")), run,
    )  # fmt: skip


def _training(engine: Engine) -> list[Parameter]:
    def settings(
        budget: Budget = None, steps: Steps = None, seed: TrainSeed = 0, max_side: MaxSide = MAX_SIDE
    ) -> None: ...

    presets = list(engine.presets)
    preset = Parameter("preset", presets[0], Param("How it is trained.", Choice(*presets)))
    return [preset, *parameters(settings)]


def _where() -> list[Field]:
    """Where and how a model computes."""
    return fields_of([p for p in parameters(ModelOptions) if p.name in ("device", "precision")])


def _sockets(fields: list[Field]) -> tuple[Socket, ...]:
    return tuple(socket for field in fields for socket in field.sockets)


def add_folder() -> None:
    """Tell ComfyUI where models lie."""
    known = folder_paths.folder_names_and_paths
    if FOLDER not in known:
        known[FOLDER] = ([os.path.join(folder_paths.models_dir, FOLDER)], {".unica"})
