"""NIMA and MUSIQ, two networks that rate a picture by itself. They come from pyiqa, which needs torchvision."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from unica.errors import UnicaError, reason
from unica.metrics.base import Network, Sample, measure

Rating = Callable[[Float[Tensor, "1 c h w"]], float]

TITLES = {"nima": "NIMA", "musiq": "MUSIQ"}


def pyiqa_metric(name: Literal["nima", "musiq"]) -> Rating:
    """A function from a picture to its rating; higher is better.

    "NIMA: Neural Image Assessment" (Talebi & Milanfar 2018), "MUSIQ" (Ke et al., ICCV 2021).
    """
    try:
        create_metric = import_module("pyiqa").create_metric
    except Exception as error:  # a torchvision that does not fit torch raises errors of many types
        raise UnicaError(f"it needs pyiqa and torchvision, which cannot be imported ({reason(error)})") from None
    try:
        network = create_metric(name, device="cpu")
    except Exception as error:
        raise UnicaError(f"pyiqa cannot load {name} ({reason(error)})") from None
    return lambda image: float(network((image.expand(-1, 3, -1, -1) + 1) / 2))


def _declare(name: Literal["nima", "musiq"]) -> None:
    def load(folder: Path | None) -> Rating:
        return pyiqa_metric(name)

    def rate(sample: Sample, rating: Rating) -> float:
        return rating(sample.pixels)

    formula = 'as pyiqa computes it; needs `pip install "unica[metrics]"` and torchvision'
    measure(name, "quality", "higher", TITLES[name], formula, network=Network(load))(rate)


_declare("nima")
_declare("musiq")
