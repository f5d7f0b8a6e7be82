"""The networks that some measures look through. Each may be missing: the others still run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor

from unica.errors import UnicaError
from unica.metrics import Inception, InceptionStem, Lpips, judge
from unica.weights import NotThere, find

Judge = Callable[[Float[Tensor, "1 c h w"]], float]

_Tool = TypeVar("_Tool")

_LPIPS = ("lpips_diversity", "lpips_eq9", "lpips_source")
SIFIDS = ("sifid_64", "sifid_192", "sifid_768", "sifid_2048")


@dataclass(frozen=True)
class Tools:
    lpips: Lpips | None = None
    inception: Inception | None = None
    stem: InceptionStem | None = None
    judges: dict[str, Judge] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)  # measure -> why it is not there


def load_tools(folder: Path | None = None) -> Tools:
    """All that can be had: from the folder, or else the user's cache and the network."""
    absent: dict[str, str] = {}
    judges = {name: tool for name in ("nima", "musiq") if (tool := _try(lambda n=name: judge(n), (name,), absent))}
    return Tools(
        lpips=_try(lambda: _lpips(folder), _LPIPS, absent),
        inception=_try(lambda: Inception.load(find("inception", folder)), SIFIDS, absent),
        stem=_try(lambda: InceptionStem.load(find("inception-stem-relative", folder)), ("frechet_stem",), absent),
        judges=judges,
        absent=absent,
    )


def _lpips(folder: Path | None) -> Lpips:
    try:
        return Lpips.load(find("lpips-alex", folder))
    except NotThere:
        return Lpips.from_published(find("alexnet", folder), find("lpips-alex-lin", folder))


def _try(load: Callable[[], _Tool], measures: tuple[str, ...], absent: dict[str, str]) -> _Tool | None:
    try:
        return load()
    except UnicaError as error:
        absent |= dict.fromkeys(measures, str(error))
        return None
