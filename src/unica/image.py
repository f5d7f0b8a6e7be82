"""Pictures in and out: files and Pillow images on one side, tensors in [-1, 1] on the other.

No other module of the package touches Pillow. Whatever a file is (palette, CMYK, rotated, wide-gamut), `load`
returns gray or sRGB the right way up; whatever is wrong with it is a `UnicaError` of one sentence.
"""

import base64
import io
import json
import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from math import ceil, sqrt
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import ExifTags, Image, ImageFile
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn.functional import interpolate

from unica.errors import UnicaError
from unica.files import whole_file

Resampling = Literal["bilinear", "bicubic", "lanczos", "bilinear8", "lanczos8"]

_Size = tuple[int, int]  # (width, height)
_LARGEST = 250_000_000  # pixels of a file
_SMALLEST = 32  # pixels of the shorter side of a picture

# What `load` opens. Not every format of Pillow's: some of them run other programs (EPS starts Ghostscript).
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "PPM")

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp", ".jp2", ".ppm", ".pgm")

_DESCRIPTION = 0x010E  # in EXIF
ANIMATED = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
_MOVING: dict[str, dict[str, Any]] = {"GIF": {"disposal": 2}, "WEBP": {"quality": 90, "method": 4}, "PNG": {}}

# Pillow's modes -> the ones that are worked with below. "P" and the 16-bit ones ("I...") are handled apart.
_PLAIN = {mode: mode for mode in ("L", "LA", "RGB", "RGBA", "CMYK")}
_PLAIN |= {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
_PLAIN |= dict.fromkeys(("RGBX", "YCbCr", "HSV", "LAB"), "RGB")

_UPRIGHT = {  # what undoes each EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """An image as the models see it. Where alpha is 0 the colour means nothing: resize it premultiplied."""

    pixels: Float[Tensor, "c h w"]  # in [-1, 1]: one channel of gray or three of sRGB
    alpha: Float[Tensor, "1 h w"] | None  # in [0, 1]; None where the file has no transparency at all
    bits: int  # 8 or 16: of the file, and of what is written
    sha256: str  # of the file's bytes; for a Pillow image, of its mode, size, palette and pixels
    name: str  # the stem of the file's name, or "picture"
    original_size: tuple[int, int]  # before `max_side` made it smaller, as (width, height)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) now."""
        return self.pixels.shape[2], self.pixels.shape[1]


def load(
    source: str | os.PathLike[str] | Image.Image, max_side: int | None = None, smallest: int = _SMALLEST
) -> Picture:
    """Reads an image: upright by its EXIF, in sRGB by its ICC profile, the first frame if it moves.

    Gray stays one channel and keeps its 16 bits; 16-bit colour, and 16-bit gray with transparency, become
    8-bit because Pillow has nothing else, and the profile of a 16-bit image is ignored for the same reason.
    `max_side` shrinks the longer side while pixels are still bytes, so that large photographs stay cheap; the
    shorter one must be at least `smallest` then.
    """
    if isinstance(source, Image.Image):
        with _reading("the picture"):
            _check_size(source.size, max_side, smallest)
            source.load()
            raw = repr((source.mode, source.size, source.getpalette())).encode() + source.tobytes()
            return _picture(source, source.size, max_side, "picture", sha256(raw).hexdigest())
    with _reading(str(source)), open(source, "rb") as file:
        image = _open(file)
        digest = _sha256(file)
        full, fitted = image.size, _check_size(image.size, max_side, smallest)
        # JPEG decodes at 1/2, 1/4 or 1/8 for less; twice the final size leaves the look to Lanczos.
        drafted = fitted != full and image.draft(None, (2 * fitted[0], 2 * fitted[1]))
        image.load()
        return _picture(image, full if drafted else image.size, max_side, Path(source).stem, digest)


def to_pil(pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None = None, bits: int = 8) -> Image.Image:
    """A Pillow image (L, LA, RGB, RGBA or I;16) of pixels in [-1, 1], which are clipped and rounded.

    Only gray without alpha has 16 bits: Pillow writes no other 16-bit PNG, so the rest becomes 8-bit.
    """
    if len(pixels) not in (1, 3) or bits not in (8, 16):
        raise ValueError(f"expected 1 or 3 channels of 8 or 16 bits, got {len(pixels)} of {bits}")
    planes = (pixels.detach().cpu().float() + 1) / 2
    if alpha is not None:
        planes = torch.cat([planes, alpha.detach().cpu().float()])
    if not planes.isfinite().all():
        raise ValueError("the pixels are not all finite numbers")
    top, levels = (65535, np.uint16) if bits == 16 and len(planes) == 1 else (255, np.uint8)
    array = (planes.clamp(0, 1) * top).round().permute(1, 2, 0).numpy().astype(levels)
    return Image.fromarray(array[:, :, 0] if len(planes) == 1 else array)


def save_png(image: Image.Image, path: str | os.PathLike[str], text: Mapping[str, str] = {}) -> None:
    """Writes a PNG with its text chunks, in their order: the whole file or, whatever happens, none of it."""
    with _writing(Path(path)) as file:
        image.save(file, "PNG", **_told("PNG", text))


def save_animation(
    images: Sequence[Image.Image], path: str | os.PathLike[str], fps: float = 12, text: Mapping[str, str] = {}
) -> None:
    """Writes pictures as one that moves, without end, and its text: GIF, WebP or PNG, by the name; whole or not at
    all."""
    path = Path(path)
    form = ANIMATED.get(path.suffix.lower())
    if form is None:
        raise UnicaError(f"{path} must end in {', '.join(ANIMATED)}: nothing else moves here")
    first, *rest = images
    with _writing(path) as file:
        options = {**_MOVING[form], **_told(form, text)}
        first.save(file, form, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0, **options)


def _told(form: str, text: Mapping[str, str]) -> dict[str, Any]:
    """What makes Pillow write a text: PNG has chunks for it, others take all of it as one description."""
    # A file name that is not UTF-8 reaches Python with lone surrogates, which no text chunk can hold.
    text = {key: value.encode("utf-8", "replace").decode() for key, value in text.items()}
    if form == "PNG":
        chunks = PngInfo()
        for key, value in text.items():
            chunks.add_text(key, value)
        return {"pnginfo": chunks}
    if form == "GIF":
        return {"comment": json.dumps(text).encode()}
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps(text)
    return {"exif": exif}


def save_rgb16(planes: Int[Tensor, "3 h w"], path: str | os.PathLike[str]) -> None:
    """Writes whole numbers from 0 to 65535 as a PNG of 16 bits a channel, which Pillow cannot."""
    pixels = planes.permute(1, 2, 0).numpy().astype(">u2")
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # no filter
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    with _writing(Path(path)) as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in parts:
            file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))


