"""Text inside picture files, by key."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from unica.image.png import KIND_OF, Header, chunks, png

_DESCRIPTION = 0x010E  # the EXIF tag
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_DOT = Header(1, 1, 8, KIND_OF[1])  # a PNG of one gray pixel


def text_options(format: str, text: Mapping[str, str]) -> dict[str, Any]:
    """The options that make Pillow write a text. PNG has a chunk for each key; other formats get one JSON text."""
    # A file name that is not UTF-8 reaches Python with lone surrogates, which no text chunk can hold.
    text = {key: value.encode("utf-8", "replace").decode() for key, value in text.items()}
    if format == "PNG":
        chunks = PngInfo()
        for key, value in text.items():
            chunks.add_text(key, value)
        return {"pnginfo": chunks}
    if format == "GIF":
        return {"comment": json.dumps(text).encode()}
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps(text)
    return {"exif": exif}


def text_of(image: ImageFile.ImageFile, file: BinaryIO) -> dict[str, str]:
    """The text that `text_options` wrote into an opened file; empty if there is none. No pixels are decoded."""
    if image.format == "PNG":
        texts = [(name, content) for name, content in chunks(file, _TEXTS) if name in _TEXTS]
        dot: Any = Image.open(io.BytesIO(png(_DOT, zlib.compress(b"\0\0"), *texts)))
        text = dot.text
    else:
        try:
            text = json.loads(image.info.get("comment") or image.getexif().get(_DESCRIPTION) or "{}")
        except ValueError:  # a comment that another program wrote
            text = {}
    return {key: str(value) for key, value in text.items()} if isinstance(text, dict) else {}
