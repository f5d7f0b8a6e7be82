"""The noise of a picture: measured, and taken away."""

from __future__ import annotations

import io

import pytest
import torch
from conftest import scenery
from PIL import Image
from torch import Tensor

from unica.image import load, noise_level, to_pil, without_noise


def smooth(height: int = 96, width: int = 128) -> Tensor:
    """Slopes with one edge."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return torch.stack([0.5 * y, 0.4 * x * y, torch.where(x > 0.3, 0.5, -0.3 * x)])


def noisy(pixels: Tensor, level: float) -> Tensor:
    return pixels + level * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))


def as_jpeg(pixels: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    to_pil(pixels).save(file, "JPEG", quality=quality)
    file.seek(0)
    return load(Image.open(file)).pixels


@pytest.mark.parametrize("level", [0.02, 0.05, 0.1])
def test_grain_is_measured(level: float) -> None:
    assert abs(noise_level(noisy(smooth(), level)) / level - 1) < 0.2


def test_a_clean_picture_has_no_noise_and_neither_has_a_texture() -> None:
    texture = torch.nn.functional.avg_pool2d(noisy(torch.zeros(3, 98, 130), 1.0)[None], 3, 1)[0]
    for pixels in (smooth(), scenery(96, 128), texture):
        assert noise_level(pixels) < 0.004
        assert torch.equal(without_noise(pixels, noise_level(pixels)), pixels)
    assert noise_level(scenery(12, 12)) == 0  # too small to tell


def test_blocks_of_jpeg_are_noise_and_more_where_it_is_strong() -> None:
    picture = (smooth() + 0.2 * scenery(96, 128)).clamp(-1, 1)
    strong, weak, none = noise_level(as_jpeg(picture, 10)), noise_level(as_jpeg(picture, 50)), noise_level(picture)
    assert strong > 2 * weak and weak > none and strong > 0.02


def test_without_noise_is_nearer_to_the_clean_picture_and_within_the_noise() -> None:
    clean = smooth()
    given = noisy(clean, 0.05)
    quiet = without_noise(given, 0.05)
    assert (quiet - clean).square().mean() < 0.3 * (given - clean).square().mean()
    assert (quiet - given).abs().max() <= 2 * 0.05 + 1e-6
