"""The numbers of a file, as they are in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unica.errors import UnicaError

_MOST = 2**28  # numbers in a file
DTYPES = ("uint8", "uint16", "int16", "float16", "float32")


@dataclass(frozen=True)
class Planes:
    """Numbers of some channels, and what else is to be written again with them."""

    values: np.ndarray  # h x w x channels
    names: tuple[str, ...] = ()  # of the channels; empty where the file names none
    facts: Mapping[str, Any] = field(default_factory=dict)  # as JSON has them

    def layer(self, channels: Sequence[int]) -> Planes:
        """Some of the channels, which know their places."""
        names = tuple(self.names[channel] for channel in channels)
        facts = {key: value for key, value in self.facts.items() if key not in ("colour", "alpha")}
        return Planes(self.values[..., list(channels)], names, {**facts, "layer": list(channels)})


def check_length(count: int) -> None:
    """Refuse numbers that are too many, before they are read."""
    if count > _MOST:
        raise UnicaError(f"has {count:,} numbers, more than the {_MOST:,} that can be read.")


def check_dtype(values: np.ndarray) -> np.ndarray:
    """The numbers in the byte order of this machine; those of a kind that is not handled are refused."""
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype.name not in DTYPES:
        raise UnicaError(
            f"has numbers of the kind {values.dtype.name}: save it with 8 or 16 bits, or as 32-bit floats."
        )
    return values
