"""What an engine is, and the registry of those that are installed.

An engine is one module: a subclass of `Engine`, the model that it makes, and an instance that an entry point of the
group `unica.engines` names. No other part of unica knows an engine's name. This module imports nothing heavy: help and
schemas need the engines' declarations, and must not wait for torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from unica.declare import Choice, Number, Param, checked, parameters
from unica.errors import UnicaError, listed, one_of

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int
    from torch import Tensor

    from unica.diffusion import Denoiser, Level
    from unica.engines.files import StoredModel
    from unica.image import Picture
    from unica.masks import Mask
    from unica.patches import Patchwork
    from unica.pyramid import Size
    from unica.torus import Axes
    from unica.training.config import TrainingConfig

HUB_FILE = "model.safetensors"  # a model's file in a folder, or in a repository of the Hugging Face hub
GROUP = "unica.engines"  # of entry points
MAX_SIDE = 1024  # pixels of the longer side to which a source is shrunk, unless the user says otherwise

Report = Callable[[float, str], None]  # is told how much of a preparation is done, from 0 to 1, and what it does


class Run(NamedTuple):
    """What a model does on a canvas: its levels, and the picture that the first one starts from."""

    levels: "Sequence[Level]"
    start: "Float[Tensor, '1 c h w'] | None" = None  # None: pure noise


class Model(ABC):
    """An engine on one source picture. A run leaves nothing on it.

    Subclasses have the attributes below, `run`, `denoiser` and `to`. The other methods have defaults that suit a
    denoiser which knows nothing of where its pixels come from.
    """

    engine: str  # the name of its engine
    picture: "Picture"
    device: "torch.device"
    dtype: "torch.dtype"
    has_source: bool = True  # False: only the size of the picture is known, not its pixels
    max_side: int | None = None  # other pictures that enter a run are shrunk to this
    batch: int = 1  # how many pictures are best drawn together on this device
    knows_origins: bool = False  # whether its denoisers know where in the source each pixel comes from
    differentiable: bool = False  # whether gradients pass through its denoisers

    tasks: ClassVar[dict[str, Callable[..., Any]]] = {}  # by name; the package `tasks` fills it

    def __getattr__(self, name: str) -> Any:
        """Tasks are methods, too: `model.sample(count=4)` is `unica.sample(model, count=4)`."""
        if name in Model.tasks:
            return partial(Model.tasks[name], self)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Everything that decides the pixels, besides the task's own parameters. Knobs have their own names."""

    @abstractmethod
    def run(self, size: "Size", wrap: "Axes" = "") -> Run:
        """The levels that draw on a canvas of (height, width), and where they start."""

    @abstractmethod
    def denoiser(self, seeds: Sequence[int]) -> "Denoiser":
        """A fresh denoiser for the pictures of these seeds."""

    @abstractmethod
    def to(self, device: "str | torch.device") -> "Model":
        """The same model on another device."""

    @property
    def channels(self) -> int:
        """Channels of the pictures that are drawn: colours, and transparency where a network makes that, too."""
        return self.picture.pixels.shape[0]

    @property
    def detail_patches(self) -> "Patchwork | None":
        """What draws the finer levels, if patches of the source do: then each part can be drawn by itself."""
        return None

    @property
    def summary(self) -> str:
        width, height = self.picture.size
        return f"{self.engine} engine, {width}x{height} source, {self.device.type}"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What else `unica info` tells of a model, by name."""
        return self.settings

    def save(self, path: "str | PathLike[str]", source: bool = True) -> None:
        """Write the model as one file; without `source`, the picture's pixels are left out."""
        raise UnicaError(f"a model of the {self.engine} engine has no file: it is made of its picture at once")

    def hiding(self, mask: "Mask") -> "Model":
        """A model that does not draw from these pixels of its picture, if the engine can do that."""
        return self

    def preferring(self, relevance: "Float[Tensor, 'h w']") -> "Model":
        """A model that draws more of some parts of its picture, in proportion to exp(relevance), if the engine can."""
        return self

    def with_small_patches(self) -> "Model":
        """A model that stays closer to unfamiliar input shapes, if the engine can do that by using smaller patches."""
        return self

    def with_wide_search(self) -> "Model":
        """A model that searches more widely for what fits unfamiliar pictures, if the engine searches at all."""
        return self

    def for_guidance(self) -> "Model":
        """A model whose runs follow guides more readily, if the engine can do that."""
        return self

    def work(self, level: "Level", t: float) -> float:
        """Roughly how long a step of a level takes, in any unit: for progress bars."""
        return level.size[0] * level.size[1]

    def alpha(self, x0: "Float[Tensor, 'c h w']", denoiser: "Denoiser", row: int) -> "Float[Tensor, '1 h w'] | None":
        """The transparency of a finished picture, which is the denoiser's `row`th."""
        return None

    def origins(self, x0: "Float[Tensor, 'c h w']", denoiser: "Denoiser", row: int) -> "Int[Tensor, 'h w 2']":
        """Row and column in the source of each pixel of a finished picture: here, of the nearest patch."""
        from unica.patches import nearest_origins

        if not self.has_source:
            raise UnicaError("this model was saved without its source: where its pixels come from cannot be told")
        return nearest_origins(x0, self.picture.pixels)


