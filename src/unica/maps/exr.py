"""OpenEXR: floats of 16 or 32 bits, in channels with names. No other file uses its library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from unica.errors import UnicaError
from unica.maps.planes import Planes, check_dtype, check_length

_FIRST = ("R", "G", "B", "A")  # channels that come first, in this order; files keep them by the alphabet


def read(path: Path) -> Planes:
    with _library().File(str(path), header_only=True) as file:
        header = file.header()
        low, high = header["dataWindow"]
        check_length(int(np.prod(high.astype(np.int64) - low + 1)) * len(header["channels"]))
    with _library().File(str(path), separate_channels=True) as file:
        if len(file.parts) != 1:
            raise UnicaError("has several parts: save the one that is meant as a file of its own.")
        found = file.channels()
        names = sorted(found, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
        planes = [np.asarray(found[name].pixels) for name in names]
        if len({(plane.shape, plane.dtype) for plane in planes}) != 1:
            raise UnicaError("has channels of different sizes or kinds of numbers.")
        return Planes(check_dtype(np.stack(planes, -1)), tuple(names))


def encoded(planes: Planes, text: Mapping[str, str]) -> bytes:
    """What a file with these numbers and this text holds."""
    library, values = _library(), planes.values
    names = planes.names or (("Y",) if values.shape[2] == 1 else tuple(f"C{n:02}" for n in range(values.shape[2])))
    header = {
        "compression": library.ZIP_COMPRESSION, "type": library.scanlineimage,
        **{f"unica:{key}": value for key, value in text.items()},
    }  # fmt: skip
    channels = {name: np.ascontiguousarray(values[..., index]) for index, name in enumerate(names)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.exr"
        with library.File(header, channels) as file:
            file.write(str(path))
        return path.read_bytes()


def read_text(path: Path) -> dict[str, str]:
    with _library().File(str(path), header_only=True) as file:
        said = {key: value for key, value in file.header().items() if key.startswith("unica:")}
    return {key.removeprefix("unica:"): value for key, value in said.items()}


def _library() -> Any:
    try:
        import OpenEXR
    except ImportError:
        raise UnicaError("needs OpenEXR to be read or written: pip install 'unica[maps]'") from None
    return OpenEXR
