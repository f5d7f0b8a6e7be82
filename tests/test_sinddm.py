"""SinDDM against its authors' code, and against its paper.

The authors' tensors are in `data` (see its README); more runs of the same network lie outside, in ../shared/golden.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHARED, scenery
from torch import Tensor

import unica
from unica.diffusion import Level, cascade, ddim, guided
from unica.engines.sinddm.process import SinDDMProcess, make_process
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError
from unica.guides import Ascent, Placed, Places
from unica.image import load, to_pil
from unica.networks import FoldedConfig, SinDDMConfig, build
from unica.networks.embedding import sinusoids
from unica.pyramid import pyramid, receptive_field_sizes
from unica.schedule import cosine, no_blur
from unica.training.loop import pairs

DATA = Path(__file__).parent / "data"
GOLDEN = SHARED / "golden"
SIZES = [(20, 16), (28, 22), (40, 32)]  # width, height


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    picture = to_pil(scenery(32, 40))
    model = unica.import_checkpoint(DATA / "sinddm_official_format.pt", picture, SIZES, precision="float32")
    assert isinstance(model, TrainedModel)
    return model


def golden(name: str) -> dict[str, np.ndarray]:
    if not GOLDEN.exists():
        pytest.skip("the authors' trajectories lie outside the repository, in ../shared/golden")
    return dict(np.load(GOLDEN / f"sinddm_{name}.npz"))


def test_the_network_is_the_authors(model) -> None:
    data = np.load(DATA / "sinddm_network.npz")
    x, t = torch.tensor(data["x"]), torch.tensor(data["t"])
    for level in range(3):
        assert torch.allclose(model.predict_noise(x, t, level), torch.tensor(data[f"eps_scale{level}"]), atol=1e-5)
    assert torch.equal(model.predict_noise(x[:1], 7, 1), model.predict_noise(x[:1], torch.tensor([7]), 1))


def test_schedule_gamma_and_start_steps_are_the_authors(model) -> None:
    data = np.load(DATA / "sinddm_schedule.npz")
    assert np.allclose(cosine(100).alpha_bar[1:], data["alphas_cumprod"], atol=1e-6)
    losses = tuple(data["scale_losses"])
    assert model.process.blur[1:] == pytest.approx(losses, abs=1e-6)
    assert model.process.starts == tuple(data["start_steps"])
    for level in (1, 2):
        gamma = [model.process.gamma(level)(t) for t in range(1, 101)]
        assert np.allclose(gamma, data["gammas"][level - 1], atol=1e-6)
    assert [(h, w) for w, h in SIZES] == [tuple(size) for size in data["sizes_hw"]]


def test_a_whole_run_is_the_authors(model) -> None:
    data = dict(np.load(DATA / "sinddm_unconditional.npz"))
    check_run(model, model.process.levels(model.process.sizes), data, batch=1)


@pytest.mark.parametrize(("name", "blend"), [("unconditional", True), ("unconditional_noblur", False)])
def test_whole_runs_of_a_batch_are_the_authors(model, name: str, blend: bool) -> None:
    check_run(model, model.process.tuned(blend=blend).levels(model.process.sizes), golden(name), batch=2)


def check_run(model: TrainedModel, levels: list[Level], data: dict[str, np.ndarray], batch: int) -> None:
    noises = authors_noise(data, levels)
    for state in cascade(model.denoiser([0]), levels, lambda *_: next(noises)):
        if state.step == state.steps:
            assert torch.allclose(state.x, torch.tensor(data[f"out_scale{state.level}"]), atol=1e-4)
    assert next(noises, None) is None  # all noise that has an effect there was used here


def test_an_image_that_enters_at_the_finest_level_becomes_the_authors(model) -> None:
    data = golden("inject_finest_t15")
    level = model.process.levels(model.process.sizes)[-1]
    noises = iter([torch.tensor(data["noise/s2/renoise"])])
    free = unblended(level, 15, entry=16)
    image = torch.tensor(data["image"])
    *_, state = cascade(model.denoiser([0]), [free], lambda *_: next(noises), image)
    assert torch.allclose(state.x, torch.tensor(data["out_scale2"]), atol=1e-4)


def test_runs_with_chosen_regions_are_the_authors(model) -> None:
    """Eq. 2: x0 moves toward the patch inside the box, on all levels but the finest."""
    data = golden("image_roi")
    levels = model.process.levels(model.process.sizes)

    def at(level: Level, t: float) -> list[Placed]:
        if level.index == 2:
            return []
        shrink = 1.411 ** (2 - level.index)  # the authors' nominal ratio
        y, x, h, w = (int(side / shrink) for side in data["boxes_yxhw_finest"][0])
        return [Placed(torch.nn.functional.interpolate(torch.tensor(data[f"patch_scale{level.index}"]), (h, w)), y, x)]

    guide = Places(at, float(data["eta"]))
    noises = authors_noise(data, levels)
    for state in cascade(guided(model.denoiser([0]), guide), levels, lambda *_: next(noises)):
        if state.step == state.steps:
            assert torch.allclose(state.x, torch.tensor(data[f"out_scale{state.level}"]), atol=1e-4)


@pytest.mark.parametrize("name", ["text_content", "text_style"])
def test_runs_that_climb_a_score_are_the_authors(model, name: str) -> None:
    data = golden(name)
    levels = model.process.tuned(blend=False).levels(model.process.sizes)
    chosen = [int(index) for index in data["guided_scales"].nonzero()[0]]
    steps = [(level.part, level.index, t) for level in levels if level.index in chosen for t in level.times[:-1]]
    ascent = Ascent(
        lambda x: (2 * x[:, 0] - x[:, 1]).square().flatten(1).mean(1), steps[: -int(data["unguided_last_steps"])],
        1 - float(data["quantile"]), float(data["strength"]), float(data["momentum"]),
    )  # fmt: skip
    noises = authors_noise(data, levels)
    for state in cascade(guided(model.denoiser([0]), ascent), levels, lambda *_: next(noises)):
        if state.step == state.steps:
            assert torch.allclose(state.x, torch.tensor(data[f"out_scale{state.level}"]), atol=1e-4)


def unblended(level: Level, start: int, entry: int) -> Level:
    times = tuple(float(t) for t in range(start, -1, -1))
    return replace(level, times=times, entry=float(entry), gamma=no_blur, update=ddim(bound=1.0))


def authors_noise(data: dict[str, np.ndarray], levels: list[Level]) -> Iterator[Tensor]:
    """In the order in which a run asks; a name's t counts from 0."""
    for s, level in enumerate(levels):
        yield torch.tensor(data[f"noise/s{s}/renoise" if s else "noise/s0/init"])
        if level.update.eta:
            yield from (torch.tensor(data[f"noise/s{s}/t{int(t) - 1}"]) for t in level.times[:-2])


