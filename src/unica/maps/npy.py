"""NumPy's own files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unica.errors import UnicaError
from unica.image import MOST_CHANNELS
from unica.maps.planes import Planes, check_dtype, check_length


def read(path: Path) -> Planes:
    """An array of two or three axes. Of three, the shortest is that of the channels, if it is the first or the last."""
    array = np.load(path, "r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise UnicaError("holds several arrays: save one of them as .npy.")
    check_length(array.size)
    array = check_dtype(np.array(array))
    if array.ndim == 2:
        return Planes(array[..., None], facts={"axes": "YX"})
    if array.ndim == 3 and min(array.shape) <= MOST_CHANNELS:
        if array.shape[2] <= min(array.shape):
            return Planes(array, facts={"axes": "YXC"})
        if array.shape[0] <= min(array.shape):
            return Planes(np.moveaxis(array, 0, -1), facts={"axes": "CYX"})
    shape = "x".join(map(str, array.shape))
    raise UnicaError(f"is an array of {shape}: it should be rows x columns, with channels before or after them.")


def encoded(planes: Planes, text: Mapping[str, str]) -> bytes:
    """What a file with these numbers holds. It has no room for a text."""
    values, buffer = planes.values, io.BytesIO()
    axes = planes.facts.get("axes", "YXC")
    if axes == "YX" and values.shape[2] == 1:
        values = values[..., 0]
    elif axes == "CYX":
        values = np.moveaxis(values, -1, 0)
    np.save(buffer, np.ascontiguousarray(values))
    return buffer.getvalue()
