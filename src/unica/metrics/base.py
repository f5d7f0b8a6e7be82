"""What a measure is, and the list of all measures.

A measure is declared once, beside its formula, in a module of this package:

    @measure("coherence", "fidelity", "lower", "coherence: output in source", formula="...")
    def _coherence(sample: Sample) -> float:
        return mean_patch_distance(sample.pixels, sample.source.pixels)

Nothing else is edited: the protocol, the tables, the report and the documentation read this list.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from jaxtyping import Float, Int
from torch import Tensor

from unica.patches import nearest_origins
from unica.weights import Weight

Image = Float[Tensor, "1 3 h w"]  # in [-1, 1]
Family = Literal["diversity", "fidelity", "quality", "honesty"]  # in the order of the table
Better = Literal["higher", "lower", "near 1", ""]  # "": the number only explains the others

_T = TypeVar("_T")
_Function = TypeVar("_Function", bound=Callable[..., float])


# What a measure looks at


class _Shared:
    """Results that several measures need are computed once."""

    def __init__(self) -> None:
        self._results: dict[Any, Any] = {}

    def once(self, compute: Callable[..., _T], *arguments: Any) -> _T:
        """`compute(self, *arguments)`. A second call with the same function and arguments returns the first result."""
        key = (compute, *arguments)
        if key not in self._results:
            self._results[key] = compute(self, *arguments)
        return self._results[key]


class Source(_Shared):
    """The one picture that samples were made from."""

    def __init__(self, pixels: Image) -> None:
        super().__init__()
        self.pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[-2], self.pixels.shape[-1]


class Sample(_Shared):
    """One picture, and the source it was made from."""

    def __init__(self, pixels: Image, source: Source) -> None:
        super().__init__()
        self.pixels = pixels
        self.source = source

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    @cached_property
    def origins(self) -> Int[Tensor, "h w 2"]:
        """For each pixel, the row and column in the source of the nearest patch."""
        return nearest_origins(self.pixels[0], self.source.pixels[0])


class SampleSet(_Shared):
    """All samples of one source. Each pass over `images` reads the files again, so that one picture is in memory."""

    def __init__(self, images: Iterable[Image], source: Source) -> None:
        super().__init__()
        self.images = images
        self.source = source

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each sample."""
        return [(image.shape[-2], image.shape[-1]) for image in self.images]

    def __len__(self) -> int:
        return len(self.sizes)


# What a measure needs


class Need(NamedTuple):
    """A condition on the sample (or on the set). A measure whose condition fails is absent, and `why` is the reason."""

    why: str
    met: Callable[[Any], bool]


def sample_side(pixels: int) -> Need:
    """Both sides of the sample have at least this many pixels."""
    return Need(f"it needs {pixels} pixels a side", lambda sample: min(sample.size) >= pixels)


def every_side(pixels: int) -> Need:
    """Both sides of the sample and of the source have at least this many pixels."""
    return Need(f"it needs {pixels} pixels a side", lambda sample: min(*sample.size, *sample.source.size) >= pixels)


def at_least(count: int) -> Need:
    """The set has at least this many samples."""
    number = {2: "two", 3: "three"}.get(count, str(count))
    return Need(f"it needs {number} samples or more", lambda samples: len(samples) >= count)


SIZE_OF_SOURCE = Need(
    "it compares pixel with pixel, and samples have another size than the source",
    lambda sample: sample.size == sample.source.size,
)
ONE_SIZE = Need(
    "it compares pixel with pixel, and the samples have several sizes", lambda samples: len(set(samples.sizes)) == 1
)


@dataclass(frozen=True)
class Network:
    """A pretrained network that measures look through.

    `load` gets the folder of weights (None: the user's cache, where missing files are downloaded), and raises a
    `UnicaError` if the network cannot be had. `weights` are the files that it may read.
    """

    load: Callable[[Path | None], Any]
    weights: tuple[Weight, ...] = ()


# The list


@dataclass(frozen=True)
class Measure:
    """A row of the table. `function` gets a `Sample` or a `SampleSet`, and the network if there is one."""

    name: str
    family: Family
    better: Better
    title: str
    formula: str  # Markdown, for the documentation
    function: Callable[..., float]
    of: Literal["sample", "set"] = "sample"
    network: Network | None = None
    needs: tuple[Need, ...] = ()
    captioned: bool = False  # whether the report writes it under each picture
    outliers: bool = False  # whether the table shows how much of the sum the worst tenth of the samples makes up


registry: dict[str, Measure] = {}


def measure(
    name: str,
    family: Family,
    better: Better,
    title: str,
    formula: str,
    of: Literal["sample", "set"] = "sample",
    network: Network | None = None,
    needs: tuple[Need, ...] = (),
    captioned: bool = False,
    outliers: bool = False,
) -> Callable[[_Function], _Function]:
    """A decorator that adds a function to the list of measures. The parameters are those of `Measure`."""

    def add(function: _Function) -> _Function:
        if name in registry:
            raise ValueError(f"there are two measures called {name}")
        registry[name] = Measure(
            name, family, better, title, formula, function, of, network, needs, captioned, outliers
        )
        return function

    return add


def measures() -> tuple[Measure, ...]:
    """Every measure, by family, then by module, then in the order of the module."""
    _import_modules()
    families = get_args(Family)
    return tuple(sorted(registry.values(), key=lambda m: (families.index(m.family), m.function.__module__)))


@cache
def _import_modules() -> None:
    """Import every module of this package, so that each declares its measures."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
        import_module(module.name)
