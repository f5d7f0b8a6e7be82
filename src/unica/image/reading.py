"""Reading images: any common file or Pillow image becomes upright gray or sRGB in [-1, 1].

Whatever is wrong with a file becomes a `UnicaError` of one sentence.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from PIL import ExifTags, Image, ImageFile

from unica.errors import UnicaError, as_path, reason
from unica.image.colour import to_srgb
from unica.image.convert import eight_bits, to_tensor
from unica.image.deep import deep_channels, deep_levels
from unica.image.picture import LARGEST, Picture
from unica.image.png import Levels, chunks, has_strips, strips
from unica.image.text import text_of
from unica.image.video import VIDEOS, read_video_text
from unica.threads import compute

_Size = tuple[int, int]  # (width, height)
SMALLEST = 32  # pixels of the shorter side of a picture
_LARGE = 2**24  # pixels; more are decoded some rows at a time if they will be shrunk, which is slower

# The formats that `load` opens. Pillow has more, but some of them run other programs (EPS starts Ghostscript).
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "PPM")

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp", ".jp2", ".ppm", ".pgm")

# Pillow's modes -> the modes that the code below handles. "P" and the 16-bit modes ("I...") are separate cases.
_PLAIN = {mode: mode for mode in ("L", "LA", "RGB", "RGBA", "CMYK")}
_PLAIN |= {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
_PLAIN |= dict.fromkeys(("RGBX", "YCbCr", "HSV", "LAB"), "RGB")

_WEIGHTED = {"LA": "La", "RGBA": "RGBa"}  # modes, and those whose colours are multiplied by alpha

_EXIF = (b"eXIf",)  # the name of a PNG's chunk
_UPRIGHT = {  # EXIF orientation -> the operation that turns the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load(
    source: str | os.PathLike[str] | Image.Image, max_side: int | None = None, smallest: int = SMALLEST
) -> Picture:
    """Read an image: turned upright by its EXIF, in sRGB by its ICC profile, the first frame of an animation.

    Gray stays one channel, and 16 bits stay 16. The profile of a 16-bit image is ignored. `max_side` shrinks the longer
    side before pixels become floats, so that large photographs take little memory. The shorter side must then have at
    least `smallest` pixels.
    """
    compute()
    if isinstance(source, Image.Image):
        with reading("the picture"):
            fitted = _check_size(source.size, max_side, smallest)
            source.load()
            raw = repr((source.mode, source.size, source.getpalette())).encode() + source.tobytes()
            about = _About(source.size, fitted, _orientation(source), "picture", sha256(raw).hexdigest())
            return _picture([source], source.height, source.info, about)
    path = as_path("a picture", source, "a file or a Pillow image")
    with reading(str(path)), _regular(path) as file:
        image = _open(file)
        fitted = _check_size(image.size, max_side, smallest)
        about = _About(image.size, fitted, _turn(image, file), path.stem, _sha256(file))
        levels = deep_levels(image, file)
        if levels is not None:
            return _deep(levels, about)
        if fitted != image.size and image.width * image.height > _LARGE and has_strips(image, file):
            return _picture(strips(file), image.height, image.info, about)
        # JPEG can decode at 1/2, 1/4 or 1/8, which is cheaper. At twice the final size, Lanczos still decides the look.
        if fitted != image.size:
            image.draft(None, (2 * fitted[0], 2 * fitted[1]))
        image.load()
        if image.format == "TIFF":  # Pillow has turned it
            about = _About(image.size, fitted_size(image.size, max_side), 1, about.name, about.sha256)
        return _picture([image], image.height, image.info, about)


def read_text(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text that was saved with a picture, by key; empty if there is none."""
    path = as_path("a picture", path)
    if path.suffix.lower() in VIDEOS:
        return read_video_text(path)
    with reading(str(path)), _regular(path) as file:
        image = _open(file)
        _check_size(image.size, None, smallest=1)
        return text_of(image, file)


def read_levels(path: str | os.PathLike[str]) -> tuple[np.ndarray, bytes | None]:
    """The whole numbers of a picture file as they are in it, h x w x channels, and the palette if it has one.

    Nothing is turned, and no profile of colours is heeded. Of a picture with a palette, they are the colours' numbers.
    """
    compute()
    path = as_path("a picture", path)
    with reading(str(path)), _regular(path) as file:
        image = _open(file)
        _check_size(image.size, None)
        levels = deep_levels(image, file)
        if levels is not None:
            return np.concatenate(list(levels)), None
        image.load()
        if image.mode == "P":
            return np.asarray(image)[..., None], bytes(image.getpalette() or ())
        if image.mode.startswith("I"):
            values = np.asarray(image, np.int64)
            if values.min() < 0 or values.max() > 65535:
                raise UnicaError("has 32-bit pixels: save it with 8 or 16 bits.")
            return values.astype(np.uint16)[..., None], None
        array = np.asarray(image.convert("L") if image.mode == "1" else image)
        return array if array.ndim == 3 else array[..., None], None