def data_uri(image: Image.Image, longest: int) -> str:
    """The picture as a web page holds it, with no side longer than `longest`."""
    small = image.copy()
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def read_text(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text that was saved with a picture, by key; none where there is no such text."""
    with _reading(str(path)), open(path, "rb") as file:
        image = _open(file)
        _check_size(image.size, None, smallest=1)
        text = getattr(image, "text", None)
        if text is None:
            try:
                text = json.loads(image.info.get("comment") or image.getexif().get(_DESCRIPTION) or "{}")
            except ValueError:  # of somebody else
                text = {}
        return {key: str(value) for key, value in text.items()} if isinstance(text, dict) else {}


def resize(
    x: Float[Tensor, "b c h w"], size: tuple[int, int], how: Resampling = "bicubic"
) -> Float[Tensor, "b c height width"]:
    """`x` at another (height, width), antialiased; bicubic and lanczos overshoot. Those by Pillow, lanczos and the ones
    whose name ends in 8, have no gradient; the latter work on bytes and round as they do."""
    if tuple(x.shape[2:]) == size:
        return x
    if how == "bilinear" or how == "bicubic":
        return interpolate(x, size, mode=how, antialias=True, align_corners=False)
    filter = Image.Resampling.BILINEAR if how == "bilinear8" else Image.Resampling.LANCZOS
    planes = x.detach().cpu().float().flatten(0, 1)
    if how != "lanczos":
        planes = ((planes + 1) * 127.5).round().clamp(0, 255).byte()
    resized = [np.asarray(Image.fromarray(plane).resize((size[1], size[0]), filter)) for plane in planes.numpy()]
    out = torch.from_numpy(np.stack(resized)).view(*x.shape[:2], *size).to(x)
    return out if how == "lanczos" else out / 127.5 - 1


def shrink(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at another (height, width), in as many bits as it has."""
    if picture.pixels.shape[1:] == size:
        return picture
    top = 2**picture.bits - 1
    pixels = (resize(picture.pixels[None], size, "lanczos")[0].clamp(-1, 1) + 1) / 2
    alpha = None if picture.alpha is None else resize(picture.alpha[None], size, "bilinear")[0].clamp(0, 1)
    return replace(
        picture,
        pixels=(pixels * top).round() / top * 2 - 1,
        alpha=None if alpha is None else (alpha * top).round() / top,
    )


def match_histogram(x: Float[Tensor, "c h w"], like: Float[Tensor, "c y x"]) -> Float[Tensor, "c h w"]:
    """x with the distribution of values that each channel of `like` has: equals become equals, order stays."""
    channels = []
    for mine, theirs in zip(x, like, strict=True):
        _, where, counts = mine.flatten().unique(return_inverse=True, return_counts=True)
        rank = (counts.cumsum(0) - counts / 2) / mine.numel()  # the middle of a value's share
        ordered = theirs.flatten().sort().values
        place = rank.double() * (len(ordered) - 1)
        values = ordered[place.floor().long()].lerp(ordered[place.ceil().long()], place.frac().to(ordered))
        channels.append(values[where].view_as(mine))
    return torch.stack(channels)


def contact_sheet(pictures: Sequence[Image.Image], columns: int | None = None, gap: int = 4) -> Image.Image:
    """All pictures on one sheet, row by row, each in the middle of a cell as large as the largest.

    The sheet is white RGB, or transparent RGBA where one of the pictures has an alpha channel.
    """
    if not pictures or (columns is not None and columns < 1):
        raise ValueError("a contact sheet needs a picture and a column")
    columns = min(columns or ceil(sqrt(len(pictures))), len(pictures))
    rows = ceil(len(pictures) / columns)
    width, height = (max(picture.size[side] for picture in pictures) for side in (0, 1))
    mode = "RGBA" if any("A" in picture.getbands() for picture in pictures) else "RGB"
    sheet = Image.new(mode, (columns * (width + gap) - gap, rows * (height + gap) - gap), (255, 255, 255, 0))
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        left = column * (width + gap) + (width - picture.width) // 2
        top = row * (height + gap) + (height - picture.height) // 2
        shown = Image.fromarray(_eight_bits(picture)) if picture.mode[0] == "I" else picture
        sheet.paste(shown.convert(mode), (left, top))
    return sheet


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        raise UnicaError(f"{path} cannot be written: {_reason(error)}.") from error


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Makes everything that can go wrong while reading `what` one sentence that begins with its name."""
    try:
        yield
    except UnicaError as error:
        raise UnicaError(f"{what} {error}") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        doubt = "" if getattr(error, "errno", None) else ", it may be damaged"
        raise UnicaError(f"{what} cannot be read{doubt}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """Why it failed, as the end of a sentence: without the number and the path of an OSError."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return words[0].lower() + re.sub(r"\s+", " ", words[1:]).rstrip(". ")


def _open(file: BinaryIO) -> ImageFile.ImageFile:
    """`Image.open` for our formats, without its limit on pixels: a global of Pillow's, far below ours."""
    Image.init()
    start = file.read(16)
    for name in _FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory and accept and accept(start) is True:  # a str says that Pillow was built without it
            file.seek(0)
            return factory(file, "")
    raise UnicaError(f"is not an image of a kind that can be read ({', '.join(_FORMATS)}).")


def _check_size(size: _Size, max_side: int | None, smallest: int = _SMALLEST) -> _Size:
    """The size that an image of `size` will be shrunk to, if it is neither too large nor too small."""
    if size[0] * size[1] > _LARGEST:
        raise UnicaError(f"has {size[0]}x{size[1]} pixels, more than the {_LARGEST:,} that can be read.")
    width, height = _fit(size, max_side)
    if min(width, height) < smallest:
        now = "is" if (width, height) == size else "is shrunk to"
        raise UnicaError(f"{now} {width}x{height} pixels, and the shorter side needs at least {smallest}.")
    return width, height


def _fit(size: _Size, max_side: int | None) -> _Size:
    """The size of the same shape whose longer side is at most `max_side`."""
    scale = 1.0 if max_side is None else min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _picture(image: Image.Image, full: _Size, max_side: int | None, name: str, digest: str) -> Picture:
    """The Picture of a decoded image that was `full` large (before JPEG's own shrinking) in the file."""
    plain, orientation = _plain(image), _orientation(image)
    if plain.size != _fit(full, max_side):  # Pillow premultiplies LA and RGBA here
        plain = plain.resize(_fit(full, max_side), Image.Resampling.LANCZOS)
    if orientation in _UPRIGHT:
        plain = plain.transpose(_UPRIGHT[orientation])
    size = (full[1], full[0]) if orientation >= 5 else full
    alpha = _tensor(plain.getchannel("A"), 255) if "A" in plain.getbands() else None
    if alpha is not None and not alpha.any():
        raise UnicaError("is wholly transparent, so there is nothing to learn from.")
    if plain.mode == "I":
        return Picture((_tensor(plain, 65535) * 2 - 1).clamp(-1, 1), alpha, 16, digest, name, size)
    colour = _to_srgb(plain.convert(plain.mode.removesuffix("A")), image.info.get("icc_profile"))
    return Picture(_tensor(colour, 255) * 2 - 1, alpha, 8, digest, name, size)


def _orientation(image: Image.Image) -> int:
    """1 to 8 by its EXIF; 1, which is upright, where that says nothing or cannot be read."""
    if image.format == "TIFF":  # its loader has turned it, and some versions of Pillow leave the tag behind
        return 1
    with suppress(SyntaxError, ValueError, TypeError, LookupError, EOFError, OSError, struct.error):
        found = image.getexif().get(ExifTags.Base.Orientation)
        return found if found in _UPRIGHT else 1
    return 1


def _plain(image: Image.Image) -> Image.Image:
    """The image as L, LA, RGB, RGBA, CMYK, or as I, which means 16-bit gray here."""
    clear = image.info.get("transparency")  # one gray or colour that is transparent, in place of a channel
    if image.mode.startswith("I"):
        levels = np.asarray(image, np.int32)
        if levels.min() < 0 or levels.max() > 65535:
            raise UnicaError("has 32-bit pixels: save it with 8 or 16 bits.")
        if clear is None:
            return Image.fromarray(levels)
        opaque = np.where(levels == clear, 0, 255).astype(np.uint8)
        return Image.fromarray(np.stack([_eight_bits(image), opaque], axis=-1))
    if image.mode == "P":
        image, clear = image.convert(), None  # to RGBA if any of its colours is transparent
    if image.mode not in _PLAIN:
        raise UnicaError(f"has pixels of the kind {image.mode}, which cannot be read: save it as RGB.")
    mode = _PLAIN[image.mode] + ("A" if clear is not None and image.mode in ("1", "L", "RGB") else "")
    return image if image.mode == mode else image.convert(mode)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An L, RGB or CMYK image as L or RGB, by its ICC profile if whole and of the same colour model."""
    mode = "L" if image.mode == "L" else "RGB"
    if profile:
        from PIL import ImageCms

        with suppress(ImageCms.PyCMSError, ImportError, OSError):
            own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            image = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image) -> np.ndarray:
    """The pixels of a 16-bit gray image, to the nearest of 256 levels."""
    return (np.asarray(image, np.float32).clip(0, 65535) / 257).round().astype(np.uint8)


def _tensor(image: Image.Image, top: int) -> Float[Tensor, "c h w"]:
    """The channels of an image, `top` being 1."""
    levels = torch.from_numpy(np.asarray(image, np.float32) / top)
    return levels[None] if levels.ndim == 2 else levels.permute(2, 0, 1).contiguous()


def _sha256(file: BinaryIO) -> str:
    """The sha256 of all the bytes of a file, which is left where it was."""
    here, digest = file.tell(), sha256()
    file.seek(0)
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(here)
    return digest.hexdigest()
