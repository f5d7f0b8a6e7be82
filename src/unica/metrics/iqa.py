"""NIMA and MUSIQ, by pyiqa where it can be imported (it needs torchvision, which unica does not)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from unica.errors import UnicaError


def judge(name: Literal["nima", "musiq"]) -> Callable[[Float[Tensor, "1 c h w"]], float]:
    """ "NIMA: Neural Image Assessment" (Talebi & Milanfar 2018), "MUSIQ" (Ke et al., ICCV 2021): higher is better."""
    try:
        create_metric = import_module("pyiqa").create_metric
    except Exception as error:  # a torchvision that does not fit torch raises all sorts of things
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UnicaError(f"it needs pyiqa and torchvision, which do not import here ({reason})") from None
    try:
        network = create_metric(name, device="cpu")
    except Exception as error:
        raise UnicaError(f"pyiqa cannot load {name} ({str(error).splitlines()[0]})") from None
    return lambda image: float(network((image.expand(-1, 3, -1, -1) + 1) / 2))
