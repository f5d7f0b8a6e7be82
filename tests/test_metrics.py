import importlib.util
import json
import math
import sys
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from unica.metrics import (
    InceptionStem,
    Lpips,
    frechet_distance,
    frechet_features,
    layout,
    mean_patch_distance,
    nearest_patch_distances,
    patch_distance,
    patches,
    pixel_diversity,
    sharpness,
    single_image_frechet,
)
from unica.metrics import structure as structures
from unica.metrics.layout import layout_distances
from unica.metrics.patches import worst_window
from unica.metrics.structure import deep_features, source_features, structure

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT.parent / "shared" / "weights"
LPIPS_FILE = WEIGHTS / "lpips_alex_v0.1.pt"
STEM_FILE = WEIGHTS / "inception_stem_relative.pt"

needs_weights = pytest.mark.skipif(
    not (LPIPS_FILE.exists() and STEM_FILE.exists()), reason=f"the feature weights are not in {WEIGHTS}"
)
laws = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**16)
factors = st.floats(0.1, 3.0)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def photo(seed: int, *shape: int) -> Tensor:
    """Smooth 8-bit colours, with many nearly equal patches, as in a sky."""
    coarse = noise(seed, *shape[:-2], 6, 6)
    smooth = F.interpolate(coarse, shape[-2:], mode="bicubic").clamp(-1, 1)
    return ((smooth + 1) * 127.5).round() / 127.5 - 1


def gaussian(seed: int, dim: int, rank: int) -> tuple[Tensor, Tensor]:
    factor = noise(seed, dim, rank).double()
    return noise(seed + 1, dim).double(), factor @ factor.mT


# LPIPS


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    return Lpips.load(LPIPS_FILE)