class Header(NamedTuple):
    """What a file says of its picture before any pixel is read."""

    size: _Size  # upright
    channels: int
    bits: int
    alpha: bool
    sha256: str


def read_header(path: str | os.PathLike[str]) -> Header:
    """What a file says of its picture. It may be larger than what can be read."""
    path = as_path("a picture", path)
    with reading(str(path)), _regular(path) as file:
        image = _open(file)
        width, height = image.size
        size = (height, width) if _turn(image, file) >= 5 else (width, height)
        deep = deep_channels(image, file)
        bands = deep or (3 if image.mode.startswith("P") else Image.getmodebands(image.mode))
        clear = image.mode.lower().endswith("a") if deep is None else deep % 2 == 0
        alpha = clear or "transparency" in image.info
        return Header(size, 1 if bands <= 2 else 3, 16 if deep else 8, alpha, _sha256(file))


def _regular(path: Path) -> BinaryIO:
    """An opened file. Pipes and devices are refused: some of them have no end, and others no beginning."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise UnicaError("is a pipe or a device, not a file.")


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn every error into one sentence that begins with the name of what is read."""
    try:
        yield
    except UnicaError as error:
        raise UnicaError(f"{name} {error}") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        damaged = "" if getattr(error, "errno", None) else ", it may be damaged"
        raise UnicaError(f"{name} cannot be read{damaged}: {reason(error)}.") from error


def _open(file: BinaryIO) -> ImageFile.ImageFile:
    """`Image.open` for our formats only, without Pillow's own limit on pixels (a global far below ours)."""
    Image.init()
    start = file.read(16)
    for name in _FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory and accept and accept(start) is True:  # a str says that Pillow was built without it
            file.seek(0)
            return factory(file, "")
    raise UnicaError(f"is not an image of a kind that can be read ({', '.join(_FORMATS)}).")


def _check_size(size: _Size, max_side: int | None, smallest: int = SMALLEST) -> _Size:
    """The size that an image will be shrunk to. Too large and too small images are refused."""
    if size[0] * size[1] > LARGEST:
        raise UnicaError(f"has {size[0]}x{size[1]} pixels, more than the {LARGEST:,} that can be read.")
    width, height = fitted_size(size, max_side)
    if min(width, height) < smallest:
        now = "is" if (width, height) == size else "is shrunk to"
        raise UnicaError(f"{now} {width}x{height} pixels, and the shorter side needs at least {smallest}.")
    return width, height


def fitted_size(size: _Size, max_side: int | None) -> _Size:
    """The size of the same shape whose longer side is at most `max_side`."""
    scale = 1.0 if max_side is None else min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class _About(NamedTuple):
    """What is known of an image besides its pixels. Sizes are those before it is turned."""

    full: _Size
    fitted: _Size  # what it is to be shrunk to
    orientation: int
    name: str
    sha256: str

    def upright(self, image: Image.Image) -> Image.Image:
        return image.transpose(_UPRIGHT[self.orientation]) if self.orientation in _UPRIGHT else image

    def picture(self, pixels: torch.Tensor, alpha: torch.Tensor | None, bits: int) -> Picture:
        size = (self.full[1], self.full[0]) if self.orientation >= 5 else self.full
        return Picture(pixels, alpha, bits, self.sha256, self.name, size)


def _picture(parts: Iterable[Image.Image], height: int, info: Mapping[Any, Any], about: _About) -> Picture:
    """The Picture of a decoded image, whose rows, `height` in all, come in parts from top to bottom."""

    def weighted(image: Image.Image) -> Image.Image:
        """Colours count as much as they can be seen."""
        return image.convert(_WEIGHTED.get(image.mode)) if about.full != about.fitted else image

    (whole,) = _fitted(([weighted(_plain(part))] for part in parts), height, about.fitted)
    plain = about.upright(whole.convert({of: mode for mode, of in _WEIGHTED.items()}.get(whole.mode)))
    alpha = to_tensor(plain.getchannel("A"), 255) if "A" in plain.getbands() else None
    if alpha is not None and not alpha.any():
        raise UnicaError("is wholly transparent, so there is nothing to learn from.")
    if plain.mode == "I":
        return about.picture((to_tensor(plain, 65535) * 2 - 1).clamp(-1, 1), alpha, 16)
    colour = to_srgb(plain.convert(plain.mode.removesuffix("A")), info.get("icc_profile"))
    return about.picture(to_tensor(colour, 255) * 2 - 1, alpha, 8)


