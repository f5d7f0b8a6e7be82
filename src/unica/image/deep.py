"""16-bit images that Pillow would read with 8 bits: PNGs with colour or transparency, and TIFFs in colour."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from unica.errors import UnicaError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # of each of PNG's colour types with 16 bits: gray, RGB, gray and alpha, RGBA
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_BITS, _COMPRESSION, _STRIPS, _SAMPLES, _LENGTHS = 258, 259, 273, 277, 279  # TIFF's tags
_ORIENTATION, _PLANES, _PREDICTOR, _TILES, _EXTRA, _FORMAT = 274, 284, 317, 324, 338, 339
_RAW, _DEFLATE = (1,), (8, 32946)

Levels = np.ndarray  # (height, width, channels), from 0 to 65535


def deep_channels(image: ImageFile.ImageFile, file: BinaryIO) -> int | None:
    """The number of channels of an opened image of 16 bits, by its header; None for one of 8 bits."""
    if image.format == "PNG":
        _, head = next(chunks(file))
        return _CHANNELS.get(head[9]) if head[8] == 16 else None
    tags: Any = getattr(image, "tag_v2", {})
    if 16 in tags.get(_BITS, ()):
        return tags.get(_SAMPLES, 1)
    return 1 if image.mode.startswith("I") else None


def deep_levels(image: ImageFile.ImageFile, file: BinaryIO) -> Levels | None:
    """The pixels of an opened image that has more bits than Pillow would keep; None for all others."""
    if image.format == "PNG":
        return _png(file)
    if image.format == "TIFF":
        tags: Any = image.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
        return _tiff(tags, image.size, file)
    return None


def chunks(file: BinaryIO, wanted: Collection[bytes] = ()) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of a PNG's chunks. If some are wanted, only their contents are read."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        end = file.tell() + length + 4  # with the checksum
        yield name, file.read(length) if not wanted or name in wanted else b""
        file.seek(end)


def png(head: bytes, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG with this header and these pixels."""
    parts = ((b"IHDR", head), *more, (b"IDAT", data), (b"IEND", b""))
    sums = (name + content + struct.pack(">I", zlib.crc32(name + content)) for name, content in parts)
    return SIGNATURE + b"".join(struct.pack(">I", len(part) - 8) + part for part in sums)


def _png(file: BinaryIO) -> Levels | None:
    here = file.tell()
    _, head = next(chunks(file))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    data, clear = [], b""
    for name, content in chunks(file) if depth == 16 else ():
        clear = content if name == b"tRNS" else clear
        data += [content] if name == b"IDAT" else []
    if depth != 16 or (colour == 0 and not clear):  # Pillow keeps all bits of gray
        file.seek(here)
        return None
    channels = _CHANNELS[colour]
    rows = _rows(width, height, 2 * channels) if interlaced else [(height, 1 + 2 * channels * width)]
    raw = zlib.decompressobj().decompress(b"".join(data), sum(count * length for count, length in rows))
    high, low = (_half(head, raw, rows, part).astype(np.uint16) for part in (0, 1))
    levels = (high << 8 | low).reshape(height, width, channels)
    if not clear:
        return levels
    opaque = (levels != np.frombuffer(clear, ">u2")[:channels]).any(-1, keepdims=True) * np.uint16(65535)
    return np.concatenate([levels, opaque], axis=-1)


def _half(head: bytes, raw: bytes, rows: list[tuple[int, int]], part: int) -> np.ndarray:
    """The higher (0) or lower (1) bytes of all pixels.

    PNG's filters never mix the two. So each half of the filtered bytes is a filtered picture of 8 bits, and Pillow can
    undo the filters.
    """
    data, start = [], 0
    for count, length in rows:
        block = np.frombuffer(raw, np.uint8, count * length, start).reshape(count, length)
        data.append(np.hstack([block[:, :1], block[:, 1 + part :: 2]]).tobytes())
        start += count * length
    shallow = head[:8] + b"\x08" + head[9:13]
    return np.asarray(Image.open(io.BytesIO(png(shallow, zlib.compress(b"".join(data), 1)))))


def _rows(width: int, height: int, pixel: int) -> list[tuple[int, int]]:
    """How many rows of how many bytes each pass of an interlaced PNG has."""
    sizes = ((-(-(height - y) // dy), -(-(width - x) // dx)) for y, x, dy, dx in _PASSES)
    return [(rows, 1 + columns * pixel) for rows, columns in sizes if rows > 0 and columns > 0]


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