def textbook_lpips(weights: dict[str, Any], x: Tensor, y: Tensor) -> Tensor:
    """Eq. 1 of the paper for each pair, layer by layer."""
    shift, scale = (torch.tensor(c)[:, None, None] for c in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    x, y = (x - shift) / scale, (y - shift) / scale
    total = torch.zeros(len(x))
    for pool, conv, lin in zip(weights["pool_before"], weights["trunk"], weights["lin"], strict=True):
        if pool:
            x, y = F.max_pool2d(x, 3, 2), F.max_pool2d(y, 3, 2)
        x, y = (F.conv2d(z, conv["weight"], conv["bias"], conv["stride"], conv["padding"]).relu() for z in (x, y))
        difference = (F.normalize(x, dim=1) - F.normalize(y, dim=1)).square()
        total += F.conv2d(difference, lin).mean(dim=(1, 2, 3))
    return total


@needs_weights
def test_lpips_is_the_published_formula(lpips: Lpips) -> None:
    x, y = photo(0, 2, 3, 70, 90), noise(1, 2, 3, 70, 90)
    weights = torch.load(LPIPS_FILE, weights_only=True)
    torch.testing.assert_close(lpips(x, y), textbook_lpips(weights, x, y), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(lpips(x, y), lpips(y, x))


@needs_weights
def test_lpips_loads_from_the_published_pair(lpips: Lpips, tmp_path: Path) -> None:
    weights = torch.load(LPIPS_FILE, weights_only=True)
    layers = zip((0, 3, 6, 8, 10), weights["trunk"], strict=True)
    alexnet = {f"features.{i}.{name}": conv[name] for i, conv in layers for name in ("weight", "bias")}
    lins = {f"lin{i}.model.1.weight": lin for i, lin in enumerate(weights["lin"])}
    torch.save(alexnet | {"classifier.6.bias": torch.zeros(1000)}, tmp_path / "alexnet.pth")
    torch.save(lins, tmp_path / "lin.pth")
    published = Lpips.from_published(tmp_path / "alexnet.pth", tmp_path / "lin.pth")
    x, y = photo(0, 1, 3, 64, 72), noise(1, 1, 3, 64, 72)
    assert torch.equal(published(x, y), lpips(x, y))
    assert all(torch.equal(v, lpips.state_dict()[k]) for k, v in published.state_dict().items())


@needs_weights
def test_mean_pairwise_is_the_mean_over_pairs(lpips: Lpips) -> None:
    samples = torch.cat([photo(0, 3, 3, 64, 72), noise(1, 2, 3, 64, 72)])
    pairs = [lpips(samples[i : i + 1], samples[j : j + 1]).item() for i, j in combinations(range(5), 2)]
    assert lpips.mean_pairwise(samples.split(1)) == pytest.approx(sum(pairs) / len(pairs), rel=1e-4)


@needs_weights
def test_identical_images_have_an_lpips_of_zero(lpips: Lpips) -> None:
    x = photo(0, 1, 3, 64, 64)
    assert lpips(x, x).item() == 0
    assert lpips.mean_pairwise(x.expand(4, -1, -1, -1).split(1)) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="two samples"):
        lpips.mean_pairwise(x.split(1))


@needs_weights
def test_gray_is_three_equal_channels(lpips: Lpips) -> None:
    x, y = noise(0, 2, 1, 64, 64), noise(1, 2, 1, 64, 64)
    torch.testing.assert_close(lpips(x, y), lpips(x.repeat(1, 3, 1, 1), y.repeat(1, 3, 1, 1)))
    stem = InceptionStem.load(STEM_FILE)
    assert single_image_frechet(x, x.repeat(1, 3, 1, 1), stem) == pytest.approx(0, abs=1e-6)


# Pixels


@laws
@given(seeds, factors, st.floats(-1, 1))
def test_pixel_diversity_is_relative_to_the_source(seed: int, factor: float, shift: float) -> None:
    samples, source = noise(seed, 4, 3, 6, 5), noise(seed + 1, 1, 3, 7, 9)
    before = pixel_diversity(samples.split(1), source)
    assert pixel_diversity((samples * factor + shift).split(1), source * factor + shift) == pytest.approx(
        before, rel=1e-3
    )
    assert pixel_diversity([samples[:1]] * 3, source) == pytest.approx(0, abs=1e-6)


def test_pixel_diversity_of_two_opposite_pictures_is_one() -> None:
    source = torch.tensor([-1.0, 1.0]).expand(1, 3, 4, 2)
    assert pixel_diversity([source, -source], source) == pytest.approx(1)


@laws
@given(seeds, factors, st.floats(-1, 1))
def test_sharpness_is_linear_in_contrast(seed: int, factor: float, shift: float) -> None:
    source = noise(seed, 1, 3, 9, 8)
    assert sharpness(source * factor + shift, source) == pytest.approx(factor, rel=1e-3)
    assert sharpness(F.avg_pool2d(source, 3, 1), source) < 1


def test_sharpness_of_a_ramp_is_its_slope() -> None:
    across, down = 0.1 * torch.arange(11).expand(1, 3, 5, 11), 0.1 * torch.arange(5)[:, None]
    assert sharpness(across + down, across) == pytest.approx(2**0.5)


# Patches


def every_distance(queries: Tensor, source: Tensor, patch: int) -> Tensor:
    ours, theirs = (F.unfold(image.double(), patch).mT.flatten(0, 1) for image in (queries, source))
    distances = torch.cdist(ours, theirs, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.amin(dim=1) / ours.shape[1] ** 0.5


@laws
@given(seeds, st.integers(1, 2), st.sampled_from([1, 3]), st.integers(1, 5), st.integers(5, 12))
def test_nearest_patches_are_the_nearest(seed: int, batch: int, channels: int, patch: int, side: int) -> None:
    queries, source = noise(seed, batch, channels, side, 7), noise(seed + 1, 1, channels, 8, side + 1)
    (found,) = nearest_patch_distances(queries, source, patch, scales=(1.0,))
    torch.testing.assert_close(found.double(), every_distance(queries, source, patch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [photo, noise])
def test_nearest_patches_are_found_across_blocks(make: Any) -> None:
    queries, source = make(0, 1, 3, 45, 50), make(1, 1, 3, 70, 60)
    (found,) = nearest_patch_distances(queries, source, scales=(1.0,))
    torch.testing.assert_close(found.double(), every_distance(queries, source, 7), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [photo, noise])
def test_every_patch_of_a_crop_is_in_the_source(make: Any) -> None:
    source = make(3, 1, 3, 64, 80)
    assert patch_distance(source[..., 5:45, 9:70], source, scales=(1.0,)) == 0
    assert patch_distance(source, source) == 0
    assert patch_distance(source, source[..., 5:45, 9:70], scales=(1.0,)) > 0


@laws
@given(seeds, factors, st.floats(-1, 1))
def test_patch_distance_scales_with_contrast_and_ignores_brightness(seed: int, factor: float, shift: float) -> None:
    queries, source = noise(seed, 1, 3, 28, 30), noise(seed + 1, 1, 3, 32, 28)
    before = patch_distance(queries, source)
    after = patch_distance(queries * factor + shift, source * factor + shift)
    assert after == pytest.approx(before * factor, rel=1e-3)
    assert mean_patch_distance(queries, source) <= before * (1 + 1e-6)


def test_patch_distance_is_the_root_of_the_mean_square_over_scales() -> None:
    queries, source = noise(0, 1, 3, 30, 31), noise(1, 1, 3, 33, 30)
    each = nearest_patch_distances(queries, source, scales=(1.0, 0.5))
    assert [len(d) for d in each] == [24 * 25, 9 * 10]
    rms = sum(d.square().mean().sqrt().item() for d in each) / 2
    assert patch_distance(queries, source, scales=(1.0, 0.5)) == pytest.approx(rms)
    mean = sum(d.mean().item() for d in each) / 2
    assert mean_patch_distance(queries, source, scales=(1.0, 0.5)) == pytest.approx(mean)


def test_a_limit_draws_patches_with_the_generator() -> None:
    queries, source = noise(0, 1, 3, 30, 30), noise(1, 1, 3, 30, 30)
    (every,) = nearest_patch_distances(queries, source, scales=(1.0,))
    (some,) = nearest_patch_distances(queries, source, scales=(1.0,), limit=50)
    (again,) = nearest_patch_distances(queries, source, scales=(1.0,), limit=50)
    (other,) = nearest_patch_distances(
        queries, source, scales=(1.0,), limit=50, generator=torch.Generator().manual_seed(1)
    )
    assert len(some) == 50 and torch.equal(some, again) and not torch.equal(some, other)
    assert (some[:, None] - every).abs().amin(dim=1).max() < 1e-6
    assert patch_distance(queries, source, limit=10**6) == pytest.approx(patch_distance(queries, source))


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="no 7x7 patch fits in 5x5 pixels"):
        patch_distance(noise(0, 1, 3, 20, 20), noise(1, 1, 3, 20, 20))


# The worst window


def every_window(output: Tensor, source: Tensor) -> Tensor:
    """The mean distance of each 15x15 window of 7x7 patches at half size."""
    ours, theirs = (half_size(image) for image in (output, source))
    distances = every_distance(ours, theirs, 7).view(ours.shape[-2] - 6, ours.shape[-1] - 6)
    return distances.unfold(0, 15, 1).unfold(1, 15, 1).mean(dim=(2, 3))


def half_size(image: Tensor) -> Tensor:
    size = (round(image.shape[-2] / 2), round(image.shape[-1] / 2))
    return F.interpolate(image, size, mode="bicubic", antialias=True)


@pytest.mark.parametrize("make", [photo, noise])
@pytest.mark.parametrize("size", [(42, 42), (47, 61), (90, 43)])
def test_the_worst_window_is_the_worst_of_all(make: Any, size: tuple[int, int]) -> None:
    output, source = make(0, 1, 3, *size), make(1, 1, 3, 51, 46)
    assert worst_window(output, source) == pytest.approx(every_window(output, source).max().item(), rel=1e-4)


def test_in_a_large_picture_the_worst_window_looks_at_every_fifth_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    output, source = photo(0, 1, 3, 92, 83), photo(1, 1, 3, 70, 60)
    ours, theirs = half_size(output), half_size(source)
    distances = every_distance(ours, theirs, 7).view(ours.shape[-2] - 6, ours.shape[-1] - 6)[::5, ::5]
    expected = distances.unfold(0, 3, 1).unfold(1, 3, 1).mean(dim=(2, 3)).max().item()
    monkeypatch.setattr(patches, "DENSE", 40 * 36 - 1)
    assert worst_window(output, source) == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr(patches, "DENSE", 40 * 36)
    assert worst_window(output, source) == pytest.approx(every_window(output, source).max().item(), rel=1e-4)


def test_the_worst_window_finds_the_bad_place_that_the_mean_hides() -> None:
    source = photo(0, 1, 3, 120, 140)
    spoilt = source.clone()
    spoilt[..., 70:100, 30:60] = 0.5 * noise(1, 3, 30, 30)
    grainy = (source + 0.15 * noise(2, 1, 3, 120, 140)).clamp(-1, 1)
    assert mean_patch_distance(spoilt, source) < mean_patch_distance(grainy, source)
    assert worst_window(spoilt, source) > 2 * worst_window(grainy, source)


# Layout


def shuffled(image: Tensor, side: int) -> Tensor:
    """The squares of an image in another order."""
    rows = [strip for column in image.split(side, -1) for strip in column.split(side, -2)]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
    down = image.shape[-2] // side
    columns = [torch.cat([rows[n] for n in order[i : i + down]], -2) for i in range(0, len(rows), down)]
    return torch.cat(columns, -1)


@pytest.mark.parametrize("size", [(60, 60), (75, 93), (200, 61)])
def test_layout_is_the_distance_of_large_patches_seen_small(size: tuple[int, int]) -> None:
    output, source = photo(0, 1, 3, *size), photo(1, 1, 3, 81, 70)
    ours, theirs = (
        F.interpolate(x, [round(side / 4) for side in x.shape[-2:]], mode="bicubic", antialias=True)
        for x in (output, source)
    )
    expected = every_distance(ours, theirs, 15)
    found = layout_distances(output, source).double()
    torch.testing.assert_close(found.sort().values, expected.sort().values, rtol=1e-4, atol=1e-5)


def test_layout_looks_at_a_limited_number_of_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    output, source = photo(0, 1, 3, 90, 120), photo(1, 1, 3, 80, 70)
    every = layout_distances(output, source)
    monkeypatch.setattr(layout, "LIMIT", 20)
    some = layout_distances(output, source)
    assert len(every) == 8 * 16 and len(some) == 20
    assert (some[:, None] - every).abs().amin(dim=1).max() < 1e-6
    assert torch.equal(some, layout_distances(output, source))


def test_layout_knows_squares_in_another_order() -> None:
    source = photo(0, 1, 3, 128, 192)
    moved, mixed = source[..., 16:, 24:], shuffled(source, 32)
    near, far = layout_distances(moved, source), layout_distances(mixed, source)
    assert near.quantile(0.95) < 0.2 * far.mean()
    assert layout_distances(shuffled(source, 64), source).mean() < far.mean()


# Structure


def photograph(name: str) -> Tensor:
    with Image.open(ROOT / "examples" / "images" / name) as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def bent(image: Tensor, pixels: float) -> Tensor:
    """One gentle wave: the left side moves up and the right side down."""
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in image.shape[-2:]), indexing="ij")
    moved = torch.stack([x, y + 2 * pixels / image.shape[-2] * (math.pi * x).sin()], dim=-1)
    return F.grid_sample(image, moved[None], padding_mode="reflection", align_corners=True)


