"""What users see of models and of sampling from Python, on the instant engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import scenery
from PIL import Image

import unica
from unica.engines.base import Model
from unica.image import to_pil
from unica.metrics import patch_distance


def picture(height: int = 32, width: int = 40, channels: int = 3) -> Image.Image:
    return to_pil(scenery(height, width, channels))


@pytest.fixture(scope="module")
def model() -> Model:
    return unica.open(picture())


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def test_sampling_again_gives_the_same_bytes(model) -> None:
    first = unica.sample(model, count=2, seed=4)
    unica.sample(model, size=(50, 33), seed=9, tile="x")
    again = unica.sample(model, seed=5)
    assert np.array_equal(pixels(first[1]), pixels(again[0]))
    assert not np.array_equal(pixels(first[0]), pixels(first[1]))


def test_frames_are_complete_and_move_forward(model) -> None:
    frames = list(unica.stream(unica.sample, model, count=2, seed=3))
    first = [frame for frame in frames if frame.index == 0]
    assert [f.seed for f in frames if f.last] == [3, 4]
    assert all(a.fraction < b.fraction for a, b in zip(first, first[1:])) and first[-1].fraction == pytest.approx(1)
    assert all(frame.image().size[0] > 0 for frame in frames)


@pytest.mark.parametrize("size", [(40, 32), (33, 51), (16, 16), (90, 20)])
def test_pictures_have_the_asked_for_size(model, size) -> None:
    assert unica.sample(model, size=size)[0].size == size


def test_stretch_multiplies_the_sources_size(model) -> None:
    assert unica.sample(model, stretch=(1.5, 0.5))[0].size == (60, 16)


@pytest.mark.parametrize("tile", ["x", "y", "xy"])
def test_tiles_have_no_seam(tile) -> None:
    """The step over the edge is like steps inside. Without `tile` it is larger."""
    random = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 1, 6, 6, generator=random), (40, 40), mode="bicubic")[0]
    model = unica.open(to_pil((smooth * 2 - 1).clamp(-1, 1)))

    def jump(image, axis):
        values = pixels(image).astype(float)
        edge = np.abs(np.take(values, 0, axis) - np.take(values, -1, axis)).mean()
        return edge / np.abs(np.diff(values, axis=axis)).mean()

    tiled, plain = (unica.sample(model, seed=2, tile=how)[0] for how in (tile, ""))
    for name, axis in (("x", 1), ("y", 0)):
        if name in tile:
            assert jump(tiled, axis) < 2 < jump(plain, axis)


def test_diversity_0_gives_near_copies() -> None:
    source = picture(32, 40)
    truth = pixels(source).astype(float)
    away = []
    for diversity in (0.0, 0.5):
        model = unica.open(source, diversity=diversity)
        away.append(np.mean([np.abs(pixels(p) - truth).mean() for p in unica.sample(model, count=3)]))
    assert away[0] < 0.3 * away[1]


def test_pictures_are_made_of_the_source() -> None:
    source = scenery(32, 40)
    model = unica.open(to_pil(source))
    (frame,) = [f for f in unica.stream(unica.sample, model, seed=1) if f.last]
    stranger = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    near = patch_distance(frame.state.x0, source[None], scales=(1.0,))
    assert near < 0.4 * patch_distance(stranger, source[None], scales=(1.0,))


def test_gray_stays_gray_and_16_bits_stay_16_bits() -> None:
    gray = picture(channels=1)
    assert unica.sample(unica.open(gray))[0].mode == "L"
    deep = Image.fromarray(pixels(gray).astype(np.uint16) * 257)
    made = unica.sample(unica.open(deep))[0]
    assert made.mode == "I;16" and pixels(made).max() > 255


def test_transparent_pixels_are_never_sampled() -> None:
    cut = picture(32, 40).convert("RGBA")
    values = pixels(cut).copy()
    values[6:18, 12:28] = (255, 0, 255, 0)  # a colour that would be noticed
    values[20:, :, 3] = 128
    made = pixels(unica.sample(unica.open(Image.fromarray(values)), seed=1)[0]).astype(int)
    assert made.shape[-1] == 4
    assert set(np.unique(made[..., 3])) <= {128, 255}
    magenta = (made[..., 0] > 200) & (made[..., 1] < 60) & (made[..., 2] > 200)
    assert not magenta.any()


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_constant_picture_becomes_itself(value) -> None:
    flat = Image.new("RGB", (40, 33), (value, value // 2, value))
    assert np.array_equal(pixels(unica.sample(unica.open(flat))[0]), pixels(flat))


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (112, 32)])
def test_odd_and_small_sources_keep_their_size(size) -> None:
    assert unica.sample(unica.open(picture(size[1], size[0])))[0].size == size


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"size": (0, 40)}, "size must be"),
        ({"size": (-5, 40)}, "size must be"),
        ({"size": (8, 40)}, "too small"),
        ({"size": (10**6, 10**3)}, "too large"),
        ({"size": (16384, 16384)}, "too large"),
        ({"size": (64, 64), "stretch": (1.0, 1.0)}, "not both"),
        ({"stretch": (1e308, 1.0)}, "stretch must be"),
        ({"stretch": (float("nan"), 1.0)}, "stretch must be"),
        ({"count": 0}, "count must be"),
        ({"count": 10**30}, "count must be"),
        ({"tile": "z"}, "tile must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_arguments_are_refused(model, words, match) -> None:
    with pytest.raises(unica.UnicaError, match=match):
        unica.sample(model, **words)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"diversity": 1.5}, "diversity must be"),
        ({"diversity": float("nan")}, "diversity must be"),
        ({"patch": 4}, "patch must be"),
        ({"levels": 0}, "levels must be"),
        ({"max_side": 5}, "max_side must be"),
        ({"device": "tpu"}, "device must be"),
        ({"precision": "int3"}, "precision must be"),
    ],
)
def test_bad_knobs_are_refused(words, match) -> None:
    with pytest.raises(unica.UnicaError, match=match):
        unica.open(picture(), **words)
