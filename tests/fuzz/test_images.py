"""Image files of any content are read, or are refused in a sentence."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conftest import scenery
from fuzz.crafted import Draw, changed_bytes, works_or_is_refused
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features
from test_deep import as_png, as_tiff, smooth

from unica.image import load, read_header, read_text, to_pil

FORMATS = ["PNG", "JPEG", "TIFF", "GIF", "BMP", "PPM", "deep PNG", "interlaced PNG", "deep TIFF", "packed TIFF"]
FORMATS += [
    name for name, library in (("WEBP", "webp"), ("JPEG2000", "jpg_2000"), ("AVIF", "avif")) if features.check(library)
]


@cache
def valid(name: str) -> bytes:
    if name == "deep PNG":
        return as_png(smooth(4))
    if name == "interlaced PNG":
        return as_png(smooth(3), True)
    if name.endswith(" TIFF"):
        return as_tiff(smooth(3), *((1, 1) if name.startswith("deep") else (8, 2)), "<")
    buffer = io.BytesIO()
    to_pil(scenery(36, 40)).save(buffer, name)
    return buffer.getvalue()


def crafted(draw: Draw, original: bytes) -> bytes:
    """Changed bytes; some of a PNG's have a size that their header makes up."""
    data = changed_bytes(draw, original)
    if data[:4] == b"\x89PNG" and draw(st.booleans()):
        width, height = (draw(st.sampled_from((0, 1, 33, 15_800, 2**31 - 1, 2**32 - 1))) for _ in range(2))
        data = data[:16] + struct.pack(">II", width, height) + data[24:]
    return data


def read(path: Path) -> None:
    """Reads all there is to read."""
    with works_or_is_refused():
        picture = load(path, max_side=64)
        assert picture.pixels.isfinite().all() and max(picture.size) <= 64
        assert picture.pixels.abs().max() <= 1
        if picture.alpha is not None:
            assert picture.alpha.min() >= 0 and picture.alpha.max() <= 1
    for one in (read_header, read_text):
        with works_or_is_refused():
            one(path)


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged metadata
@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_any_bytes_are_read_or_refused(name: str, tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "crafted.img"
    path.write_bytes(crafted(data.draw, valid(name)))
    read(path)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_changed_was_readable(name: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(valid(name))
    header, picture = read_header(tmp_path / "x"), load(tmp_path / "x")
    assert header.size == picture.size and header.bits == picture.bits and header.channels == len(picture.pixels)
    Image.open(tmp_path / "x").load()