def test_levels_and_start_steps_of_an_image_are_the_authors() -> None:
    path = SHARED / "images" / "balloons.png"
    if not path.exists():
        pytest.skip("the authors' images lie outside the repository, in ../shared/images")
    pixels = load(path).pixels
    sizes = receptive_field_sizes((pixels.shape[-2], pixels.shape[-1]))
    assert sizes == [(48, 64), (67, 90), (94, 126), (133, 177), (186, 248)]
    levels = [scale.pixels for scale in pyramid(pixels, None, sizes, "lanczos8")]
    authors = make_process(SinDDMConfig(), levels, "authors")
    assert authors.starts == (100, 52, 41, 31, 22)
    assert authors.blur[1:] == pytest.approx((1.09, 0.78, 0.55, 0.39), abs=0.01)
    measured = make_process(SinDDMConfig(), levels, "measured")
    assert all(0.08 < blur < 0.11 for blur in measured.blur[1:])  # the true distance, about 0.09


@pytest.mark.parametrize("size", [(60, 80), (128, 171), (171, 128), (42, 42), (45, 900), (1000, 700)])
def test_sizes_grow_evenly_to_the_picture(size: tuple[int, int]) -> None:
    sizes = receptive_field_sizes(size)
    assert min(sizes[0]) <= 55 and sizes[-1][0] * sizes[-1][1] <= 50_000 and sizes == sorted(sizes)
    if size[0] * size[1] <= 50_000:
        assert sizes[-1] == size
    for (h, _), (H, W) in zip(sizes, sizes[1:]):
        assert 1.15 < H / h < 1.75 and pytest.approx(size[1] / size[0], rel=0.05) == W / H


