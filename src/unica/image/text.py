"""Text inside picture files, by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_DESCRIPTION = 0x010E  # the EXIF tag


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


def text_of(image: Image.Image) -> dict[str, str]:
    """The text that `text_options` wrote into an opened file; empty if there is none."""
    text = getattr(image, "text", None)
    if text is None:
        try:
            text = json.loads(image.info.get("comment") or image.getexif().get(_DESCRIPTION) or "{}")
        except ValueError:  # a comment that another program wrote
            text = {}
    return {key: str(value) for key, value in text.items()} if isinstance(text, dict) else {}
