"""The parameters of tasks and engines as JSON schema: what a form, an HTTP service or a node editor is made of."""

from __future__ import annotations

from typing import Any

from unica.declare import object_schema, parameters
from unica.engines.base import engines
from unica.errors import one_of
from unica.tasks import tasks


def schema_of(task: str | None = None) -> dict[str, Any]:
    """The schema of a task; without a name, those of all tasks, and of every engine's knobs and task defaults."""
    known = tasks()
    if task is not None:
        return known[one_of("task", task, list(known))].schema()
    return {
        "tasks": {name: declared.schema() | {"group": declared.group} for name, declared in known.items()},
        "engines": {
            name: {
                "summary": engine.summary,
                "knobs": object_schema(parameters(engine.knobs)),
                "presets": dict(engine.presets),
                "defaults": {task: dict(values) for task, values in engine.defaults.items()},
            }
            for name, engine in engines().items()
        },
    }
