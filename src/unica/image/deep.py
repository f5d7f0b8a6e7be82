"""16-bit images, of which Pillow would keep 8 bits: PNGs, and TIFFs in colour."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import ImageFile

from unica.errors import UnicaError
from unica.image.png import Levels, deep_strips, header

_BITS, _COMPRESSION, _STRIPS, _SAMPLES, _LENGTHS = 258, 259, 273, 277, 279  # TIFF's tags
_ORIENTATION, _PLANES, _PREDICTOR, _TILES, _EXTRA, _FORMAT = 274, 284, 317, 324, 338, 339
_RAW, _DEFLATE = (1,), (8, 32946)


def deep_channels(image: ImageFile.ImageFile, file: BinaryIO) -> int | None:
    """The number of channels of an opened image of 16 bits, by its header; None for one of 8 bits."""
    if image.format == "PNG":
        head = header(file)
        return head.channels if head.depth == 16 else None
    tags: Any = getattr(image, "tag_v2", {})
    if 16 in tags.get(_BITS, ()):
        return tags.get(_SAMPLES, 1)
    return 1 if image.mode.startswith("I") else None


def deep_levels(image: ImageFile.ImageFile, file: BinaryIO) -> Iterator[Levels] | None:
    """The pixels of an opened image that has more bits than Pillow would keep, from top to bottom; None for others."""
    if image.format == "PNG":
        return deep_strips(file) if header(file).depth == 16 else None
    if image.format == "TIFF":
        tags: Any = image.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
        levels = _tiff(tags, image.size, file)
        return None if levels is None else iter([levels])
    return None


def _tiff(tags: Any, size: tuple[int, int], file: BinaryIO) -> Levels | None:
    bits, channels, extra = set(tags.get(_BITS, (1,))), tags.get(_SAMPLES, 1), tags.get(_EXTRA, ())
    if max(bits) > 16 or set(tags.get(_FORMAT, (1,))) - {1, 4}:
        raise UnicaError("has pixels of more than 16 bits or with a sign: save it with 8 or 16 bits.")
    if bits != {16} or channels == 1:
        return None
    compression = tags.get(_COMPRESSION, 1)
    plain = tags.get(_PLANES, 1) == 1 and _TILES not in tags and tags.get(_PREDICTOR, 1) in (1, 2)
    if not plain or compression not in (*_RAW, *_DEFLATE) or channels > 4 or len(extra) != (channels + 1) % 2:
        raise UnicaError("has 16-bit pixels in a form that cannot be read: save it as a PNG.")
    (width, height), parts = size, []
    most = 2 * width * height * channels
    for offset, length in zip(tags[_STRIPS], tags[_LENGTHS], strict=True):
        file.seek(offset)
        part = file.read(length)
        parts.append(part if compression in _RAW else zlib.decompressobj().decompress(part, most))
    data = np.frombuffer(b"".join(parts), ">u2" if tags.prefix == b"MM" else "<u2", width * height * channels)
    levels = data.astype(np.uint16).reshape(height, width, channels)
    if tags.get(_PREDICTOR, 1) == 2:
        levels = np.cumsum(levels, axis=1, dtype=np.uint16)
    if extra == (1,):  # colours are multiplied by alpha
        alpha = levels[..., -1:].astype(np.float64) / 65535
        colours = (levels[..., :-1] / np.maximum(alpha, 1 / 65535)).clip(0, 65535).round()
        levels = np.concatenate([colours.astype(np.uint16), levels[..., -1:]], axis=-1)
    return levels
