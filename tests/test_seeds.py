"""Random numbers from seeds."""

import pytest
import torch

from unica.diffusion import Level, seeded
from unica.schedule import Exploding
from unica.seeds import generator_of


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31, 2**32 - 1])
def test_small_seeds_are_those_of_torch(seed: int) -> None:
    theirs = torch.randn(64, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(torch.randn(64, generator=generator_of(seed)), theirs)


def test_no_two_seeds_give_the_same_numbers() -> None:
    seeds = [3, 5, 2**31 + 3, *(5 + 2**power for power in range(32, 63)), 2**63 - 1, 3 + 5 * 2**32, 5 + 3 * 2**32]
    drawn = seeded(seeds, 1)(0, 0, Level(0, (8, 8), (1.0, 0.0), Exploding())).flatten(1)
    correlations = torch.corrcoef(drawn) - torch.eye(len(seeds))
    assert correlations.abs().max() < 0.6
    assert drawn.mean().abs() < 0.1 and drawn.std().sub(1).abs() < 0.05
