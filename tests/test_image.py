"""Pictures in and out: what goes in comes back, and every bad input is one sentence."""

import errno
import hashlib
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import scenery
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

import unica.image.colour
from unica.errors import UnicaError
from unica.image import contact_sheet, load, match_colours, read_text, resize, save_png, to_pil
from unica.image.png import KIND_OF, Header, png


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def colours(width: int = 48, height: int = 40) -> Image.Image:
    return Image.fromarray(noise(height, width, 3))


def as_bytes(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def levels(pixels: torch.Tensor, top: int = 255) -> np.ndarray:
    """[-1, 1], channels first -> integers, channels last."""
    return ((pixels + 1) / 2 * top).round().int().permute(1, 2, 0).numpy()


def complaint(path: Path | str | Image.Image, **options: int) -> str:
    with pytest.raises(UnicaError) as caught:
        load(path, **options)
    message = str(caught.value)
    assert str(path) in message or isinstance(path, Image.Image)
    assert message.endswith(".") and "\n" not in message
    return message


# Levels and tensors


@pytest.mark.parametrize(("top", "dtype"), [(255, np.uint8), (65535, np.uint16)])
def test_every_level_survives_the_way_to_a_tensor_and_back(top, dtype):
    side = 256 if top == 65535 else 64
    array = np.resize(np.arange(top + 1), (side, side)).astype(dtype)
    picture = load(Image.fromarray(array))
    assert picture.pixels.min() == -1 and picture.pixels.max() == 1
    again = to_pil(picture.pixels, bits=picture.bits)
    assert again.mode == ("L" if top == 255 else "I;16")
    assert np.array_equal(np.asarray(again), array)


@settings(max_examples=25, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    alpha=st.booleans(),
    bits=st.sampled_from([8, 16]),
    width=st.integers(32, 40),
    height=st.integers(32, 40),
    seed=st.integers(0, 99),
)
def test_a_saved_picture_is_read_back_as_it_was(tmp_path_factory, channels, alpha, bits, width, height, seed):
    path = tmp_path_factory.mktemp("round") / "picture.png"
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(channels, height, width, generator=generator) * 2 - 1
    cover = torch.rand(1, height, width, generator=generator) if alpha else None
    image = to_pil(pixels, cover, bits)
    save_png(image, path)
    picture = load(path)
    deep = bits == 16 and channels == 1 and not alpha
    assert picture.bits == (16 if deep else 8)
    assert (picture.alpha is None) == (cover is None)
    assert picture.size == picture.original_size == (width, height)
    assert torch.allclose(picture.pixels, pixels, rtol=0, atol=1.01 / (65535 if deep else 255))
    if picture.alpha is not None and cover is not None:
        assert torch.allclose(picture.alpha, cover, rtol=0, atol=0.51 / 255)
    again = to_pil(picture.pixels, picture.alpha, picture.bits)
    assert again.mode == image.mode and again.tobytes() == image.tobytes()


def test_to_pil_clips_and_refuses_what_is_not_a_picture():
    assert to_pil(torch.tensor([[[-3.0, 0.0, 7.0]]])).tobytes() == bytes([0, 128, 255])
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite"):
            to_pil(torch.full((3, 2, 2), bad))
    with pytest.raises(ValueError, match="channels"):
        to_pil(torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match="bits"):
        to_pil(torch.zeros(3, 4, 4), bits=12)


# Modes


@pytest.mark.parametrize(
    ("mode", "channels", "alpha"),
    [
        ("1", 1, False),
        ("L", 1, False),
        ("P", 3, False),
        ("RGB", 3, False),
        ("YCbCr", 3, False),
        ("HSV", 3, False),
        ("LAB", 3, False),
        ("CMYK", 3, False),
        ("LA", 1, True),
        ("La", 1, True),
        ("RGBA", 3, True),
        ("RGBa", 3, True),
    ],
)
def test_every_mode_becomes_gray_or_rgb(mode, channels, alpha):
    opaque = {"La": "LA", "RGBa": "RGBA", "LA": "LA", "RGBA": "RGBA"}.get(mode)
    image = colours().convert(opaque).convert(mode) if opaque else colours().convert(mode)
    expected = image.convert(opaque) if opaque else image
    before = image.tobytes()
    picture = load(image)
    assert picture.pixels.shape == (channels, 40, 48) and picture.bits == 8
    assert (picture.alpha is not None) == alpha
    assert picture.alpha is None or bool((picture.alpha == 1).all())
    expected = expected.convert("L" if channels == 1 else "RGB")
    assert np.array_equal(levels(picture.pixels).squeeze(), np.asarray(expected))
    assert image.tobytes() == before and image.mode == mode
    assert picture.name == "picture" and picture.original_size == (48, 40)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_16_bit_gray_stays_16_bits(mode):
    array = np.random.default_rng(1).integers(0, 65536, (40, 50))
    image = Image.fromarray(array.astype({"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]))
    assert image.mode == mode
    picture = load(image)
    assert picture.bits == 16 and np.array_equal(levels(picture.pixels, 65535)[:, :, 0], array)
    small = load(image, max_side=40)
    assert small.bits == 16 and small.size == (40, 32) and small.pixels.abs().max() <= 1


def test_pixels_that_have_no_8_or_16_bits_are_refused():
    assert "32-bit" in complaint(Image.new("I", (40, 40), 70000))
    assert "32-bit" in complaint(Image.new("I", (40, 40), -1))
    assert "kind F" in complaint(Image.new("F", (40, 40)))


@pytest.mark.parametrize("bits", [8, 16])
def test_one_transparent_gray_becomes_an_alpha_channel(tmp_path, bits):
    """A tRNS chunk, written by hand: old versions of Pillow do not write it for 16 bits."""
    array = np.tile(np.arange(40), (32, 1)) * (257 if bits == 16 else 1)
    rows = b"".join(b"\0" + row.astype(">u2" if bits == 16 else np.uint8).tobytes() for row in array)
    clear = struct.pack(">H", array[0, 7])
    path = tmp_path / "clear.png"
    path.write_bytes(png(Header(40, 32, bits, 0), zlib.compress(rows), (b"tRNS", clear)))
    picture = load(path)
    assert picture.bits == bits and picture.pixels.shape == (1, 32, 40) and picture.alpha is not None
    assert torch.equal(picture.alpha[0, 0], (torch.arange(40) != 7).float())
    assert np.array_equal(levels(picture.pixels, 2**bits - 1)[0, :, 0], array[0])


def test_transparent_palette_colours_become_an_alpha_channel(tmp_path):
    image = Image.frombytes("P", (40, 40), bytes(x % 3 for x in range(40)) * 40)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    for format, clear, expected in [("PNG", b"\x00\x80\xff", [0, 128, 255]), ("GIF", 1, [255, 0, 255])]:
        path = tmp_path / f"palette.{format.lower()}"
        path.write_bytes(as_bytes(image, format, transparency=clear))
        picture = load(path)
        assert picture.alpha is not None and picture.pixels.shape == (3, 40, 40)
        assert (picture.alpha[0, 0, :3] * 255).round().tolist() == expected
        for shown, colour, seen in zip(levels(picture.pixels)[0], np.eye(3) * 255, expected, strict=False):
            assert seen == 0 or np.array_equal(shown, colour)


def test_one_transparent_colour_becomes_an_alpha_channel(tmp_path):
    image = colours()
    image.paste((1, 2, 3), (0, 0, 5, 5))
    (tmp_path / "clear.png").write_bytes(as_bytes(image, transparency=(1, 2, 3)))
    alpha = load(tmp_path / "clear.png").alpha
    assert alpha is not None and alpha[0, :5, :5].max() == 0 and alpha[0, 5:].min() == 1


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_read(tmp_path, format):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / "moving"
    path.write_bytes(as_bytes(frames[0], format, save_all=True, append_images=frames[1:], lossless=True))
    assert levels(load(path).pixels)[20, 20].tolist() == [255, 0, 0]


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "JPEG2000"])
def test_lossless_formats_are_read_exactly(tmp_path, format):
    path = tmp_path / "a.photo"
    path.write_bytes(as_bytes(colours(), format, lossless=True))
    picture = load(str(path))
    assert np.array_equal(levels(picture.pixels), np.asarray(colours()))
    assert picture.name == "a" and picture.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_cmyk_becomes_rgb(tmp_path):
    (tmp_path / "print.jpg").write_bytes(as_bytes(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG"))
    assert levels(load(tmp_path / "print.jpg").pixels)[0, 0] == pytest.approx([255, 0, 0], abs=3)


def test_the_digest_of_a_pillow_image_tells_pictures_apart():
    gray, wide = Image.new("L", (40, 50), 7), Image.new("L", (50, 40), 7)
    red, blue = Image.new("P", (40, 50), 7), Image.new("P", (40, 50), 7)
    red.putpalette([255, 0, 0] * 256)
    blue.putpalette([0, 0, 255] * 256)
    digests = [load(image).sha256 for image in (gray, wide, red, blue, gray.convert("RGB"))]
    assert len(set(digests)) == 5 and digests[0] == load(gray.copy()).sha256


# Orientation


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_by_exif(tmp_path, orientation, format):
    """A red corner and a green one must be where the definition of the tag puts them."""
    upright = Image.new("RGB", (96, 64))
    upright.paste("red", (0, 0, 48, 32))
    upright.paste("lime", (48, 0, 96, 32))
    turn = Image.Transpose
    stored = {  # the inverse of what the tag asks for
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }
    image = upright.transpose(stored[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned"
    path.write_bytes(as_bytes(image, format, exif=exif))
    for source in (path, Image.open(path)):
        for max_side in (None, 48):
            picture = load(source, max_side)
            assert picture.original_size == (96, 64) and picture.size == ((48, 32) if max_side else (96, 64))
            corners = levels(picture.pixels)[[4, 4, -4, -4], [4, -4, 4, -4]]
            assert np.abs(corners - [[255, 0, 0], [0, 255, 0], [0, 0, 0], [0, 0, 0]]).max() < 30


def test_nearly_square_pictures_keep_their_original_size_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(as_bytes(Image.new("RGB", (401, 400)), "JPEG", exif=exif))
    picture = load(tmp_path / "a.jpg", max_side=40)
    assert picture.original_size == (400, 401) and picture.size == (40, 40)


def test_broken_exif_turns_nothing(tmp_path):
    for index, exif in enumerate(
        [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"]
    ):
        path = tmp_path / f"{index}.jpg"
        path.write_bytes(as_bytes(colours(), "JPEG", exif=exif))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert load(path).size == (48, 40)


# Colour profiles


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the red and the green primary exchanged, by renaming the tags of the profile."""
    profile = srgb_profile()
    assert profile.count(b"rXYZ") == profile.count(b"gXYZ") == 1
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


def gray_profile(gamma: float) -> bytes:
    """The smallest ICC v2 profile of gray: a white point and a curve."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = struct.pack(">I", 2) + b"wtpt" + struct.pack(">II", 156, 20) + b"kTRC" + struct.pack(">II", 176, 16)
    head = struct.pack(">I4sI4s4s4s", 192, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + tags + white + curve


def test_an_srgb_profile_changes_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(as_bytes(colours(), icc_profile=srgb_profile()))
    assert np.array_equal(levels(load(tmp_path / "a.png").pixels), np.asarray(colours()))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_another_profile_is_converted_to_srgb(tmp_path, mode):
    image = Image.new("RGB", (40, 40), (255, 0, 0)).convert(mode)
    (tmp_path / "a.png").write_bytes(as_bytes(image, icc_profile=swapped_profile()))
    picture = load(tmp_path / "a.png")
    assert levels(picture.pixels)[20, 20] == pytest.approx([0, 255, 0], abs=2)
    assert (picture.alpha is not None) == (mode == "RGBA")


@pytest.mark.parametrize("profile", [b"not a profile", srgb_profile()[:300], gray_profile(1.0)])
def test_a_broken_profile_or_one_of_another_kind_is_ignored(tmp_path, profile):
    (tmp_path / "a.png").write_bytes(as_bytes(colours(), icc_profile=profile))
    assert np.array_equal(levels(load(tmp_path / "a.png").pixels), np.asarray(colours()))


def test_gray_stays_gray_whatever_its_profile(tmp_path):
    for name, profile, expected in [("linear", gray_profile(1.0), 188), ("colour", srgb_profile(), 128)]:
        (tmp_path / name).write_bytes(as_bytes(Image.new("L", (40, 40), 128), icc_profile=profile))
        picture = load(tmp_path / name)
        assert picture.pixels.shape == (1, 40, 40)
        assert levels(picture.pixels)[0, 0, 0] == pytest.approx(expected, abs=1)


def test_colour_management_is_imported_only_for_profiles(monkeypatch):
    monkeypatch.delitem(sys.modules, "PIL.ImageCms")
    load(colours())
    assert "PIL.ImageCms" not in sys.modules and not hasattr(unica.image.colour, "ImageCms")


# Shrinking


@pytest.mark.parametrize(("size", "max_side", "expected"), [
    ((200, 100), 100, (100, 50)),
    ((100, 200), 100, (50, 100)),
    ((80, 60), 80, (80, 60)),
    ((80, 60), 500, (80, 60)),
])  # fmt: skip
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_max_side_bounds_the_longer_side(tmp_path, size, max_side, expected, format):
    (tmp_path / "a").write_bytes(as_bytes(Image.new("RGB", size, (200, 100, 50)), format))
    picture = load(tmp_path / "a", max_side)
    assert picture.size == expected and picture.original_size == size
    assert np.abs(levels(picture.pixels) - [200, 100, 50]).max() <= 2


def test_shrinking_is_antialiased():
    stripes = np.tile(np.array([0, 255], np.uint8), (512, 256))
    assert load(Image.fromarray(stripes), max_side=64).pixels[:, 4:-4, 4:-4].abs().max() < 0.05


MODES = ["1", "L", "LA", "RGB", "RGBA", "P", "2 bits", "clear gray", "clear colour", "clear palette"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_a_large_png_is_decoded_by_rows_and_is_the_same(tmp_path, monkeypatch, mode, rows):
    """The law: shrinking strips in width, and then all in height, gives the bytes that Pillow gives of the whole."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 4), dtype=np.uint8)).resize((181, 140))
    options: dict = {}
    if mode == "2 bits":
        image, options = noise.convert("L").quantize(4), {"bits": 2}
    elif mode.startswith("clear"):
        image = noise.convert({"gray": "L", "colour": "RGB", "palette": "P"}[mode.split()[1]])
        options["transparency"] = image.getpixel((20, 20))
    else:
        image = noise.convert(mode)
    image.save(tmp_path / "x.png", **options)
    whole = load(tmp_path / "x.png", max_side=50)
    monkeypatch.setattr("unica.image.reading._LARGE", 0)
    monkeypatch.setattr("unica.image.png._STRIP", rows * len(image.tobytes()) // image.height)
    found = load(tmp_path / "x.png", max_side=50)
    assert torch.equal(found.pixels, whole.pixels) and found.original_size == whole.original_size == (181, 140)
    assert (found.alpha is None) == (whole.alpha is None)
    if found.alpha is not None and whole.alpha is not None:
        assert torch.equal(found.alpha, whole.alpha)
    if mode in ("L", "RGB", "RGBA"):
        assert torch.equal(found.pixels, load(image.resize((50, 39), Image.Resampling.LANCZOS)).pixels)


def test_a_large_png_that_ends_early_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("unica.image.reading._LARGE", 0)
    monkeypatch.setattr("unica.image.png._STRIP", 2000)
    data = as_bytes(Image.effect_noise((150, 150), 50).convert("RGB"), "PNG")
    (tmp_path / "x.png").write_bytes(data)
    assert load(tmp_path / "x.png", max_side=50).size == (50, 50)
    (tmp_path / "x.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnicaError, match="it may be damaged: image file is truncated"):
        load(tmp_path / "x.png", max_side=50)


PEAK = """
import sys
from unica.image import load

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

load(sys.argv[1], max_side=64)  # what is imported at the first use
before = peak()
load(sys.argv[2], max_side=1000)
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells the peak of a process's memory")
@pytest.mark.parametrize(("depth", "channels"), [(8, 3), (16, 4)])
def test_a_small_file_of_many_pixels_takes_little_memory(tmp_path, depth, channels):
    """Whole, these 81 million pixels are 230 and 620 MB."""
    row, deflate = bytes([0] + [200] * (9000 * channels * depth // 8)), zlib.compressobj(1)
    data = b"".join(deflate.compress(row) for _ in range(9000)) + deflate.flush()
    (tmp_path / "huge.png").write_bytes(png(Header(9000, 9000, depth, KIND_OF[channels]), data))
    Image.effect_noise((64, 64), 50).save(tmp_path / "small.png")
    words = [sys.executable, "-c", PEAK, tmp_path / "small.png", tmp_path / "huge.png"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(done.stdout) < (130 if depth == 8 else 280)


def test_a_large_jpeg_is_decoded_small(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(as_bytes(Image.new("RGB", (1600, 800)), "JPEG"))
    resized: list[tuple[int, int]] = []
    original = Image.Image.resize

    def spy(image, size, *args, **kwargs):
        resized.append(image.size)
        return original(image, size, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "resize", spy)
    picture = load(tmp_path / "a.jpg", max_side=100)
    assert resized[0] == (200, 100) and picture.original_size == (1600, 800)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_hidden_colour_does_not_leak(tmp_path, mode):
    """Left half opaque and dark, right half invisible and white: no dark pixel may grow lighter."""
    image = Image.new("RGBA", (200, 100), (40, 40, 40, 255))
    image.paste((255, 255, 255, 0), (101, 0, 200, 100))
    save_png(image.convert(mode), tmp_path / "a.png")
    picture = load(tmp_path / "a.png", max_side=70)
    assert picture.alpha is not None
    seen = picture.alpha.expand_as(picture.pixels) > 0.1
    assert np.abs(picture.pixels[seen].numpy() - (40 / 127.5 - 1)).max() < 0.05


# Bad inputs


def test_missing_files_and_other_kinds_are_refused(tmp_path):
    assert "no such file" in complaint(tmp_path / "missing.png")
    assert "directory" in complaint(tmp_path)
    for name, data in [
        ("empty", b""),
        ("text", b"hello"),
        ("p", b"P"),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
    ]:
        (tmp_path / name).write_bytes(data)
        complaint(tmp_path / name)
        with pytest.raises(UnicaError, match=f"{name} (is not an image of a kind that can be read|cannot be read)"):
            read_text(tmp_path / name)
    assert "not an image" in complaint(tmp_path / "text")


NO_PATHS = """
import unica
from unica.image import load, read_header, read_text

for read in (load, read_text, read_header, unica.load, unica.open):
    for value in (True, 1, 2.5, None, b"x.png", ["x.png"], ""):
        try:
            read(value)
        except unica.UnicaError as error:
            assert " must be a " in str(error), error
print("standard output is open")
"""


def test_what_is_no_path_is_refused_and_closes_nothing():
    """In a process of its own: True would be the file that standard output goes to."""
    done = subprocess.run([sys.executable, "-c", NO_PATHS], capture_output=True, text=True)
    assert done.stdout == "standard output is open\n", done.stderr


def test_the_reason_for_an_unreadable_file_is_told(tmp_path, monkeypatch):
    def forbid(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", forbid)
    assert complaint(tmp_path / "a.png").endswith("a.png cannot be read: permission denied.")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "JPEG2000"])
def test_truncated_files_are_refused(tmp_path, format):
    data = as_bytes(colours(), format)
    for part in (0.1, 0.5, 0.8):
        path = tmp_path / f"{part}"
        path.write_bytes(data[: int(len(data) * part)])
        complaint(path)


@settings(max_examples=60, deadline=None)
@given(
    format=st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP"]),
    place=st.floats(0, 1),
    rubbish=st.binary(min_size=1, max_size=8),
)
def test_damaged_files_are_read_or_refused_in_one_sentence(tmp_path_factory, format, place, rubbish):
    data = bytearray(as_bytes(colours(), format))
    start = int(place * len(data))
    data[start : start + len(rubbish)] = rubbish
    path = tmp_path_factory.mktemp("damaged") / "a"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load(path)
        except UnicaError as error:
            assert str(path) in str(error)


def test_small_pictures_are_refused(tmp_path):
    save_png(Image.new("RGB", (31, 500)), tmp_path / "a.png")
    assert "31x500" in complaint(tmp_path / "a.png")
    save_png(Image.new("RGB", (320, 160)), tmp_path / "b.png")
    assert "50x25" in complaint(tmp_path / "b.png", max_side=50)
    assert "31x31" in complaint(Image.new("L", (31, 31)))
    complaint(Image.new("L", (99, 99)), max_side=0)
    assert load(Image.new("L", (32, 32))).size == (32, 32)


def test_too_many_pixels_are_seen_in_the_header(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(png(Header(30_000, 30_000, 8, 2), b""))
    assert "30000x30000" in complaint(path)
    assert "30000x30000" in complaint(path, max_side=512)
    with pytest.raises(UnicaError, match="30000x30000"):
        read_text(path)


def test_the_limit_of_pillow_is_neither_in_force_nor_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    save_png(colours(), tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(tmp_path / "a.png", max_side=40)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_wholly_transparent_pictures_are_refused(tmp_path):
    save_png(Image.new("RGBA", (40, 40), (9, 9, 9, 0)), tmp_path / "a.png")
    assert "transparent" in complaint(tmp_path / "a.png")


# Saving


def test_text_chunks_keep_their_order_and_their_letters(tmp_path):
    text = {"Software": "unica 0.1", "Zebra": "größe\nzwei", "Title": "日本 π", "Empty": "", "Author": "é"}
    save_png(Image.new("L", (4, 4)), tmp_path / "a.png", text)
    assert list(read_text(tmp_path / "a.png").items()) == list(text.items())
    save_png(Image.new("L", (4, 4)), tmp_path / "a.png", {"Source": os.fsdecode(b"caf\xe9.png")})
    assert read_text(tmp_path / "a.png") == {"Source": "caf?.png"}
    (tmp_path / "a.jpg").write_bytes(as_bytes(colours(), "JPEG"))
    assert read_text(tmp_path / "a.jpg") == {}
    with pytest.raises(UnicaError, match="no such file"):
        read_text(tmp_path / "missing.png")


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[A-Za-z]{1,20}", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"])))
)
def test_any_text_is_read_back(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("text") / "a.png"
    save_png(Image.new("L", (2, 2)), path, text)
    assert read_text(path) == text


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failure):
    save_png(Image.new("L", (4, 4), 1), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()

    def fail(image, file, *args, **kwargs):
        file.write(b"half a picture")
        raise failure

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else UnicaError) as caught:
        save_png(Image.new("L", (4, 4), 2), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before and os.listdir(tmp_path) == ["a.png"]
    if caught.type is UnicaError:
        assert str(caught.value) == f"{tmp_path / 'a.png'} cannot be written: no space left on device."


def test_unwritable_places_are_refused_and_left_alone(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "file" / "b" / "a.png", tmp_path / "folder"):
        with pytest.raises(UnicaError, match="cannot be written"):
            save_png(Image.new("L", (4, 4)), path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"] and not os.listdir(tmp_path / "folder")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_the_reason_for_an_unwritable_folder_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UnicaError, match="permission denied"):
        save_png(Image.new("L", (4, 4)), tmp_path / "a.png")


# Resizing


@pytest.mark.parametrize("how", ["bilinear", "bicubic", "lanczos"])
def test_resize_is_symmetric_and_treats_channels_alone(how):
    x = torch.rand(2, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(resize(x, (20, 30), how), x)
    assert resize(x, (9, 50), how).shape == (2, 3, 9, 50)
    assert torch.allclose(resize(torch.full_like(x, 0.3), (7, 41), how), torch.tensor(0.3))
    assert torch.allclose(resize(x, (10, 15), how).flip(-1), resize(x.flip(-1), (10, 15), how), atol=1e-5)
    assert torch.allclose(resize(x, (10, 15), how)[1:, 2:], resize(x[1:, 2:], (10, 15), how), atol=1e-6)
    assert resize(x.double(), (9, 9), how).dtype == torch.float64


def test_bicubic_is_antialiased_like_pillow():
    x = torch.rand(1, 1, 64, 48, generator=torch.Generator().manual_seed(0))
    pillow = Image.fromarray(x[0, 0].numpy()).resize((17, 23), Image.Resampling.BICUBIC)
    assert torch.allclose(resize(x, (23, 17))[0, 0], torch.tensor(np.asarray(pillow)), atol=1e-5)


# Contact sheets


def test_a_contact_sheet_centres_pictures_in_cells():
    pictures = [
        Image.new("RGB", (10, 20), "red"),
        Image.new("L", (16, 8), 7),
        Image.new("I;16", (4, 4), 0x8080),
    ]
    sheet = contact_sheet(pictures, gap=2)
    assert sheet.mode == "RGB" and sheet.size == (2 * 16 + 2, 2 * 20 + 2)
    assert sheet.getpixel((8, 10)) == (255, 0, 0) and sheet.getpixel((0, 0)) == (255, 255, 255)
    assert sheet.getpixel((18 + 8, 10)) == (7, 7, 7) and sheet.getpixel((8, 22 + 10)) == (128, 128, 128)
    assert contact_sheet(pictures, columns=3, gap=0).size == (48, 20)
    assert contact_sheet(pictures, columns=9, gap=0).size == (48, 20)
    assert contact_sheet(pictures[:1]).size == (10, 20)


def test_a_contact_sheet_with_alpha_is_transparent():
    sheet = contact_sheet([Image.new("LA", (8, 8), (9, 5)), Image.new("RGB", (4, 4), "red")])
    assert (
        sheet.mode == "RGBA"
        and sheet.getpixel((0, 0)) == (9, 9, 9, 5)
        and sheet.getpixel((13, 1)) == (255, 255, 255, 0)
    )


def test_a_contact_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])
    with pytest.raises(ValueError, match="one column"):
        contact_sheet([colours()], columns=0)


def test_matched_colours_have_mean_and_covariance_of_the_source() -> None:
    x, like = scenery(24, 32) * 0.6, scenery(20, 28, seed=3) * torch.tensor([0.5, 0.3, 0.4])[:, None, None] + 0.1
    matched = match_colours(x, like).flatten(1)
    assert torch.allclose(matched.mean(1), like.flatten(1).mean(1), atol=0.01)
    assert torch.allclose(matched.cov(), like.flatten(1).cov(), atol=0.01)


def test_matching_a_gray_source_leaves_no_colour() -> None:
    matched = match_colours(scenery(24, 32), scenery(20, 28, seed=3).mean(0).expand(3, -1, -1))
    assert (matched - matched.mean(0)).abs().max() < 0.01 and matched.std() > 0.05


def test_matching_keeps_steps_between_colours() -> None:
    """A linear map: a smooth sky stays smooth, however many of the pixels are sky."""
    ramp = torch.linspace(-0.1, 0.1, 60).expand(1, 20, -1)
    x = torch.cat([ramp, torch.full((1, 20, 4), 0.9)], 2)
    steps = match_colours(x, scenery(20, 28, seed=3)[:1])[0, 0, :60].diff()
    assert steps.max() - steps.min() < 1e-4
