"""Adapting the tone of something that is pasted onto other ground."""

from __future__ import annotations

import torch

from unica.tone import adapted


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


def test_without_a_border_nothing_changes() -> None:
    ground, inside = scene()
    everything = torch.ones_like(inside)
    assert torch.equal(adapted(ground + 0.1, ground, everything, ~everything), ground + 0.1)
    assert torch.equal(adapted(ground + 0.1, ground, inside, torch.zeros_like(inside)), ground + 0.1)