class Checkpoint(NamedTuple):
    """What other code saved of a training, and what the user says of it."""

    path: Path
    held: Mapping[str, Any]  # what is in the file
    picture: "Picture"
    sizes: "Sequence[Size] | None"  # of the levels; None: they follow from the picture
    device: "torch.device"
    dtype: "torch.dtype"


DetailKnob = Annotated[
    str | None,
    Param(
        "What draws fine detail: the network, as published, or patches of the source (default: as it was trained for).",
        Choice("network", "patches"),
        advanced=True,
    ),
]


OrderKnob = Annotated[
    float | None,
    Param(
        "How firmly things stay at their height in the picture, sky above and ground below: 0 not at all, 1 firmly"
        " (default: as firmly as in the source).",
        Number(0, 1),
        advanced=True,
    ),
]


@dataclass(frozen=True)
class NoKnobs:
    """Nothing that a user can set."""


class Engine(ABC):
    """A way to make pictures from one picture. Instances hold no state."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for help
    offer: ClassVar[str] = ""  # one line for those who drew from a picture with another engine: what this one adds
    rank: ClassVar[int] = 100  # order in lists; the first that can do a thing is the default for it
    opens_pictures: ClassVar[bool] = False  # whether it draws from a picture as it is
    knobs: ClassVar[type] = NoKnobs  # a dataclass of declared fields: what a user can set when drawing
    training_knobs: ClassVar[type] = NoKnobs  # the same, when training
    presets: ClassVar[Mapping[str, str]] = {}  # name -> one line: how it can be trained; the first is the default
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # task -> parameter -> this engine's default

    def __str__(self) -> str:
        return self.name

    def open(
        self, image: Any, device: str = "auto", precision: str = "auto", report: Report | None = None, **knobs: Any
    ) -> Model:
        """A model of a picture (a path or a Pillow image) as it is. `report` is told how far that is."""
        name = "PICTURE" if not isinstance(image, str | Path) else str(image)
        raise UnicaError(
            f"{self.name} draws from a trained model, not from a picture:"
            f" unica train {name} --engine {self.name} makes one"
        )

    def config(self, preset: str, picture: "Picture", **knobs: Any) -> "TrainingConfig":
        """How to train on a picture, by the name of a preset and by training knobs."""
        raise NotImplementedError

    def read(self, stored: "StoredModel", device: "torch.device", dtype: "torch.dtype", **knobs: Any) -> Model:
        """The model that a file holds."""
        raise NotImplementedError

    def import_checkpoint(self, checkpoint: Checkpoint) -> Model | None:
        """A model of what the authors' own code saved; None if it is not of this engine's authors."""
        return None

    def check_knobs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The knobs that were given, checked; those of another engine are refused."""
        return checked(parameters(self.knobs), given, f"the {self.name} engine")


@cache
def engines() -> dict[str, Engine]:
    """Every installed engine by its name, in the order of their ranks."""
    found = [entry.load() for entry in entry_points(group=GROUP)]
    return {engine.name: engine for engine in sorted(found, key=lambda engine: (engine.rank, engine.name))}


def find(name: str) -> Engine:
    return engines()[one_of("engine", name, list(engines()))]


def open(
    image: Any,
    engine: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    report: Report | None = None,
    **knobs: Any,
) -> Model:
    """A model of one picture, a path or a Pillow image, ready to draw from.

    `engine` is one that draws from a picture as it is; without a name, the first of those. Some of them learn the
    picture first, and call `report` with how much of that is done. The knobs are the engine's: docs/reference.md lists
    them.
    """
    return picture_engine(engine).open(image, device, precision, report, **knobs)


def picture_engine(name: str | None = None) -> Engine:
    """The engine of this name; without one, the first that draws from a picture as it is."""
    return find(name) if name else _first([engine for engine in engines().values() if engine.opens_pictures])


def training_engine(name: str | None = None) -> Engine:
    """The engine of this name; without one, the first that is trained."""
    trained = {engine.name: engine for engine in engines().values() if engine.presets}
    if name and name not in trained:
        raise UnicaError(f"engine must be {listed(list(trained))} to be trained, not {name}")
    return trained[name] if name else _first(list(trained.values()))


def _first(able: Sequence[Engine]) -> Engine:
    if not able:
        raise UnicaError("no engine is installed; install unica with pip, so that its engines are found")
    return able[0]
