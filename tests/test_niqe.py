from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from unica.metrics import niqe
from unica.metrics.niqe import block_features, fit_asymmetric, halved, luma, normalized, pristine

IMAGES = sorted(
    path for path in (Path(__file__).parents[1] / "examples" / "images").iterdir() if path.suffix in (".png", ".jpg")
)

laws = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**16)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def rough(seed: int, height: int, width: int) -> Tensor:
    """Colours with detail at every scale, as photographs have."""
    octaves = [noise(seed + i, 1, 3, height >> i, width >> i) * 1.5**i for i in range(5)]
    layers = [F.interpolate(octave, (height, width), mode="bicubic") for octave in octaves]
    return (torch.stack(layers).sum(dim=0) / 8).clamp(-1, 1)


def opened(path: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).movedim(-1, 0)[None] / 127.5 - 1


# The steps


def test_luma_of_known_colours_is_exact() -> None:
    colours = torch.tensor([[-1, -1, -1], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1], [0.004, 0.004, 0.004]])
    assert luma(colours.T[None, :, None]).flatten().tolist() == [16, 235, 81, 145, 41, 126]


@laws
@given(seeds)
def test_luma_is_the_exact_sum_rounded_half_up(seed: int) -> None:
    image = noise(seed, 1, 3, 2, 5)
    colours = ((image.double() + 1) * 127.5).round().int()[0].flatten(1).T.tolist()
    weights = (Fraction(65481, 255000), Fraction(128553, 255000), Fraction(24966, 255000))
    sums = [16 + sum(weight * value for weight, value in zip(weights, colour)) for colour in colours]
    assert luma(image).flatten().tolist() == [int(total + Fraction(1, 2)) for total in sums]


def test_halving_keeps_constants_and_ramps_and_removes_checkerboards() -> None:
    assert (halved(torch.full((1, 1, 20, 16), 77.0)) == 77).all()
    ramp = torch.arange(32.0).expand(1, 1, 24, 32)
    assert halved(ramp).shape == (1, 1, 12, 16)
    torch.testing.assert_close(halved(ramp)[..., 2:-2], ramp[..., :12, 4:-4:2] + 0.5)
    rows, columns = torch.arange(24)[:, None], torch.arange(32)
    checkers = ((rows + columns) % 2 * 2.0 - 1)[None, None]
    assert halved(checkers)[..., 2:-2, 2:-2].abs().max() < 1e-6
    grain = noise(0, 1, 1, 96, 96)
    assert halved(grain).var() < 0.25 * grain.var()


def test_halving_is_the_definition_of_imresize() -> None:
    image = noise(0, 1, 1, 10, 12).double()
    expected = imresize_half(imresize_half(image[0, 0].numpy()).T).T
    np.testing.assert_allclose(halved(image)[0, 0].numpy(), expected, atol=1e-12)


@laws
@given(st.integers(0, 255))
def test_flat_ground_has_zero_coefficients(value: int) -> None:
    window = pristine().window
    assert not normalized(torch.full((1, 1, 20, 21), value).double(), window).any()
    ramp = torch.arange(40.0).double().expand(1, 1, 20, 40) + value / 3
    assert not normalized(ramp, window)[..., 3:-3].any()


def test_the_window_is_gaussian() -> None:
    bell = (-(torch.arange(-3, 4).double() ** 2) / (2 * (7 / 6) ** 2)).exp()
    torch.testing.assert_close(pristine().window, torch.outer(bell, bell) / bell.sum() ** 2)


@laws
@given(seeds, st.floats(0.5, 4), st.floats(0.2, 3), st.floats(0.2, 3))
def test_the_fit_recovers_the_parameters(seed: int, shape: float, left: float, right: float) -> None:
    random = np.random.default_rng(seed)
    above = random.random(200_000) < right / (left + right)
    size = random.gamma(1 / shape, size=200_000) ** (1 / shape)
    samples = torch.from_numpy(np.where(above, right * size, -left * size))
    found = fit_asymmetric(samples)
    assert found.shape.item() == pytest.approx(shape, rel=0.08)
    assert found.left.item() == pytest.approx(left, rel=0.12)
    assert found.right.item() == pytest.approx(right, rel=0.12)
    mirrored = fit_asymmetric(-2 * samples)
    assert mirrored.shape.item() == pytest.approx(found.shape.item(), abs=2e-3)
    assert mirrored.left.item() == pytest.approx(2 * found.right.item(), rel=2e-2)


def test_a_flat_block_has_no_scale() -> None:
    features = block_features(torch.stack([torch.zeros(48, 48), noise(0, 48, 48)]).double())
    assert features.isnan().any(dim=1).tolist() == [True, False]