def torn(image: Tensor, pixels: int) -> Tensor:
    """Two halves that do not meet."""
    left, right = image.tensor_split(2, dim=-1)
    return torch.cat([left.roll(pixels, -2), right], dim=-1)


def with_slab(image: Tensor) -> Tensor:
    """A strip of the ground floats in the upper part."""
    height, width = image.shape[-2:]
    result, thick = image.clone(), height // 6
    middle = slice(width // 4, width * 3 // 4)
    result[..., height // 5 : height // 5 + thick, middle] = image[..., -thick:, middle]
    return result


def textbook_features(weights: dict[str, Any], image: Tensor) -> Tensor:
    """AlexNet up to its fourth ReLU; then unit vectors."""
    shift, scale = (torch.tensor(c)[:, None, None] for c in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    x = (image - shift) / scale
    for pool, conv in list(zip(weights["pool_before"], weights["trunk"], strict=True))[:4]:
        x = F.max_pool2d(x, 3, 2) if pool else x
        x = F.conv2d(x, conv["weight"], conv["bias"], conv["stride"], conv["padding"]).relu()
    return F.normalize(x, dim=1)[0].flatten(1).T


@needs_weights
@pytest.mark.parametrize("size", [(39, 39), (70, 91), (260, 130)])
@pytest.mark.parametrize("block", [1, 1000, structures.BLOCK])
def test_structure_is_its_formula(
    lpips: Lpips, size: tuple[int, int], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, source = photo(0, 1, 3, *size), photo(1, 1, 3, 101, 66)
    weights = torch.load(LPIPS_FILE, weights_only=True)
    seen = [
        F.interpolate(source, (round(101 * s), round(66 * s)), mode="bicubic", antialias=True) for s in (0.8, 1, 1.25)
    ]
    ours, theirs = textbook_features(weights, output), torch.cat([textbook_features(weights, x) for x in seen])
    expected = np.percentile(torch.cdist(ours.double(), theirs.double()).amin(dim=1).numpy(), 95)
    monkeypatch.setattr(structures, "BLOCK", block)
    found = structure(deep_features(output, lpips), source_features(source, lpips))
    assert found == pytest.approx(expected, rel=1e-3)


@needs_weights
def test_features_are_computed_up_to_the_layer_that_is_asked_for(lpips: Lpips) -> None:
    ran: list[int] = []
    hooks = [layer.register_forward_hook(lambda *_, n=n: ran.append(n)) for n, layer in enumerate(lpips.layers)]
    deep_features(photo(0, 1, 3, 64, 64), lpips)
    for hook in hooks:
        hook.remove()
    assert ran == [0, 1, 2, 3]


@needs_weights
@pytest.mark.parametrize("name", ["dandelions.png", "harvest.jpg"])
def test_structure_rises_with_tears_and_floating_pieces_more_than_with_bending(lpips: Lpips, name: str) -> None:
    source = photograph(name)
    theirs = source_features(source, lpips)

    def score(image: Tensor) -> float:
        return structure(deep_features(image, lpips), theirs)

    whole = [score(bent(source, 6)), score(bent(source, 12)), score(source[..., 9:, 14:]), score(source.roll(12, -1))]
    broken = [score(torn(source, 40)), score(torn(source, 60)), score(with_slab(source))]
    assert min(broken) > max(whole)


@needs_weights
def test_a_copy_has_the_structure_the_layout_and_the_windows_of_its_source(lpips: Lpips) -> None:
    source = photograph("harvest.jpg")
    assert structure(deep_features(source, lpips), source_features(source, lpips)) == 0
    assert layout_distances(source, source).max() == 0
    assert worst_window(source, source) == 0


# Fréchet


@laws
@given(seeds, st.integers(1, 6))
def test_frechet_distance_is_the_textbook_formula(seed: int, dim: int) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    (mu1, cov1), (mu2, cov2) = gaussian(seed, dim, dim + 2), gaussian(seed + 2, dim, dim + 2)
    root = linalg.sqrtm(cov1.numpy() @ cov2.numpy()).real
    expected = (mu1 - mu2).square().sum() + cov1.trace() + cov2.trace() - 2 * np.trace(root)
    assert frechet_distance(mu1, cov1, mu2, cov2) == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)


@laws
@given(seeds, st.integers(1, 6), st.integers(1, 8), factors)
def test_frechet_distance_is_symmetric_and_scales(seed: int, dim: int, rank: int, factor: float) -> None:
    (mu1, cov1), (mu2, cov2) = gaussian(seed, dim, rank), gaussian(seed + 2, dim, rank)
    distance = frechet_distance(mu1, cov1, mu2, cov2)
    assert frechet_distance(mu2, cov2, mu1, cov1) == pytest.approx(distance, rel=1e-9, abs=1e-9)
    scaled = frechet_distance(mu1 * factor, cov1 * factor**2, mu2 * factor, cov2 * factor**2)
    assert scaled == pytest.approx(distance * factor**2, rel=1e-6, abs=1e-9)
    assert frechet_distance(mu1, cov1, mu1, cov1) == pytest.approx(0, abs=1e-9)


@laws
@given(seeds, st.integers(1, 8))
def test_frechet_distance_of_diagonal_gaussians_is_the_closed_form(seed: int, dim: int) -> None:
    mu1, mu2 = noise(seed, 2, dim)
    std1, std2 = noise(seed + 1, 2, dim).abs()
    expected = (mu1 - mu2).square().sum() + (std1 - std2).square().sum()
    found = frechet_distance(mu1, std1.square().diag(), mu2, std2.square().diag())
    assert found == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)


@needs_weights
def test_the_stem_is_inception_before_its_first_pooling() -> None:
    x = (photo(0, 1, 3, 40, 50) + 1) / 2
    expected = x
    for layer in torch.load(STEM_FILE, weights_only=True):
        expected = F.conv2d(expected, layer["weight"], stride=layer["stride"], padding=layer["padding"])
        expected = F.batch_norm(expected, layer["mean"], layer["var"], bias=layer["beta"], eps=layer["eps"]).relu()
    found = InceptionStem.load(STEM_FILE)(x)
    assert found.shape == (1, 64, 17, 22)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@needs_weights
def test_single_image_frechet_orders_images() -> None:
    stem, source = InceptionStem.load(STEM_FILE), photo(0, 1, 3, 60, 70)
    near, far = source + 0.02 * noise(1, 1, 3, 60, 70), noise(1, 1, 3, 60, 70)
    assert single_image_frechet(source, source, stem) == pytest.approx(0, abs=1e-9)
    assert 0 < single_image_frechet(near, source, stem) < single_image_frechet(far, source, stem)
    assert frechet_features(source, stem).cov.dtype == torch.float64


# The benchmark


@pytest.fixture(scope="module")
def quality() -> ModuleType:
    pytest.importorskip("rich")
    spec = importlib.util.spec_from_file_location("quality", ROOT / "benchmarks" / "quality.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path: Path, image: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = ((image[0].movedim(0, -1) + 1) * 127.5).round().byte().numpy()
    Image.fromarray(pixels).save(path)


@needs_weights
def test_the_benchmark_scores_a_directory(
    quality: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = photo(0, 1, 3, 64, 72)
    write(tmp_path / "images" / "sky.png", source)
    for i in range(3):
        write(tmp_path / "samples" / "sky" / f"{i}.png", source.roll(i * 11, dims=-1))
    options = {name: str(tmp_path / name) for name in ("images", "samples")}
    options |= {"weights": str(WEIGHTS), "patches": "200", "json": str(tmp_path / "scores.json")}
    argv = ["quality.py", *(word for name, value in options.items() for word in (f"--{name}", value))]
    monkeypatch.setattr(sys, "argv", argv)
    quality.main()
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert list(scores["images"]["sky"]) == list(quality.MARKS)
    assert scores["mean"] == scores["images"]["sky"]
    assert all(math.isfinite(value) for value in scores["mean"].values())
    printed = capsys.readouterr().out
    assert "sky" in printed and "to reach" in printed and "0.92..1.08" in printed


@needs_weights
def test_copies_of_the_source_score_no_diversity_and_no_distance(quality: ModuleType, lpips: Lpips) -> None:
    source = photo(0, 1, 3, 64, 72)
    scores = quality.score(source, source.repeat(3, 1, 1, 1), lpips, InceptionStem.load(STEM_FILE), 200)
    expected = dict.fromkeys(quality.MARKS, 0) | {"sharpness": 1}
    assert scores == pytest.approx(expected, abs=1e-6)
