"""Pictures as files: PNG, JPEG, WebP, TIFF, animations and data URIs. A failed write leaves no file."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped, UInt8
from PIL import Image
from torch import Tensor

from unica.errors import UnicaError, listed, reason
from unica.files import whole_file
from unica.image.convert import to_pil
from unica.image.png import KIND_OF, Header, png
from unica.image.text import text_options
from unica.image.video import VIDEOS, check_video, video_bytes

ANIMATED = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", **VIDEOS}
STILL = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_MOVING: dict[str, dict[str, Any]] = {"GIF": {"disposal": 2}, "WEBP": {"quality": 90, "method": 4}, "PNG": {}}
_RESTING: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "method": 4},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
_TILES: dict[str, dict[str, Any]] = {"png": {"compress_level": 3}, "jpg": {"quality": 92, "subsampling": 0}}
_DEFLATED, _FOUR_BYTES = 8, 4  # in a TIFF: how pixels are packed, and a kind of whole numbers


def save_png(image: Image.Image, path: str | os.PathLike[str], text: Mapping[str, str] = {}) -> None:
    """Write a PNG with its text chunks, in their order: the whole file or none of it."""
    with _writing(Path(path)) as file:
        file.write(png_bytes(image, text))


def save_animation(
    images: Sequence[Image.Image], path: str | os.PathLike[str], fps: float = 12, text: Mapping[str, str] = {}
) -> None:
    """Write an animation with its text by the name's suffix: an endless GIF, WebP or PNG, or a video."""
    path = Path(path)
    if path.suffix.lower() not in ANIMATED:
        raise UnicaError(f"{path} must end in {listed(list(ANIMATED))} to be an animation")
    with _writing(path) as file:
        file.write(animation_bytes(images, path.suffix.lower(), fps, text))


def png_bytes(image: Image.Image, text: Mapping[str, str] = {}) -> bytes:
    """What a PNG file with this picture and these text chunks holds."""
    return _bytes(image, "PNG", text)


def animation_bytes(images: Sequence[Image.Image], suffix: str, fps: float, text: Mapping[str, str] = {}) -> bytes:
    """What a file with this animation and text holds."""
    if suffix in VIDEOS:
        return video_bytes(images, suffix, fps, text)
    format, buffer = ANIMATED[suffix], io.BytesIO()
    first, *rest = map(_in_few_colours, images) if format == "GIF" else images
    options = {**_MOVING[format], **text_options(format, text), "duration": round(1000 / fps), "loop": 0}
    first.save(buffer, format, save_all=True, append_images=rest, **options)
    return buffer.getvalue()


def _in_few_colours(image: Image.Image) -> Image.Image:
    """A frame of a GIF. Dither would flicker from frame to frame."""
    return image.quantize(256, dither=Image.Dither.NONE) if image.mode == "RGB" else image


def check_animation(suffix: str, size: tuple[int, int], transparent: bool) -> None:
    """Refuse a kind of file that cannot hold an animation of this size."""
    if suffix in VIDEOS:
        check_video(suffix, size, transparent)


def check_ending(suffix: str, transparent: bool) -> None:
    """Refuse a kind of file that cannot hold a picture."""
    if suffix not in STILL:
        raise UnicaError(f"a picture of 8 or 16 bits is written as {listed(list(STILL))}, not as {suffix}")
    if transparent and STILL[suffix] == "JPEG":
        raise UnicaError("a JPEG cannot be transparent: name a PNG, a WebP or a TIFF")


def picture_bytes(
    pixels: Float[Tensor, "c h w"],
    alpha: Float[Tensor, "1 h w"] | None,
    bits: int,
    text: Mapping[str, str] = {},
    suffix: str = ".png",
) -> bytes:
    """What a file with these pixels in [-1, 1] holds. Only PNG and TIFF have 16 bits; the other kinds get 8."""
    format = STILL[suffix]
    if bits == 8 or format in ("JPEG", "WEBP"):
        return _bytes(to_pil(pixels, alpha), format, text)
    shares = (pixels.detach().cpu().float() + 1) / 2
    planes = shares if alpha is None else torch.cat([shares, alpha.detach().cpu().float()])
    levels = (planes.clamp(0, 1) * 65535).round().int()
    return png16_bytes(levels, text) if format == "PNG" else _tiff16_bytes(levels, text)


def _bytes(image: Image.Image, format: str, text: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **_RESTING[format], **text_options(format, text))
    return buffer.getvalue()