def test_measured_start_steps_follow_the_equations() -> None:
    """Eq. 3 and 5 of the supplement, with the distance in [-1, 1]."""
    levels = [scale.pixels for scale in pyramid(scenery(96, 128), None, [(48, 64), (96, 128)], "lanczos")]
    process = make_process(SinDDMConfig(), levels)
    sharp, blurred, _ = pairs(levels)[1]
    assert blurred is not None
    distance = (sharp - blurred).square().mean().sqrt().item()
    ratio = [process.schedule.sigma(t) / process.schedule.alpha(t) for t in range(101)]
    start = process.starts[1]
    assert ratio[start] > distance >= ratio[start - 1]
    assert process.gamma(1)(start - 1) == pytest.approx(ratio[start - 1] / distance)
    assert process.gamma(1)(start + 1) == 1 and process.gamma(1)(0) == 0
    assert max(process.levels([(48, 64), (96, 128)])[1].gamma(t) for t in range(101)) == 0.55
    assert levels_of(process)[1].entry == start


def test_levels_start_earlier_where_they_have_little_to_do_with_the_coarser_one() -> None:
    """Noise has to be made anew at each level; what is smooth is there already."""
    sizes = [(42, 56), (59, 79), (84, 112)]
    smooth = torch.linspace(-1, 1, 112).expand(3, 84, 112)
    noise = torch.rand(3, 84, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    levels = {x: [scale.pixels for scale in pyramid(x, None, sizes)] for x in (smooth, noise)}

    def starts(x: Tensor, contrast: float = 1.0) -> tuple[int, ...]:
        scaled = [level * contrast for level in levels[x]]
        return make_process(SinDDMConfig(), scaled, "authors", start_fraction=0.01, least_noise=3.4).starts[1:]

    assert max(starts(smooth)) < 10 and min(starts(noise)) > 50
    assert starts(noise, contrast=0.1) == starts(noise)
    usual = make_process(SinDDMConfig(), levels[smooth], "authors").starts
    assert make_process(SinDDMConfig(), levels[smooth], "authors", least_noise=3.4).starts == usual


def test_start_steps_can_be_set(model) -> None:
    starts = levels_of(model.process.tuned(start_steps=(52, 41)))
    assert [level.start for level in starts] == [100, 52, 41]
    for bad in ((52,), (0, 3), (101, 3)):
        with pytest.raises(UnicaError, match="start_steps must be"):
            model.process.tuned(start_steps=bad)


def levels_of(process: SinDDMProcess) -> list[Level]:
    return process.levels(process.sizes)


@pytest.mark.parametrize(("config", "field"), [(SinDDMConfig(16), 33), (FoldedConfig(32, blocks=3, fold=2), 34)])
def test_the_receptive_field_is_what_gradients_reach(config, field: int) -> None:
    """The paper says 35 of SinDDM; its layers make 33."""
    network = build(config)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(0))
    x = torch.zeros(1, 3, 64, 64, requires_grad=True)
    network(x, torch.tensor([3]), torch.tensor([1]))[0, :, 32, 32].sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [field, field] == [config.receptive_field] * 2


def test_embeddings_are_those_of_the_papers() -> None:
    """SinDDM: sines first, up to the longest wavelength. SinDiffusion: cosines first, stopping one step before it."""
    position = torch.tensor([0, 3, 999])
    first = sinusoids(position, 32)
    assert torch.allclose(first[:, 15], (position / 10000).sin(), atol=1e-6)
    assert torch.equal(first[:, 0], position.float().sin()) and torch.equal(first[:, 16], position.float().cos())
    second = sinusoids(position, 9, cosines_first=True, endpoint=False)
    assert torch.equal(second[:, 0], position.float().cos()) and torch.equal(second[:, 8], torch.zeros(3))
    assert torch.allclose(second[:, 3], (position / 1000).cos(), atol=1e-4)


def test_the_papers_network_has_its_size() -> None:
    assert sum(weight.numel() for weight in build(SinDDMConfig(160)).parameters()) == pytest.approx(1.1e6, rel=0.01)


@pytest.mark.parametrize("config", [SinDDMConfig(16, channels=1), FoldedConfig(32, blocks=1, fold=2, channels=4)])
def test_networks_take_any_size(config) -> None:
    x = torch.randn(2, config.channels, 33, 27)
    assert build(config)(x, torch.tensor([0, 99]), torch.tensor([0, 1])).shape == x.shape
