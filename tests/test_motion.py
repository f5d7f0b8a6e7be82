"""Waves that move a picture, and what stays."""

from __future__ import annotations

import torch
from conftest import scenery

from unica.motion import Movable, Waves, looseness


def grating(height: int, width: int) -> torch.Tensor:
    """Waves a little longer than two pixels, the finest that there are."""
    columns = torch.arange(width) * (2 * torch.pi / 2.6)
    return 0.5 * columns.sin().expand(3, height, width).clone()


def test_a_shift_by_whole_pixels_is_exact_and_by_half_a_pixel_loses_nothing() -> None:
    pixels = grating(40, 120)
    movable = Movable(pixels, None)
    still, none = movable.moved(torch.zeros(2, 40, 120))
    assert none is None and torch.allclose(still, pixels, atol=1e-4)
    whole, _ = movable.moved(torch.stack([torch.zeros(40, 120), torch.full((40, 120), 3.0)]))
    assert torch.allclose(whole[..., 10:-10], pixels[..., 13:-7], atol=1e-4)
    half, _ = movable.moved(torch.stack([torch.zeros(40, 120), torch.full((40, 120), 0.5)]))
    assert abs(half[..., 20:-20].std() / pixels[..., 20:-20].std() - 1) < 0.05


def test_colours_of_clear_pixels_do_not_leak() -> None:
    alpha = torch.ones(1, 32, 32)
    alpha[:, :, :16] = 0
    pixels = torch.full((3, 32, 32), -1.0)
    pixels[:, :, :16] = 1.0
    moved, seen = Movable(pixels, alpha).moved(torch.full((2, 32, 32), 1.5))
    assert seen is not None and moved[:, seen[0] > 0.2].max() < -0.9


def test_straight_edges_stay_and_textures_move() -> None:
    pixels = 0.3 * torch.randn(3, 80, 120, generator=torch.Generator().manual_seed(0))
    pixels[:, :, 60:] = -0.5
    pixels[:, :, 88:92] = 0.9  # a pole
    loose = looseness(pixels)
    assert loose[:, 88:92].max() < 0.2 and loose[20:60, 10:40].min() > 5 * loose[:, 88:92].max()


def test_waves_go_around_and_stay_within_the_picture() -> None:
    waves = Waves(scenery(64, 96), 2.0, seed=3)
    turns = torch.stack([waves.at(n / 16) for n in range(16)])
    assert torch.allclose(waves.at(0.0), waves.at(1.0), atol=1e-4)
    assert torch.allclose(turns.mean(0), torch.zeros(2, 64, 96), atol=1e-4)
    speed = (turns - turns.roll(1, 0)).square().sum(1).sqrt().mean((1, 2))
    assert speed.max() < 1.2 * speed.min()
    assert turns[:, 0, [0, -1]].abs().max() == 0 and turns[:, 1, :, [0, -1]].abs().max() == 0
