"""Files of numbers: reading them, and writing them in the same form again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from unica.errors import UnicaError, as_path, listed, reason
from unica.image import SUFFIXES, Header, levels_png_bytes, read_levels
from unica.image import read_header as read_picture_header
from unica.image import read_text as read_picture_text
from unica.image.reading import reading
from unica.maps import exr, npy, tiff
from unica.maps.planes import Planes


class _Format(NamedTuple):
    read: Callable[[Path], Planes]
    encoded: Callable[[Planes, Mapping[str, str]], bytes]


_FORMATS = {
    ".npy": _Format(npy.read, npy.encoded),
    ".exr": _Format(exr.read, exr.encoded),
    ".tif": _Format(tiff.read, tiff.encoded),
    ".tiff": _Format(tiff.read, tiff.encoded),
}
MAP_SUFFIXES = (*SUFFIXES, ".npy", ".exr")
WRITTEN = (".png", *_FORMATS)  # endings of the files that are written


def is_ordinary(path: str | os.PathLike[str]) -> bool:
    """Whether a file is an ordinary picture: gray or sRGB of 8 or 16 bits."""
    path = as_path("a picture", path)
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        with reading(str(path)):
            try:
                return tiff.is_ordinary(path)
            except UnicaError:  # without tifffile, Pillow says what it cannot read
                return True
            except Exception:  # damaged: the reader of pictures has a sentence for it
                return True
    return suffix not in _FORMATS


def read_planes(path: str | os.PathLike[str]) -> Planes:
    """The numbers of a file, of any kind that is known."""
    path = as_path("a map", path)
    with reading(str(path)):
        if not path.is_file():
            raise UnicaError("does not exist." if not path.exists() else "is not a file.")
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        values, palette = read_levels(path)
        return Planes(values, facts={} if palette is None else {"palette": palette.hex()})
    with reading(str(path)):
        planes = form.read(path)
        if min(planes.values.shape[:2]) < 1:
            raise UnicaError("is empty.")
        return planes


def encoded(suffix: str, planes: Planes, text: Mapping[str, str]) -> bytes:
    """What a file of this ending with these numbers and this text holds."""
    values = planes.values
    check_form(suffix, values.shape[2], values.dtype.name)
    if suffix in _FORMATS:
        try:
            return _FORMATS[suffix].encoded(planes, text)
        except (TypeError, ValueError, LookupError) as error:  # of what a model's file says that its source had
            raise UnicaError(f"a {suffix} cannot be written as its source was: {reason(error)}") from error
    palette = planes.facts.get("palette")
    return levels_png_bytes(values, None if palette is None else bytes.fromhex(str(palette)), text)


def check_form(suffix: str, channels: int, dtype: str) -> None:
    """Refuse an ending whose files cannot hold so many channels of such numbers."""
    real = dtype.startswith("float")
    able = {".exr": real, ".png": channels <= 4 and dtype in ("uint8", "uint16")}
    if not able.get(suffix, suffix in _FORMATS):
        others = listed([ending for ending in (".png", ".tif", ".npy", ".exr") if able.get(ending, True)])
        raise UnicaError(f"a file {suffix} cannot hold {channels} channels of {dtype}: name one of {others}")


def read_text(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text that was saved with a picture or a map, by key; empty if there is none."""
    path = as_path("a picture", path)
    if path.suffix.lower() == ".npy":
        return {}
    if path.suffix.lower() == ".exr":
        with reading(str(path)):
            return exr.read_text(path)
    if path.suffix.lower() in (".tif", ".tiff"):
        with suppress(Exception):  # the reader of pictures says what is wrong with it
            if said := tiff.read_text(path):
                return said
    return read_picture_text(path)


def read_header(path: str | os.PathLike[str]) -> Header:
    """What a file says of its picture. Of one with floats, these are 16 or 32 bits."""
    if is_ordinary(path):
        return read_picture_header(path)
    path = as_path("a picture", path)
    planes = read_planes(path)
    height, width, channels = planes.values.shape
    alpha = bool(planes.facts.get("alpha")) or planes.names[-1:] == ("A",)
    digest = sha256(path.read_bytes()).hexdigest()
    return Header((width, height), channels - alpha, 8 * planes.values.itemsize, alpha, digest)
