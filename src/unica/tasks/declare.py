"""Declaring a task once: a typed, documented function whose parameters say what they take.

    @task(CHANGING, needs_source=True)
    def tile(model: Model, axis: Annotated[str, Param("...", Choice("x", "y", "xy"))] = "xy", ...) -> "Iterator[Frame]":
        \"\"\"Make this picture repeat without a seam.\"\"\"

The function yields frames. From it come the Python function `unica.tile` (and `model.tile`), the command `unica tile`,
the JSON schema and the page of the reference. A task is one module of this package, named like the task. Such a module
imports what is heavy inside its functions, so that help does not wait for torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Protocol,
    cast,
    get_args,
    get_origin,
    runtime_checkable,
)

from unica.declare import UNSET, Choice, Group, Number, Param, Parameter, Size, Whole, object_schema, parameters
from unica.engines.base import Model, find
from unica.errors import UnicaError, listed
from unica.regions import Region

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame
    from unica.tasks.sketch import Sketch

GROUPS = NEW, CHANGING, OTHERS = "New pictures", "Changing this picture", "Other pictures' content"
LARGEST_COUNT = 10**6
Form = Literal["pil", "pt", "np", "maps"]

Notes = Callable[..., Mapping[str, Any]]  # of a finished frame and the task's arguments by name
Preview = Callable[..., "Canvas"]  # of the model and the task's arguments by name
Local = Callable[[Mapping[str, Any]], str | None]  # of the values of a command, by the names of their options
Sketched = Callable[..., "Sketch"]  # of the model and the task's arguments by name
Shorthand = Callable[[dict[str, Any]], dict[str, Any]]
Prepare = Callable[[Model, dict[str, Any], Callable[[str], None]], dict[str, Any]]


class Together(NamedTuple):
    """What is told of all pictures of a run together, if they are a set whose pieces belong together."""

    table: Callable[..., Mapping[int, Mapping[str, Any]]]  # of the seeds and the arguments: what is known of each
    layout: Callable[..., list[list[int | None]]]  # of the same: rows of pictures by their seeds, as they can lie


class Figures(NamedTuple):
    """Pictures that explain a result, written beside it with `--show`."""

    help: str
    draw: Callable[[Frame], Mapping[str, tuple[str, str | Float[Tensor, "3 h w"]]]]  # name -> (suffix, SVG or picture)


@dataclass(frozen=True)
class Task:
    """A declared task."""

    name: str
    group: str | None  # of commands; None: a Python function only
    function: Callable[..., Iterator[Frame]]
    needs_source: bool
    animation: bool
    preview: Preview | None
    prepare: Prepare | None
    notes: Notes | None
    figures: Figures | None
    local: Local | None
    sketch: Sketched | None
    shorthand: Shorthand | None
    together: Together | None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return parameters(self.function)

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.description.partition("\n")[0]

    @property
    def description(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def signature(self) -> inspect.Signature:
        """Of the Python function: plain types, and the form of what it returns."""
        parts = [
            part.replace(annotation=get_args(part.annotation)[0]) if get_origin(part.annotation) is Annotated else part
            for part in inspect.signature(self.function).parameters.values()
        ]
        form = inspect.Parameter("output", inspect.Parameter.KEYWORD_ONLY, default=_OUTPUT.default, annotation=Form)
        returned = "list[PIL.Image.Image] | torch.Tensor | numpy.ndarray"
        return inspect.Signature([*parts, form], return_annotation=returned)

    @property
    def documentation(self) -> str:
        """The description, and a line for each parameter."""
        lines = [f"    {p.name}: {p.about.help}" for p in (*self.parameters, _OUTPUT)]
        return "\n".join([self.description, "", "Parameters:", *lines])

    def frames(self, model: Any, *args: Any, **kwargs: Any) -> Iterator[Frame]:
        """Every step of the run. The arguments are checked before anything is drawn."""
        return self.function(model, **self._checked(model, *args, **kwargs))

    def sketched(self, model: Any, *args: Any, **kwargs: Any) -> Sketch:
        """What the task draws, of which any part can be drawn by itself."""
        if self.sketch is None:
            able = listed([name for name, made in FUNCTIONS.items() if made.task.sketch is not None])
            raise UnicaError(f"{self.name} draws whole pictures only; in parts: {able}")
        return self.sketch(model, **self._checked(model, *args, **kwargs))

    def _checked(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The values of all parameters, where the model can do the task."""
        if not isinstance(model, Model):
            raise UnicaError(f"{self.name} needs a model first: unica.open(picture) or unica.load(file) makes one")
        bound = inspect.signature(self.function).bind(model, *args, **kwargs)
        values = self.values(model, bound.arguments)
        if self.needs_source and not model.has_source:
            raise UnicaError("this model was saved without its source: there is no picture to work on")
        return values

    def values(self, model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
        """The checked value of each parameter: what is given, or the engine's default, or the task's."""
        usual = find(model.engine).defaults.get(self.name, {})
        given = given if self.shorthand is None else self.shorthand(dict(given))
        values = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                value = usual.get(parameter.name, parameter.about.fallback)
                value = None if value is UNSET else value
            values[parameter.name] = parameter.check(value)
        return values

    def schema(self) -> dict[str, Any]:
        """JSON schema of the task's parameters."""
        return {"title": self.name, "description": self.description, **object_schema(self.parameters)}


@runtime_checkable
class TaskFunction(Protocol):
    """A task as Python calls it: it returns finished pictures."""

    __name__: str
    task: Task

    def __call__(self, model: Model, *args: Any, output: Form = "pil", **kwargs: Any) -> Any: ...


# The form in which every task returns its pictures.
_OUTPUT = Parameter(
    "output",
    "pil",
    Param(
        "pil: Pillow images; pt: one tensor, n c h w; np: one array, n h w c. Their values lie between 0 and 1. maps: a"
        " dictionary for each picture with the numbers of each of its maps, as files have them.",
        Choice("pil", "pt", "np", "maps"),
    ),
)

FUNCTIONS: dict[str, TaskFunction] = {}  # every task, by its name


def task(
    group: str | None,
    *,
    needs_source: bool = False,
    animation: bool = False,
    preview: Preview | None = None,
    prepare: Prepare | None = None,
    notes: Notes | None = None,
    figures: Figures | None = None,
    local: Local | None = None,
    sketch: Sketched | None = None,
    shorthand: Shorthand | None = None,
    together: Together | None = None,
) -> Callable[[Callable[..., Iterator[Frame]]], TaskFunction]:
    """Make a task of a function that yields frames, and register it.

    `needs_source` refuses models that were saved without their picture. An `animation` yields several finished pictures
    of one index, which belong into one file. For the command line: `preview` is the canvas, which tells before the run
    what will be new; `prepare` may load what is slow and say what a run will cost, `notes` are numbers reported with a
    finished picture, and `figures` are pictures that explain it. `local` tells by the values which of the files is
    changed only where a `Region` marks it, by the name of its option: of a large one, only a part need be worked on.
    `sketch` is what the task draws, for canvases that are drawn in parts. `shorthand` puts the values for which another
    one stands into its place. `together` tells how the pictures of a run belong together.
    """

    def register(function: Callable[..., Iterator[Frame]]) -> TaskFunction:
        name = function.__name__
        declared = Task(
            name, group, function, needs_source, animation, preview, prepare, notes, figures, local, sketch, shorthand,
            together,
        )  # fmt: skip

        def call(model: Any, *args: Any, output: Any = "pil", **kwargs: Any) -> Any:
            from unica.tasks.run import collected

            return collected(declared.frames(model, *args, **kwargs), _OUTPUT.check(output))

        call.__name__ = call.__qualname__ = name
        call.__module__, call.__doc__ = function.__module__, declared.documentation
        setattr(call, "__signature__", declared.signature)  # noqa: B010
        made = cast(TaskFunction, call)
        made.task = declared
        FUNCTIONS[name] = Model.tasks[name] = made
        return made

    return register


def stream(task: TaskFunction, model: Any, *args: Any, **kwargs: Any) -> Iterator[Frame]:
    """Every step of a task, as it is drawn: for progress bars, live previews and videos."""
    return task.task.frames(model, *args, **kwargs)


BY_ENGINE: Any = None  # a default that the engine knows, or else the parameter's fallback

# Parameters that several tasks have.

Count = Annotated[int, Param("How many pictures.", Whole(1, LARGEST_COUNT), short="n", recorded=False)]
Seed = Annotated[
    int,
    Param("Seed of the first picture; the next ones count up.", Whole(0, 2**63 - LARGEST_COUNT - 1), recorded=False),
]
CanvasSize = Annotated[tuple[int, int] | None, Param("Size of the result (default: the source's).", Size())]
ContentScale = Annotated[
    float,
    Param(
        "Size of the content, and of the result; at 1 it has as many pixels as the source, and finer shapes at 2.",
        Number(0.1, 10),
    ),
]
ContentSize = Annotated[
    tuple[int, int] | None,
    Param("Size of the result, to which the content is stretched, in place of a scale.", Size(), advanced=True),
]
Feather = Annotated[
    int, Param("Width in pixels of the border in which old and new are mixed.", Whole(0, 256), advanced=True)
]
Dilate = Annotated[
    int | None,
    Param(
        "Pixels by which what is marked grows. By default a mask or a polygon grows until it covers its thing and the"
        " soft border of it, and a box does not grow.",
        Whole(0, 256),
        advanced=True,
    ),
]
Where = Annotated[Region, Param("Where to act.", Group(Region))]


def strength(fallback: Any = UNSET) -> Param:
    """How much a run may change the picture that enters. `fallback` is for engines without a default of their own."""
    usual = "" if fallback is UNSET else f" (default: {fallback}, unless the engine has its own)"
    return Param(f"How much may change: 0 is nothing, 1 is everything{usual}.", Number(0, 1), fallback=fallback)
