import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unica.metrics import sliced_wasserstein

laws = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**16)
factors = st.floats(0.1, 3.0)
sides = st.integers(28, 40)
PIXELS = {"patch": 1, "scales": (1.0,), "directions": 1}  # of a gray picture: of the values themselves


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@laws
@given(seeds, sides, sides, st.sampled_from([None, 100, 20000]))
def test_it_is_zero_to_itself_symmetric_and_positive(seed: int, height: int, width: int, limit: int | None) -> None:
    x, y = noise(seed, 1, 3, height, width), noise(seed + 1, 1, 3, 30, 31) ** 3
    distance = sliced_wasserstein(x, y, limit=limit)
    assert sliced_wasserstein(x, x, limit=limit) == 0
    assert sliced_wasserstein(y, x, limit=limit) == pytest.approx(distance, rel=1e-6)
    assert distance > 0


@laws
@given(seeds, factors, st.floats(-1, 1))
def test_it_scales_with_the_values(seed: int, factor: float, shift: float) -> None:
    x, y = noise(seed, 1, 3, 28, 30), noise(seed + 1, 1, 3, 32, 28) / 2
    scaled = sliced_wasserstein(x * factor + shift, y * factor + shift)
    assert scaled == pytest.approx(sliced_wasserstein(x, y) * factor, rel=1e-3)


@laws
@given(seeds, st.floats(-1, 1), st.sampled_from([147, 294]))
def test_the_distance_of_a_brighter_picture_is_the_difference(seed: int, shift: float, directions: int) -> None:
    x = noise(seed, 1, 3, 30, 33)
    found = sliced_wasserstein(x + shift, x, directions=directions, limit=None, seed=seed)
    assert found == pytest.approx(abs(shift), rel=1e-4, abs=1e-5)
    assert sliced_wasserstein(x + shift, x) == pytest.approx(abs(shift), rel=0.1, abs=1e-5)


@laws
@given(seeds, st.integers(1, 8), st.integers(1, 8))
def test_pixel_values_move_as_cheaply_as_they_can(seed: int, n: int, m: int) -> None:
    """Optimal transport pairs the sorted values, each of one picture m times and each of the other n times."""
    x, y = noise(seed, 1, 1, 1, n), noise(seed + 1, 1, 1, 1, m)
    pairs = x.flatten().sort().values.repeat_interleave(m) - y.flatten().sort().values.repeat_interleave(n)
    assert sliced_wasserstein(x, y, **PIXELS) == pytest.approx(pairs.square().mean().sqrt().item(), rel=1e-5)


@laws
@given(seeds)
def test_one_direction_agrees_with_scipy(seed: int) -> None:
    """With values 0 and 1 only, W₂² = W₁, which SciPy computes."""
    stats = pytest.importorskip("scipy.stats")
    x, y = (noise(seed, 1, 1, 9, 11) > 0.3).float(), (noise(seed + 1, 1, 1, 7, 8) > -0.2).float()
    expected = stats.wasserstein_distance(x.flatten().numpy(), y.flatten().numpy())
    assert sliced_wasserstein(x, y, **PIXELS) ** 2 == pytest.approx(expected, rel=1e-5, abs=1e-7)


@laws
@given(seeds, st.integers(1, 3))
def test_all_directions_cost_no_more_than_pixel_by_pixel(seed: int, sets: int) -> None:
    x, y = noise(seed, 1, 3, 12, 14), noise(seed + 1, 1, 3, 12, 14)
    sliced = sliced_wasserstein(x, y, patch=1, scales=(1.0,), directions=3 * sets, seed=seed)
    assert 0 < sliced <= (x - y).square().mean().sqrt().item()


@laws
@given(seeds, st.integers(0, 15), st.integers(0, 15))
def test_where_a_patch_is_does_not_matter(seed: int, down: int, across: int) -> None:
    """Crops of a periodic picture have the same patches, whatever phase they begin with."""
    endless = noise(seed, 1, 3, 16, 16).repeat(1, 1, 4, 4)
    x, y = endless[..., :38, :38], endless[..., down : down + 38, across : across + 38]
    assert sliced_wasserstein(x, y, scales=(1.0,)) == pytest.approx(0, abs=1e-6)


def test_only_how_often_patches_appear_counts() -> None:
    x, y = noise(0, 1, 3, 30, 34), noise(1, 1, 3, 30, 34) ** 3
    assert sliced_wasserstein(x.repeat(3, 1, 1, 1), x) == pytest.approx(0, abs=1e-6)
    assert sliced_wasserstein(torch.cat([x, y, x, y]), torch.cat([y, x])) == pytest.approx(0, abs=1e-6)
    assert sliced_wasserstein(torch.cat([x, y]), torch.cat([x, y, y])) > 0.01


def test_the_same_texture_at_another_size_is_near() -> None:
    x, wide, other = noise(0, 1, 3, 60, 64), noise(1, 1, 3, 50, 90), noise(2, 1, 3, 60, 64) * 0.7
    assert sliced_wasserstein(wide, x) < 0.3 * sliced_wasserstein(other, x)


def test_it_is_the_mean_over_scales() -> None:
    x, y = noise(0, 1, 3, 30, 31), noise(1, 1, 3, 33, 30) / 2
    each = [sliced_wasserstein(x, y, scales=(scale,)) for scale in (1.0, 0.5, 0.25)]
    assert sliced_wasserstein(x, y) == pytest.approx(sum(each) / 3)


def test_a_limit_draws_patches_with_the_seed() -> None:
    x, y = noise(0, 1, 3, 60, 60), noise(1, 1, 3, 50, 70) / 2
    every = sliced_wasserstein(x, y, limit=None)
    assert sliced_wasserstein(x, y, limit=10**6) == every
    some = sliced_wasserstein(x, y, limit=500)
    assert some == sliced_wasserstein(x, y, limit=500) != sliced_wasserstein(x, y, limit=500, seed=1)
    assert math.isclose(some, every, rel_tol=0.1)


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="no 7x7 patch fits in 5x5 pixels"):
        sliced_wasserstein(noise(0, 1, 3, 20, 20), noise(1, 1, 3, 20, 20))
