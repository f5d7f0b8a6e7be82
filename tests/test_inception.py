"""The network of FID without its weights: names, shapes and size, and the distance on its layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unica.metrics import Gaussian, Inception, frechet_distance, frechet_of_features, sifid


@pytest.fixture(scope="module")
def network() -> Inception:
    torch.manual_seed(0)
    return Inception()


def picture(seed: int, height: int = 90, width: int = 110) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_modules_and_size_are_those_of_the_published_network(network: Inception) -> None:
    """Without its classifier InceptionV3 has 21,785,568 parameters."""
    assert sum(p.numel() for p in network.parameters()) == 21_785_568
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_5b.branch_pool.conv.weight"] == (32, 192, 1, 1)
    assert shapes["Mixed_6a.branch3x3dbl_3.bn.running_var"] == (96,)
    assert shapes["Mixed_6c.branch7x7dbl_2.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_7a.branch7x7x3_4.conv.weight"] == (192, 192, 3, 3)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)


def test_the_layers_have_the_published_sizes(network: Inception) -> None:
    shapes = {n: tuple(x.shape[1:]) for n, x in network(picture(0, 299, 299)).items()}
    assert shapes == {64: (64, 73, 73), 192: (192, 35, 35), 768: (768, 17, 17), 2048: (2048, 8, 8)}


def test_the_published_file_loads(network: Inception, tmp_path: Path) -> None:
    state = {**network.state_dict(), "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(state, tmp_path / "weights.pth")
    loaded = Inception.load(tmp_path / "weights.pth")
    x = picture(1)
    torch.testing.assert_close(loaded(x)[2048], network(x)[2048])
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, tmp_path / "weights.pth")
    torch.testing.assert_close(Inception.load(tmp_path / "weights.pth")(x)[2048], network(x)[2048])


def test_pools_are_those_of_fid(network: Inception) -> None:
    """Averages do not count the padding, and Mixed_7c takes the maximum (torchvision's network does neither)."""
    ramp = torch.arange(9.0).view(1, 1, 3, 3)
    for name in ("5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b"):
        pooled = getattr(network, f"Mixed_{name}").pool(ramp)
        assert pooled[0, 0, 0, 0] == 2 and pooled[0, 0, 1, 1] == 4
    assert network.Mixed_7c.pool(ramp).flatten().tolist() == [4, 5, 5, 7, 8, 8, 7, 8, 8]


def test_sifid_of_a_picture_to_itself_is_zero(network: Inception) -> None:
    x, y = picture(1), picture(2, 100, 80)
    assert all(d == pytest.approx(0, abs=1e-4) for d in sifid(x, x, network).values())
    assert all(there > 0 for there in sifid(x, y, network).values())
    assert sifid(x, y, network) == pytest.approx(sifid(y, x, network), rel=1e-6)


def test_a_picture_below_75_pixels_is_refused(network: Inception) -> None:
    with pytest.raises(ValueError, match="75 pixels"):
        network(picture(0, 60, 200))
    assert network(picture(0, 75, 75))[2048].shape[-2:] == (1, 1)


def features(seed: int, count: int, dim: int) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


laws = settings(max_examples=40, deadline=None)
seeds, counts, dims = st.integers(0, 2**16), st.integers(2, 30), st.integers(2, 12)


@laws
@given(seeds, counts, counts, dims)
def test_few_features_give_the_same_distance(seed: int, ours: int, theirs: int, dim: int) -> None:
    """Up to the roots of the zero eigenvalues that rounding leaves in the covariances, about 1e-8 each."""
    a, b = features(seed, ours, dim), features(seed + 1, theirs, dim)
    fits = [Gaussian(x.mean(0), x.T.cov()) for x in (a, b)]
    expected = frechet_distance(*fits[0], *fits[1])
    assert frechet_of_features(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@laws
@given(seeds, counts, dims, st.floats(0, 3))
def test_distance_to_moved_and_scaled_features_is_the_formula(seed: int, count: int, dim: int, factor: float) -> None:
    """|μ₁ − μ₂|² + (1 − s)² tr C, if the others are s times ours and moved."""
    a = features(seed, count, dim)
    b = factor * a + features(seed + 1, 1, dim)
    expected = (a.mean(0) - b.mean(0)).square().sum() + (1 - factor) ** 2 * a.var(0).sum()
    assert frechet_of_features(a, b) == pytest.approx(expected.item(), rel=1e-8, abs=1e-8)
