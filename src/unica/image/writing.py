"""Pictures as files: PNG, 16-bit PNG, animations and data URIs. A failed write leaves no file."""

from __future__ import annotations

import base64
import io
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from unica.errors import UnicaError, listed, reason
from unica.files import whole_file
from unica.image.convert import to_pil
from unica.image.png import KIND_OF, Header, png
from unica.image.text import text_options

ANIMATED = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
_OPTIONS: dict[str, dict[str, Any]] = {"GIF": {"disposal": 2}, "WEBP": {"quality": 90, "method": 4}, "PNG": {}}


def save_png(image: Image.Image, path: str | os.PathLike[str], text: Mapping[str, str] = {}) -> None:
    """Write a PNG with its text chunks, in their order: the whole file or none of it."""
    with _writing(Path(path)) as file:
        file.write(png_bytes(image, text))


def save_animation(
    images: Sequence[Image.Image], path: str | os.PathLike[str], fps: float = 12, text: Mapping[str, str] = {}
) -> None:
    """Write an endless animation with its text: GIF, WebP or PNG, by the name's suffix."""
    path = Path(path)
    if path.suffix.lower() not in ANIMATED:
        raise UnicaError(f"{path} must end in {listed(list(ANIMATED))} to be an animation")
    with _writing(path) as file:
        file.write(animation_bytes(images, path.suffix.lower(), fps, text))


def png_bytes(image: Image.Image, text: Mapping[str, str] = {}) -> bytes:
    """What a PNG file with this picture and these text chunks holds."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **text_options("PNG", text))
    return buffer.getvalue()


def animation_bytes(images: Sequence[Image.Image], suffix: str, fps: float, text: Mapping[str, str] = {}) -> bytes:
    """What a file with this animation and text holds."""
    format, (first, *rest), buffer = ANIMATED[suffix], images, io.BytesIO()
    options = {**_OPTIONS[format], **text_options(format, text), "duration": round(1000 / fps), "loop": 0}
    first.save(buffer, format, save_all=True, append_images=rest, **options)
    return buffer.getvalue()


def picture_bytes(
    pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None, bits: int, text: Mapping[str, str] = {}
) -> bytes:
    """What a PNG file with these pixels in [-1, 1], with 8 or 16 bits, holds."""
    if bits == 8:
        return png_bytes(to_pil(pixels, alpha), text)
    shares = (pixels.detach().cpu().float() + 1) / 2
    planes = shares if alpha is None else torch.cat([shares, alpha.detach().cpu().float()])
    return png16_bytes((planes.clamp(0, 1) * 65535).round().int(), text)


def png16_bytes(planes: Int[Tensor, "c h w"], text: Mapping[str, str] = {}) -> bytes:
    """What a PNG with 16 bits per channel holds, of whole numbers from 0 to 65535. Pillow writes only gray ones.

    One channel is gray, and three are RGB; two and four have alpha as well.
    """
    pixels = planes.permute(1, 2, 0).numpy().astype(">u2")
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: the row is stored without a filter
    texts = [(name, content) for name, content, *_ in text_options("PNG", text)["pnginfo"].chunks]
    return png(Header(width, height, 16, KIND_OF[channels]), zlib.compress(rows), *texts)


def data_uri(image: Image.Image, longest: int) -> str:
    """The picture as a `data:` address for a web page; no side is longer than `longest`."""
    small = image.copy()
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return "data:image/png;base64," + base64.b64encode(png_bytes(small)).decode()


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {reason(error)}.") from error
