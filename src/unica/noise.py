"""Noise as a function of where it is: seed, level, step, row, column and channel give a number.

So any part of a canvas has the noise that it has in the whole, whatever was drawn before, in whatever order, by however
many processes.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt64
from torch import Tensor

_ROW, _COLUMN, _PAIR, _STEP = (np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xD1342543DE82EF95, 0xDA942042E4DD58B5,
                                                          0x2545F4914F6CDD1D))  # fmt: skip
Bits = TypeVar("Bits", np.uint64, UInt64[np.ndarray, "*b"])
_LOW = np.uint64(2**24 - 1)
_UNIT = np.float32(2.0**-24)


def normal(
    seed: int, level: int, step: int, rows: Int64[np.ndarray, " h"], columns: Int64[np.ndarray, " w"], channels: int
) -> Float[Tensor, "c h w"]:
    """Independent numbers of a standard normal distribution, for these rows and columns of a canvas."""
    with np.errstate(over="ignore"):
        run = _mixed(_mixed(np.uint64(seed)) + _STEP * np.uint64((level << 32) + step))
        of_row = _mixed(run + _ROW * rows.astype(np.uint64))[:, None]
        of_column = _COLUMN * columns.astype(np.uint64)
        out = np.empty((channels, len(rows), len(columns)), np.float32)
        for first in range(0, channels, 2):  # Box and Muller make two numbers at a time
            bits = _mixed((of_row + of_column) ^ (_PAIR * np.uint64(first)))
            # Never 0, of which there is no logarithm.
            length = np.sqrt(-2 * np.log(((bits >> np.uint64(40)).astype(np.float32) + np.float32(0.5)) * _UNIT))
            angle = (bits & _LOW).astype(np.float32) * np.float32(2 * np.pi * 2.0**-24)
            out[first] = length * np.cos(angle)
            if first + 1 < channels:
                out[first + 1] = length * np.sin(angle)
    return torch.from_numpy(out)


def _mixed(x: Bits) -> Bits:
    """Bits of which each depends on all (D. Stafford's variant 13 of the mixer of MurmurHash3)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
