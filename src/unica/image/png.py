"""PNG files: their chunks, and their pixels some rows at a time, so that a huge picture takes little memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _COLOUR, _PALETTE, _GRAY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_CHANNELS = {_GRAY: 1, _COLOUR: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _COLOUR_ALPHA: 4}
KIND_OF = {1: _GRAY, 2: _GRAY_ALPHA, 3: _COLOUR, 4: _COLOUR_ALPHA}  # by the number of channels
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_BLOCK = 2**20  # bytes that are read at a time
_STRIP = 2**22  # bytes of the rows that are decoded at a time

Rows = np.ndarray  # (rows, bytes)
Levels = np.ndarray  # (height, width, channels), from 0 to 65535


class Header(NamedTuple):
    """What a PNG's first chunk says."""

    width: int
    height: int
    depth: int  # bits of a level
    kind: int  # of colours
    compression: int = 0
    filters: int = 0
    interlaced: int = 0

    @property
    def channels(self) -> int:
        return _CHANNELS[self.kind]

    def packed(self) -> bytes:
        return struct.pack(">IIBBBBB", *self)


def header(file: BinaryIO) -> Header:
    _, content = next(chunks(file))
    return Header._make(struct.unpack(">IIBBBBB", content))


def chunks(file: BinaryIO, wanted: Collection[bytes] = ()) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of a PNG's chunks. If some are wanted, only their contents are read."""
    for name, length in _places(file):
        yield name, file.read(length) if not wanted or name in wanted else b""


def png(head: Header, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG with this header and these compressed pixels."""
    parts = ((b"IHDR", head.packed()), *more, (b"IDAT", data), (b"IEND", b""))
    sums = (name + content + struct.pack(">I", zlib.crc32(name + content)) for name, content in parts)
    return SIGNATURE + b"".join(struct.pack(">I", len(part) - 8) + part for part in sums)


def has_strips(image: Image.Image, file: BinaryIO) -> bool:
    """Whether an opened image can be decoded by `strips`."""
    return image.format == "PNG" and not header(file).interlaced


def strips(file: BinaryIO) -> Iterator[Image.Image]:
    """The picture of a file, from top to bottom, as images of some rows each."""
    head = header(file)
    names = (b"PLTE", b"tRNS")  # the colours of a palette, and what is transparent
    more = [(name, content) for name, content in chunks(file, names) if name in names]
    for rows in _rows(_Inflated(file), head):
        yield _decoded(rows, head._replace(height=len(rows)), *more)


def deep_strips(file: BinaryIO) -> Iterator[Levels]:
    """The same for a file of 16 bits, as levels; the picture of an interlaced file comes as a whole.

    One colour that is transparent becomes a channel of alpha.
    """
    head, data = header(file), _Inflated(file)
    clear = next((content for name, content in chunks(file, (b"tRNS",)) if name == b"tRNS"), b"")
    if head.interlaced:
        whole = np.zeros((head.height, head.width, head.channels), np.uint16)
        for y, x, dy, dx in _PASSES:
            part, top = whole[y::dy, x::dx], 0
            for rows in _rows(data, head._replace(width=part.shape[1], height=part.shape[0])) if part.size else ():
                part[top : top + len(rows)] = _levels(rows, head.channels)
                top += len(rows)
        found = iter([whole])
    else:
        found = (_levels(rows, head.channels) for rows in _rows(data, head))
    for levels in found:
        if clear:
            opaque = (levels != np.frombuffer(clear, ">u2")[: head.channels]).any(-1, keepdims=True)
            levels = np.concatenate([levels, opaque * np.uint16(65535)], axis=-1)
        yield levels


def _places(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Names and lengths of a PNG's chunks. The file stands at the content of each."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        end = file.tell() + length + 4  # with the checksum
        yield name, length
        file.seek(end)


class _Inflated:
    """The bytes of all rows, decompressed as they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._blocks, self._inflate = self._compressed(file), zlib.decompressobj()
        self._rest = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            block = self._inflate.unconsumed_tail or next(self._blocks, b"")
            more = self._inflate.decompress(block, size) if block else self._inflate.flush()
            if not block and not more:
                raise OSError("image file is truncated")
            self._rest += more
        found = bytes(self._rest[:size])
        del self._rest[:size]
        return found

    @staticmethod
    def _compressed(file: BinaryIO) -> Iterator[bytes]:
        for name, length in _places(file):
            here = file.tell()
            for start in range(0, length if name == b"IDAT" else 0, _BLOCK):
                file.seek(here + start)
                yield file.read(min(_BLOCK, length - start))


def _rows(data: _Inflated, head: Header) -> Iterator[Rows]:
    """The rows of a picture without their filters, some at a time."""
    length = -(-head.width * head.channels * head.depth // 8)
    most, above = max(1, _STRIP // length), np.zeros(length, np.uint8)
    for top in range(0, head.height, most):
        count = min(most, head.height - top)
        filtered = np.frombuffer(data.read(count * (1 + length)), np.uint8).reshape(count, 1 + length)
        rows = _unfiltered(filtered, above, head)
        above = rows[-1]
        yield rows


def _unfiltered(filtered: Rows, above: np.ndarray, head: Header) -> Rows:
    """Undo the filters of rows. Each row begins with the number of its filter, and builds on the one above.

    Pillow does that, on pictures that are made for it. Filters count bytes of a pixel and never mix the higher with the
    lower bytes of 16 bits. So bytes are taken for pixels of 8 bits, and higher and lower ones for a picture each.
    """
    channels, parts = (head.channels, 2) if head.depth == 16 else (head.channels if head.depth == 8 else 1, 1)
    rows = np.empty((len(filtered), filtered.shape[1] - 1), np.uint8)
    for part in range(parts):
        first = np.concatenate([[np.uint8(0)], above[part::parts]])[None]
        block = np.concatenate([first, np.hstack([filtered[:, :1], filtered[:, 1 + part :: parts]])])
        shallow = Header((block.shape[1] - 1) // channels, len(block), 8, KIND_OF[channels])
        rows[:, part::parts] = np.asarray(_opened(block, shallow)).reshape(len(block), -1)[1:]
    return rows


def _decoded(rows: Rows, head: Header, *more: tuple[bytes, bytes]) -> Image.Image:
    return _opened(np.hstack([np.zeros((len(rows), 1), np.uint8), rows]), head, *more)


def _opened(filtered: Rows, head: Header, *more: tuple[bytes, bytes]) -> Image.Image:
    image = PngImageFile(BytesIO(png(head, zlib.compress(filtered.tobytes(), 0), *more)))
    image.load()
    return image


def _levels(rows: Rows, channels: int) -> Levels:
    return rows.view(">u2").astype(np.uint16).reshape(len(rows), -1, channels)
