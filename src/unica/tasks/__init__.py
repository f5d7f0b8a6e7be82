"""The tasks: what a user can do with a model. Each module named like a task declares it; all of them are found here.

Tasks of other packages are found by their entry points, in the group `unica.tasks`.
"""

from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules

from unica.tasks.declare import FUNCTIONS, GROUPS, Task, TaskFunction, Together, stream

_SHARED = ("canvas", "content", "declare", "large", "run", "sketch", "strength")  # what tasks are made of

for _module in iter_modules(__path__):
    if _module.name not in _SHARED:
        import_module(f"{__name__}.{_module.name}")
for _entry in entry_points(group="unica.tasks"):
    _entry.load()


def tasks() -> dict[str, Task]:
    """Every task by its name, in the order of their groups; functions that are no commands come last."""

    def place(task: Task) -> tuple[int, str]:
        known = GROUPS.index(task.group) if task.group in GROUPS else len(GROUPS)
        return known if task.group else len(GROUPS) + 1, task.name

    return {task.name: task for task in sorted((function.task for function in FUNCTIONS.values()), key=place)}


__all__ = ["FUNCTIONS", "Task", "TaskFunction", "Together", "stream", "tasks"]