def png16_bytes(planes: Int[Tensor, "c h w"], text: Mapping[str, str] = {}) -> bytes:
    """What a PNG with 16 bits per channel holds, of whole numbers from 0 to 65535. Pillow writes only gray ones.

    One channel is gray, and three are RGB; two and four have alpha as well.
    """
    pixels = planes.permute(1, 2, 0).numpy().astype(">u2")
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: the row is stored without a filter
    texts = [(name, content) for name, content, *_ in text_options("PNG", text)["pnginfo"].chunks]
    return png(Header(width, height, 16, KIND_OF[channels]), zlib.compress(rows), *texts)


def levels_png_bytes(
    levels: Shaped[np.ndarray, "h w c"], palette: bytes | None = None, text: Mapping[str, str] = {}
) -> bytes:
    """What a PNG holds of whole numbers of 8 or 16 bits, up to four channels. With a palette, they are its colours'."""
    if levels.dtype == np.uint16:
        return png16_bytes(torch.from_numpy(levels.astype(np.int32)).movedim(-1, 0), text)
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    if palette is not None and levels.shape[2] == 1:
        image.putpalette(palette)
    return png_bytes(image, text)


def _tiff16_bytes(planes: Int[Tensor, "c h w"], text: Mapping[str, str]) -> bytes:
    """The same as a TIFF: one deflated strip, then the list of tags, then the values that are too long for the list.

    Gray with alpha becomes RGB with alpha: Pillow does not know the former.
    """
    planes = planes[[0, 0, 0, 1]] if len(planes) == 2 else planes
    pixels = planes.permute(1, 2, 0).numpy().astype("<u2")
    height, width, channels = pixels.shape
    data, said = zlib.compress(pixels.tobytes()), json.dumps(text).encode() + b"\0"
    start = 8 + len(data) + len(data) % 2
    tags: dict[int, list[int] | bytes] = {
        256: [width], 257: [height], 258: [16] * channels, 259: [_DEFLATED], 262: [2 if channels > 2 else 1], 270: said,
        273: [8], 277: [channels], 278: [height], 279: [len(data)], 284: [1],
    }  # fmt: skip
    if channels % 2 == 0:
        tags[338] = [2]  # the last channel is alpha, and colours are not multiplied by it
    after = start + 2 + 12 * len(tags) + 4
    entries, more = [], b""
    for tag, values in sorted(tags.items()):
        kind, each = (2, "B") if isinstance(values, bytes) else (_FOUR_BYTES, "I")
        packed = struct.pack(f"<{len(values)}{each}", *values)
        if len(packed) > 4:
            packed, more = struct.pack("<I", after + len(more)), more + packed
        entries.append(struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0"))
    index = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II" + struct.pack("<HI", 42, start) + data.ljust(start - 8, b"\0") + index + more


def tile_bytes(pixels: UInt8[np.ndarray, "h w c"], kind: str) -> bytes:
    """What a "png" or "jpg" file with a tile of a large picture holds. Two and four channels have alpha as well."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.save(buffer, "PNG" if kind == "png" else "JPEG", **_TILES[kind])
    return buffer.getvalue()


def tile_pixels(data: bytes, size: tuple[int, int]) -> UInt8[np.ndarray, "h w c"]:
    """The pixels of such a file, which must have this width and height. Raises ValueError if it is damaged."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.size != size or image.mode not in ("L", "LA", "RGB", "RGBA"):
                raise ValueError(f"expected {size}, got {image.size} of {image.mode}")
            pixels = np.array(image)
    except (OSError, SyntaxError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from None
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def data_uri(image: Image.Image, longest: int) -> str:
    """The picture as a `data:` address for a web page; no side is longer than `longest`."""
    small = image.copy()
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return "data:image/png;base64," + base64.b64encode(png_bytes(small)).decode()


def preview_bytes(image: Image.Image, longest: int) -> bytes:
    """A small WebP to look at; no side is longer than `longest`."""
    small, buffer = image, io.BytesIO()
    if max(image.size) > longest:
        small = image.copy()
        small.thumbnail((longest, longest), Image.Resampling.BOX, reducing_gap=2)
    small = small if small.mode in ("L", "RGB", "RGBA") else small.convert("RGBA" if "A" in small.mode else "RGB")
    small.save(buffer, "WEBP", quality=82, method=1)
    return buffer.getvalue()


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {reason(error)}.") from error