def _deep(parts: Iterable[Levels], about: _About) -> Picture:
    """The Picture of 16-bit levels, whose rows come in parts from top to bottom."""

    def planes(levels: Levels) -> list[Image.Image]:
        """Shares of 65535. If they will be shrunk, colours count as much as they can be seen."""
        shares = [levels[..., channel].astype(np.float32) / 65535 for channel in range(levels.shape[-1])]
        if len(shares) % 2 == 0 and about.full != about.fitted:
            shares = [*(share * shares[-1] for share in shares[:-1]), shares[-1]]
        return [Image.fromarray(share) for share in shares]

    whole = _fitted(map(planes, parts), about.full[1], about.fitted)
    shares = [to_tensor(about.upright(plane), 1).clamp_(0, 1) for plane in whole]
    alpha = shares.pop() if len(shares) % 2 == 0 else None
    if alpha is not None and not alpha.any():
        raise UnicaError("is wholly transparent, so there is nothing to learn from.")
    if alpha is not None and about.full != about.fitted:
        shares = [(share / alpha.clamp(min=1 / 65535)).clamp_(0, 1) for share in shares]
    return about.picture(torch.cat(shares).mul_(2).sub_(1), alpha, 16)


def _fitted(parts: Iterable[Sequence[Image.Image]], height: int, size: _Size) -> list[Image.Image]:
    """Planes whose rows come in parts, shrunk as Pillow would shrink the whole: first in width, then in height."""
    wholes, top = [], 0
    for planes in parts:
        wholes = wholes or [Image.new(plane.mode, (size[0], height)) for plane in planes]
        for whole, plane in zip(wholes, planes, strict=True):
            whole.paste(plane.resize((size[0], plane.height), Image.Resampling.LANCZOS), (0, top))
        top += planes[0].height
    return [whole.resize(size, Image.Resampling.LANCZOS) for whole in wholes]


def _turn(image: ImageFile.ImageFile, file: BinaryIO) -> int:
    """The orientation by the file alone: Pillow would decode a PNG to look for it, and turn a TIFF by it."""
    if image.format == "PNG":
        content = next((content for name, content in chunks(file, _EXIF) if name in _EXIF), b"")
        image.info.setdefault("exif", b"Exif\0\0" + content)
    if image.format == "TIFF":
        found = image.tag_v2.get(ExifTags.Base.Orientation, 1)  # pyright: ignore[reportAttributeAccessIssue]
        return found if found in _UPRIGHT else 1
    return _orientation(image)


def _orientation(image: Image.Image) -> int:
    """1 to 8 by EXIF. 1 is upright; it is also the answer where there is no EXIF, or none that can be read."""
    if image.format == "TIFF":  # Pillow's TIFF loader turns it already, and some versions leave the tag behind
        return 1
    with suppress(SyntaxError, ValueError, TypeError, LookupError, EOFError, OSError, struct.error):
        found = image.getexif().get(ExifTags.Base.Orientation)
        return found if found in _UPRIGHT else 1
    return 1


def _plain(image: Image.Image) -> Image.Image:
    """The image as L, LA, RGB, RGBA or CMYK; or as I, which means 16-bit gray here."""
    clear = image.info.get("transparency")  # one gray or colour that is transparent, in place of a channel
    if image.mode.startswith("I"):
        levels = np.asarray(image, np.int32)
        if levels.min() < 0 or levels.max() > 65535:
            raise UnicaError("has 32-bit pixels: save it with 8 or 16 bits.")
        if clear is None:
            return Image.fromarray(levels)
        opaque = np.where(levels == clear, 0, 255).astype(np.uint8)
        return Image.fromarray(np.stack([eight_bits(image), opaque], axis=-1))
    if image.mode == "P":
        image, clear = image.convert(), None  # to RGBA if any of its colours is transparent
    if image.mode not in _PLAIN:
        raise UnicaError(f"has pixels of the kind {image.mode}, which cannot be read: save it as RGB.")
    mode = _PLAIN[image.mode] + ("A" if clear is not None and image.mode in ("1", "L", "RGB") else "")
    return image if image.mode == mode else image.convert(mode)


def _sha256(file: BinaryIO) -> str:
    """The sha256 of all bytes of a file. The position in the file does not change."""
    here, digest = file.tell(), sha256()
    file.seek(0)
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(here)
    return digest.hexdigest()
