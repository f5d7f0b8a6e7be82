"""Images of 16 bits that Pillow would read with 8."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import unica
from unica.errors import UnicaError
from unica.image import load, picture_bytes, read_header, read_text
from unica.image.png import Header, png

RNG = np.random.default_rng(0)


def levels_of(path: Path) -> np.ndarray:
    """The whole numbers of a picture that was read."""
    picture = load(path)
    assert picture.bits == 16
    planes = [(picture.pixels + 1) / 2] + ([] if picture.alpha is None else [picture.alpha])
    return (torch.cat(planes) * 65535).round().int().permute(1, 2, 0).numpy()


def smooth(channels: int) -> np.ndarray:
    """Levels that filters can predict, with noise in the lower bits."""
    rows, columns = np.mgrid[0:37, 0:45]
    ramp = (rows * 900 + columns * 500)[..., None] * np.arange(1, channels + 1) // channels
    return (ramp + RNG.integers(0, 300, ramp.shape)).astype(np.uint16)


def filtered(rows: np.ndarray, pixel: int) -> bytes:
    """Rows of bytes with PNG's five filters in turn, written from their definition."""
    out, above = [], np.zeros(rows.shape[1], int)
    for number, row in enumerate(rows.astype(int)):
        left, corner = (np.concatenate([np.zeros(pixel, int), values[:-pixel]]) for values in (row, above))
        guess = left + above - corner
        distances = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        paeth = np.choose(distances.argmin(0), [left, above, corner])
        predicted = [0 * row, left, above, (left + above) // 2, paeth][kind := number % 5]
        out.append(bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def as_png(levels: np.ndarray, interlaced: bool = False, *more: tuple[bytes, bytes]) -> bytes:
    height, width, channels = levels.shape
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [levels[y::dy, x::dx] for y, x, dy, dx in starts] if interlaced else [levels]
    data = [
        filtered(np.frombuffer(p.astype(">u2").tobytes(), np.uint8).reshape(len(p), -1), 2 * channels) for p in parts
    ]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png(Header(width, height, 16, colour, interlaced=int(interlaced)), zlib.compress(b"".join(data)), *more)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_bit_of_a_png_is_read(tmp_path: Path, channels: int, interlaced: bool) -> None:
    levels = smooth(channels)
    path = tmp_path / "x.png"
    path.write_bytes(as_png(levels, interlaced))
    assert np.array_equal(levels_of(path), levels)
    header = read_header(path)
    assert header[:4] == ((45, 37), 1 if channels < 3 else 3, 16, channels % 2 == 0)
    assert header.sha256 == load(path).sha256


@pytest.mark.parametrize("channels", [1, 3])
def test_one_transparent_colour_becomes_alpha(tmp_path: Path, channels: int) -> None:
    levels = smooth(channels)
    levels[:5] = levels[0, 0]
    path = tmp_path / "x.png"
    path.write_bytes(as_png(levels, False, (b"tRNS", levels[0, 0].astype(">u2").tobytes())))
    read = levels_of(path)
    assert np.array_equal(read[..., :-1], levels) and not read[:5, :, -1].any() and read[5:, :, -1].all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("compression", "predictor"), [(1, 1), (8, 1), (8, 2)])
@pytest.mark.parametrize("channels", [3, 4])
def test_every_bit_of_a_tiff_is_read(
    tmp_path: Path, channels: int, compression: int, predictor: int, order: str
) -> None:
    levels = smooth(channels)
    path = tmp_path / "x.tif"
    path.write_bytes(as_tiff(levels, compression, predictor, order))
    assert np.array_equal(levels_of(path), levels)
    assert read_header(path)[2:4] == (16, channels == 4)


def as_tiff(levels: np.ndarray, compression: int, predictor: int, order: str) -> bytes:
    """A TIFF of strips with eight rows each, written from its definition."""
    height, width, channels = levels.shape
    stored = np.diff(levels, axis=1, prepend=np.uint16(0)) if predictor == 2 else levels
    strips = [stored[y : y + 8].astype(f"{order}u2").tobytes() for y in range(0, height, 8)]
    strips = [zlib.compress(strip) for strip in strips] if compression == 8 else strips
    offsets = np.cumsum([8, *map(len, strips)])
    tags = {256: [width], 257: [height], 258: [16] * channels, 259: [compression], 262: [2], 273: list(offsets[:-1])}
    tags |= {277: [channels], 278: [8], 279: list(map(len, strips)), 284: [1], 317: [predictor]}
    tags |= {338: [2]} if channels == 4 else {}
    data, entries, at = b"".join(strips), [], int(offsets[-1])
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(packed) > 4:
            data, packed, at = data + packed, struct.pack(f"{order}I", at), at + len(packed)
        entries.append(struct.pack(f"{order}HHI", tag, 4, len(values)) + packed)
    index = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + b"\0" * 4
    return (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, at) + data + index


@pytest.mark.parametrize("mode", ["int32", "uint32", "int16", "float32"])
def test_integers_of_another_range_are_refused(tmp_path: Path, mode: str) -> None:
    array = np.arange(40 * 40).reshape(40, 40).astype(mode)
    form = {"int32": (32, 2), "uint32": (32, 1), "int16": (16, 2), "float32": (32, 3)}[mode]
    path = tmp_path / "x.tif"
    raw = as_tiff(array.astype(np.uint16)[..., None], 1, 1, "<")
    head, bits, kind = raw[:8], *form
    tags = {256: 40, 257: 40, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: 40, 279: array.nbytes, 339: kind}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    head = b"II" + struct.pack("<HI", 42, 8 + array.nbytes)
    path.write_bytes(head + array.tobytes() + struct.pack("<H", len(tags)) + entries + b"\0" * 4)
    Image.open(path).load()
    with pytest.raises(UnicaError, match="save it"):
        load(path)


def test_deep_pictures_are_shrunk_and_turned_as_others_are(tmp_path: Path) -> None:
    levels = smooth(4)
    levels[..., 3] = 65535
    levels[:9, :, :3], levels[:9, :, 3] = 0, 0  # black that cannot be seen must not darken its neighbours
    (tmp_path / "deep.png").write_bytes(as_png(levels))
    Image.fromarray((levels // 257).astype(np.uint8)).save(tmp_path / "shallow.png")
    deep, shallow = (load(tmp_path / f"{name}.png", max_side=40) for name in ("deep", "shallow"))
    assert deep.alpha is not None and shallow.alpha is not None and deep.size == shallow.size
    seen = (deep.alpha > 0.5) & (shallow.alpha > 0.5)
    assert ((deep.pixels - shallow.pixels) * seen).abs().max() < 0.03
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "turned.png").write_bytes(as_png(smooth(3), False, (b"eXIf", exif.tobytes()[6:])))
    assert load(tmp_path / "turned.png").size == (37, 45) == read_header(tmp_path / "turned.png").size


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_has_16_bits_and_its_text(tmp_path: Path, channels: int, suffix: str) -> None:
    levels = smooth(channels)
    colours = channels - 1 if channels % 2 == 0 else channels
    planes = torch.from_numpy(levels.astype(np.float32)).permute(2, 0, 1) / 65535
    alpha = planes[colours:] if channels % 2 == 0 else None
    path = tmp_path / f"x{suffix}"
    text = {"unica:seed": "7", "long": "ü" * 2000}
    path.write_bytes(picture_bytes(planes[:colours] * 2 - 1, alpha, 16, text, suffix))
    assert np.array_equal(levels_of(path), levels[..., [0, 0, 0, 1]] if suffix == ".tif" and channels == 2 else levels)
    assert read_text(path) == text
    Image.open(io.BytesIO(path.read_bytes())).load()


def test_a_picture_of_16_bits_gives_pictures_of_16_bits(tmp_path: Path) -> None:
    from test_cli import inside

    (tmp_path / "photo.png").write_bytes(as_png(smooth(3)))
    inside("sample", tmp_path / "photo.png", "-n", "1", "-o", tmp_path / "out", "-q")
    drawn = levels_of(tmp_path / "out" / "photo-0.png")
    assert (drawn % 257 != 0).mean() > 0.5  # most levels are none of 8 bits
    model = unica.open(tmp_path / "photo.png")
    assert model.picture.bits == 16


@pytest.mark.parametrize("depth", [8, 16])
def test_a_header_is_read_without_its_pixels(tmp_path: Path, depth: int) -> None:
    (tmp_path / "x.png").write_bytes(png(Header(15_800, 15_800, depth, 2), b"none"))
    assert read_header(tmp_path / "x.png").size == (15_800, 15_800) and read_text(tmp_path / "x.png") == {}
    with pytest.raises(UnicaError, match="damaged"):
        load(tmp_path / "x.png", max_side=64)
