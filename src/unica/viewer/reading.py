"""A picture of any file as bytes. A plain PNG is read some rows at a time, so a large one takes no more memory than its
pixels."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from unica.errors import UnicaError

_NOT_PLAIN = {b"iCCP", b"eXIf", b"tRNS", b"PLTE"}  # chunks that change what pixels mean, or which way is up
_DAMAGED = (OSError, ValueError, StopIteration, SyntaxError, struct.error, zlib.error)


def read_pixels(path: Path) -> np.ndarray:
    """Height, width and channels of gray or RGB, with or without alpha; uint8."""
    from unica.image import load, to_array

    with suppress(*_DAMAGED):
        pixels = _plain_png(path)
        if pixels is not None:
            return pixels
    picture = load(path, smallest=1)  # which also says what is wrong with a damaged file
    return eight_bits(to_array(picture.pixels, picture.alpha, picture.bits))


def eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Pixels of 16 bits, rounded to 8."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def _plain_png(path: Path) -> np.ndarray | None:
    """The pixels of a PNG of 8 or 16 bits that needs no conversion; None for everything else."""
    from unica.image.picture import LARGEST
    from unica.image.png import SIGNATURE, chunks, deep_strips, header, strips

    with open(path, "rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return None
        head = header(file)
        if head.depth < 8 or head.interlaced or {name for name, _ in chunks(file, _NOT_PLAIN)} & _NOT_PLAIN:
            return None
        if head.width * head.height > LARGEST:
            raise UnicaError(
                f"{path} has {head.width}x{head.height} pixels, more than the {LARGEST:,} that can be read"
            )
        pixels, top = np.empty((head.height, head.width, head.channels), np.uint8), 0
        for rows in deep_strips(file) if head.depth == 16 else map(np.asarray, strips(file)):
            pixels[top : top + len(rows)] = eight_bits(rows).reshape(len(rows), head.width, head.channels)
            top += len(rows)
        return pixels
