"""Guides towards a given picture, on every engine."""

from __future__ import annotations

import torch
from conftest import scenery
from torch import Tensor

from unica.diffusion import Level
from unica.guides import Known, LowPass
from unica.guides.reference import low_pass
from unica.model import Model
from unica.tasks.task import draw


def last(model: Model, *guides, seed: int = 0, size: tuple[int, int] = (48, 80)) -> Tensor:
    levels = model.levels(size)
    *_, frame = draw(model, levels, 1, seed, guides=lambda seeds: [guide(levels) for guide in guides])
    return frame.state.x0


def test_what_is_known_is_kept_and_the_rest_is_drawn(any_model) -> None:
    given = scenery(48, 80, seed=3)[None]
    free = torch.zeros(1, 1, 48, 80)
    free[..., 50:] = 1
    first, second = (last(any_model, lambda _: Known(given, free), seed=seed) for seed in (0, 1))
    assert torch.equal(first[..., :50], given[..., :50])
    assert not torch.equal(first[..., 50:], second[..., 50:])


def test_coarse_things_follow_the_reference(any_model) -> None:
    """A dark left half and a bright right one: low frequencies are the picture's, details are not."""
    given = torch.cat([torch.full((1, 3, 48, 40), -0.5), torch.full((1, 3, 48, 40), 0.5)], -1)
    drawn = last(any_model, lambda levels: LowPass(given, levels, size=8, share=1.0))
    free = last(any_model)
    assert distance(drawn, given) < distance(free, given) / 3
    assert drawn.std() > 0 and not torch.allclose(drawn, given, atol=0.05)
    assert torch.equal(last(any_model, lambda levels: LowPass(given, levels, share=0.0)), free)


def distance(a: Tensor, b: Tensor) -> float:
    return (low_pass(a, 8) - low_pass(b, 8)).square().mean().item()


def test_the_filter_is_linear_and_keeps_what_is_flat() -> None:
    a, b = torch.randn(2, 1, 3, 40, 50).unbind()
    assert torch.allclose(low_pass(a + 2 * b, 5), low_pass(a, 5) + 2 * low_pass(b, 5), atol=1e-5)
    assert torch.allclose(low_pass(torch.ones(1, 3, 40, 50), 5), torch.ones(1, 3, 40, 50), atol=1e-5)
    assert torch.equal(low_pass(a, 1), a)
    assert low_pass(a, 8).std() < low_pass(a, 3).std() < a.std()


def test_coarser_levels_know_only_what_is_wholly_known() -> None:
    given, free = torch.full((1, 1, 8, 8), 0.5), torch.zeros(1, 1, 8, 8)
    free[..., 3:] = 1
    given[..., 3:] = 9.0  # must not leak
    x0 = torch.zeros(1, 1, 4, 4)
    seen = Known(given, free)(x0, 1.0, Level(0, (4, 4), (1.0, 0.0)))
    assert torch.equal(seen[0, 0, 0], torch.tensor([0.5, 0, 0, 0]))