# The whole


def imresize_half(picture: np.ndarray) -> np.ndarray:
    """MATLAB's formula along the rows, term by term."""

    def cubic(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0

    size = len(picture)
    result = np.zeros((size // 2, picture.shape[1]))
    for i in range(size // 2):
        centre = 2 * i + 0.5
        weights = {k: cubic((centre - k) / 2) for k in range(2 * i - 5, 2 * i + 7)}
        for k, weight in weights.items():
            mirrored = -1 - k if k < 0 else 2 * size - 1 - k if k >= size else k
            result[i] += weight / sum(weights.values()) * picture[mirrored]
    return result


def textbook_fit(x: np.ndarray) -> tuple[float, float, float]:
    from scipy.special import gamma

    shapes = np.arange(0.2, 10.001, 0.001)
    ratios = gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
    left, right = np.sqrt(np.mean(x[x < 0] ** 2)), np.sqrt(np.mean(x[x > 0] ** 2))
    g = left / right
    ratio = np.mean(abs(x)) ** 2 / np.mean(x**2) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    shape = shapes[np.argmin((ratios - ratio) ** 2)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def textbook_features(block: np.ndarray) -> list[float]:
    from scipy.special import gamma

    shape, left, right = textbook_fit(block)
    features = [shape, (left + right) / 2]
    rows, columns = block.shape
    for down, across in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        pairs = [
            block[i, j] * block[(i - down) % rows, (j - across) % columns] for i in range(rows) for j in range(columns)
        ]
        shape, left, right = textbook_fit(np.array(pairs))
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return features


def textbook_niqe(image: Tensor) -> float:
    """NIQE written as in the paper, with a loop over blocks, shifts and pixels."""
    from scipy.ndimage import correlate

    model, window = pristine()
    red, green, blue = np.round((image[0].double().numpy() + 1) * 127.5)
    gray = np.round(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255)
    down, across = (side // 96 for side in gray.shape)
    gray = gray[: down * 96, : across * 96]
    rows: list[list[float]] = [[] for _ in range(down * across)]
    for size in (96, 48):
        mean = correlate(gray, window.numpy(), mode="nearest")
        square = correlate(gray**2, window.numpy(), mode="nearest")
        coefficients = (gray - mean) / (np.sqrt(abs(square - mean**2)) + 1)
        for k, row in enumerate(rows):
            i, j = k // across * size, k % across * size
            row += textbook_features(coefficients[i : i + size, j : j + size])
        gray = imresize_half(imresize_half(gray).T).T
    features = np.array(rows)
    difference = features.mean(axis=0) - model.mean.numpy()
    inverse = np.linalg.pinv((np.cov(features, rowvar=False) + model.cov.numpy()) / 2)
    return float(np.sqrt(difference @ inverse @ difference))


@pytest.mark.parametrize("image", [noise(0, 1, 3, 192, 288), rough(1, 200, 210)], ids=["noise", "rough"])
def test_niqe_is_the_published_formula(image: Tensor) -> None:
    pytest.importorskip("scipy")
    assert niqe(image) == pytest.approx(textbook_niqe(image), rel=1e-6)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_noise_and_blur_are_worse_than_a_photograph(path: Path) -> None:
    image = opened(path)
    natural = niqe(image)
    assert 2 < natural < 8
    grain = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    assert niqe((image + 0.3 * grain).clamp(-1, 1)) > natural + 2
    assert niqe(F.avg_pool2d(image, 5, 1, 2, count_include_pad=False)) > natural + 2


def test_gray_is_three_equal_channels() -> None:
    gray = rough(0, 100, 200).mean(dim=1, keepdim=True)
    assert niqe(gray) == niqe(gray.repeat(1, 3, 1, 1))


def test_only_whole_blocks_are_seen() -> None:
    image = rough(0, 192, 192)
    framed = F.pad(image, (0, 90, 0, 50), value=1)
    assert niqe(framed) == niqe(image)


def test_the_score_is_a_finite_number_for_small_and_flat_pictures() -> None:
    image = rough(0, 192, 192)
    one, four = niqe(image[..., :96, :96]), niqe(image)
    assert 0 < four < 100 and 0 < one < 100
    image[..., :110, :] = 0.5  # two blocks without a feature
    assert 0 < niqe(image) < 100
    assert niqe(torch.ones(1, 3, 96, 96)) == niqe(torch.zeros(1, 1, 200, 200)) > four


def test_an_image_smaller_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="no 96x96 block fits in 200x95 pixels"):
        niqe(noise(0, 1, 3, 95, 200))
