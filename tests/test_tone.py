"""Adapting the tone of something that is pasted onto other ground."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from unica.masks import grown
from unica.tone import adapted, overhang


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth ground, and the mask of what lies on it."""
    y, x = torch.meshgrid(torch.linspace(-0.4, 0.4, 40), torch.linspace(-0.3, 0.3, 50), indexing="ij")
    inside = torch.zeros(1, 40, 50, dtype=torch.bool)
    inside[:, 10:30, 12:38] = True
    return torch.stack([y, x, x + y]), inside


def test_a_shift_of_tone_is_removed_and_the_object_stays() -> None:
    ground, inside = scene()
    thing = torch.zeros_like(ground)
    thing[:, 16:24, 20:30] = 0.5
    thing[:, 10:14, 20:24] = -0.4  # cut by the border, so the fit ignores it
    shifted = ground - torch.tensor([0.3, -0.2, 0.1])[:, None, None] * inside + thing
    assert torch.allclose(adapted(shifted, ground, inside, ~inside), ground + thing, atol=0.05)


def test_a_different_ground_is_not_adapted() -> None:
    ground, inside = scene()
    y, x = torch.meshgrid(torch.arange(40) // 8, torch.arange(50) // 8, indexing="ij")
    other = torch.stack([(y + x) % 2, y % 2, x % 2]) * 1.6 - 0.8
    pixels = other.where(inside, ground)
    changed = (adapted(pixels, ground, inside, ~inside) - pixels).abs()
    assert changed[:, inside[0]].mean() < 0.03 and changed[:, ~inside[0]].max() == 0


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("cut", [-5, -2, 0, 1, 2, 4])
def test_a_mask_lacks_what_was_cut_off_and_the_soft_border(cut: int, soft: bool) -> None:
    """Of a thing on textured ground. A loose mask lacks nothing."""
    torch.manual_seed(0)
    thing = torch.zeros(1, 80, 90, dtype=torch.bool)
    thing[:, 25:55, 30:62] = True
    share = F.avg_pool2d(thing.float(), 3, 1, 1) if soft else thing.float()
    ground = torch.randn(3, 80, 90) * 0.2
    pixels = ground.lerp(torch.randn(3, 80, 90) * 0.2 + torch.tensor([0.6, 0.0, -0.5])[:, None, None], share)
    mask = ~grown(~thing, cut) if cut > 0 else grown(thing, -cut)
    assert overhang(pixels, mask) == max(cut + soft, 0)


def test_a_mask_of_plain_ground_lacks_nothing() -> None:
    ground, inside = scene()
    assert overhang(ground, inside) == 0
    assert overhang(torch.full_like(ground, 0.3), inside) == 0


def test_without_a_border_nothing_changes() -> None:
    ground, inside = scene()
    everything = torch.ones_like(inside)
    assert torch.equal(adapted(ground + 0.1, ground, everything, ~everything), ground + 0.1)
    assert torch.equal(adapted(ground + 0.1, ground, inside, torch.zeros_like(inside)), ground + 0.1)
