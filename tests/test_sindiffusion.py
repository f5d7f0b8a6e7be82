"""SinDiffusion against its authors' code and its paper. The data were made with that code (Apache-2.0), a tiny network
with random weights: they lie in ../shared/golden."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHARED, scenery
from torch import Tensor

import unica
from unica.diffusion import Level, Prediction, ddim, ddpm, diffuse, dpm
from unica.errors import UnicaError
from unica.image import to_pil
from unica.networks import UNetConfig, build
from unica.networks.unet import UNet, receptive_field, structures
from unica.schedule import Blend, from_betas, linear
from unica.sindiffusion import SinDiffusionRecipe, make_recipe
from unica.trained import TrainedModel

GOLDEN = SHARED / "golden"
OFFICIAL = GOLDEN / "sindiffusion_official_format.pt"


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    if not OFFICIAL.exists():
        pytest.skip("the authors' tensors lie outside the repository, in ../shared/golden")
    return unica.import_checkpoint(OFFICIAL, to_pil(scenery(32, 40)), precision="float32")


def test_the_network_is_the_authors(model) -> None:
    assert model.recipe.network == UNetConfig(32, (1, 2, 4), 1)
    data = np.load(GOLDEN / "sindiffusion_network.npz")
    eps = model.predict_noise(torch.tensor(data["x"]), torch.tensor(data["t"]), 0)
    assert torch.allclose(eps, torch.tensor(data["eps"]), atol=1e-5)


def test_a_whole_chain_is_the_authors(model) -> None:
    data = np.load(GOLDEN / "sindiffusion_ddpm_T50.npz")
    assert linear(50).alpha_bar == pytest.approx(from_betas(list(data["betas"])).alpha_bar, abs=1e-12)
    recipe = replace(model.recipe, chain=50, starts=(50,), steps=50, sampler="ddpm")
    (level,) = TrainedModel(recipe, model.network, model.picture).levels((16, 20))
    assert level.times == tuple(range(50, -1, -1))
    order = iter([f"noise/t{t}" for t in range(49, 0, -1)])
    denoiser = TrainedModel(recipe, model.network, model.picture).denoiser([0, 1])
    *_, last = diffuse(
        denoiser, level, torch.tensor(data["noise/init"]), Blend(), lambda shape: torch.tensor(data[next(order)])
    )
    assert torch.allclose(last.x, torch.tensor(data["out"]), atol=1e-4)
    assert next(order, None) is None


CONFIGS = [
    UNetConfig(8, (1,), 1, norm=False),
    UNetConfig(8, (1, 2), 1, norm=False),
    UNetConfig(8, (1, 2, 4), 1, norm=False),
    UNetConfig(4, (1, 2), 2, fold=2, norm=False),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_field_is_what_gradients_reach(config) -> None:
    """With positive weights nothing cancels; norms would connect everything with everything."""
    network = UNet(config)
    for weight in network.parameters():
        torch.nn.init.uniform_(weight, 0.02, 0.05)
    side = config.field + 8 * config.grid
    side += -side % (2 * config.grid)
    x = torch.zeros(1, 3, side, 4 * config.grid, requires_grad=True)
    out = network(x, torch.tensor([3]))
    reached = 0
    for phase in range(config.grid):
        (gradient,) = torch.autograd.grad(out[0, 0, side // 2 + phase, 0], x, retain_graph=True)
        rows = gradient.abs().amax((0, 1, 3)).nonzero()
        reached = max(reached, int(rows.max() - rows.min()) + 1)
    assert reached == receptive_field(config) == config.field


def test_the_papers_structures() -> None:
    assert receptive_field(UNetConfig()) == 101
    assert receptive_field(UNetConfig(multipliers=(1, 2, 4, 8), blocks=2)) == 337
    assert [receptive_field(config) for config in structures()] == sorted(map(receptive_field, structures()))
    weights = {blocks: sum(w.numel() for w in UNet(UNetConfig(blocks=blocks)).parameters()) for blocks in (1, 2)}
    assert weights[1] < weights[2]


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (5, 30)])
def test_any_size_and_width(norm: bool, size: tuple[int, int]) -> None:
    network = build(UNetConfig(10, (1, 2), 1, channels=4, norm=norm))
    x, t = torch.randn(2, 4, *size), torch.tensor([3, 900])
    assert network(x, t, torch.zeros(2)).shape == x.shape


def test_a_frugal_network_has_the_same_gradient() -> None:
    torch.manual_seed(0)
    plain = build(UNetConfig(8, (1, 2)))
    frugal = build(plain[0].config, frugal=True)
    frugal.load_state_dict(plain.state_dict())
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([3, 900])
    for network in (plain, frugal):
        for name, weight in network.named_parameters():
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))) * 0.1
        network(x, t, t * 0).square().sum().backward()
    for a, b in zip(plain.parameters(), frugal.parameters()):
        assert torch.allclose(a.grad, b.grad, atol=1e-4, rtol=1e-4)


def recipe(**words) -> SinDiffusionRecipe:
    return SinDiffusionRecipe(network=UNetConfig(8, (1,)), sizes=((16, 20),), starts=(1000,), **words)


def test_runs_take_as_many_steps_as_asked_for() -> None:
    for steps in (1, 10, 25, 1000):
        (level,) = recipe(steps=steps).levels([(16, 20)])
        assert len(level.times) == steps + 1
        assert level.times[0] == 1000 and level.times[-1] == 0
        assert list(level.times) == sorted(set(level.times), reverse=True)


@pytest.mark.parametrize("words", [{"steps": 0}, {"steps": 1001}, {"sampler": "euler"}, {"start_steps": (3,)}])
def test_words_that_are_none(words: dict) -> None:
    with pytest.raises(UnicaError, match=next(iter(words)).replace("_", "-")):
        recipe().tuned(**words)


class Gaussian:
    """The exact denoiser of pixels that are normally distributed, whose ODE has a solution to compare with."""

    schedule = linear(1000)
    mean, std = 0.2, 0.3

    def __call__(self, x_t: Tensor, t: float, level: Level, blend: Blend) -> Prediction:
        a, s = self.schedule.alpha(t), self.schedule.sigma(t)
        gain = a * self.std**2 / (a**2 * self.std**2 + s**2)
        x0 = self.mean + gain * (x_t - a * self.mean)
        return Prediction(x0, (x_t - a * x0) / s)

    def solution(self, x: Tensor, start: float) -> Tensor:
        a, s = self.schedule.alpha(start), self.schedule.sigma(start)
        return self.mean + self.std * (x - a * self.mean) / math.sqrt(a**2 * self.std**2 + s**2)


def test_two_orders_are_better_than_one() -> None:
    """DPM-Solver++(2M): an error that falls with the square of the steps, where DDIM's falls with the steps."""
    denoiser, x = Gaussian(), torch.linspace(-2, 2, 9).view(1, 1, 3, 3)
    exact = denoiser.solution(x, 1000)
    errors = {}
    for name, update in (("ddim", ddim()), ("dpm", dpm())):
        for steps in (25, 50, 100):
            times = replace(recipe(steps=steps)).times(1000)
            *_, last = diffuse(denoiser, Level(0, (3, 3), times, update), x, Blend(), torch.randn)
            errors[name, steps] = (last.x - exact).abs().max().item()
    assert errors["dpm", 50] < errors["ddim", 100] / 2
    assert errors["dpm", 100] < errors["dpm", 25] / 6
    assert errors["ddim", 100] > errors["ddim", 25] / 6


def test_the_multi_scale_baseline_has_a_network_for_each_level() -> None:
    levels = [scenery(48, 64), scenery(68, 90), scenery(96, 128)]
    config = UNetConfig(8, (1,), levels=3)
    made = make_recipe(config, levels)
    assert made.starts[0] == 1000 and all(0 < start < 1000 for start in made.starts[1:])
    network = build(config)
    with torch.no_grad():
        network[1].out[2].bias.fill_(1.0)
        x = torch.zeros(1, 3, 16, 16)
        means = [network(x, torch.tensor([5]), torch.tensor([s])).mean().item() for s in range(3)]
    assert means == [0, 1, 0]


def test_strange_checkpoints_are_refused(model, tmp_path: Path) -> None:
    state = torch.load(OFFICIAL, weights_only=True)
    picture = to_pil(scenery(32, 40))
    cases = {
        "lacks 'time_embed.0.weight'": {k: v for k, v in state.items() if k != "time_embed.0.weight"},
        "do not fit": {**state, "out.2.bias": torch.zeros(7)},
        "no averaged model": {"step": 3},
    }
    for why, held in cases.items():
        torch.save(held, tmp_path / "ema.pt")
        with pytest.raises(UnicaError, match=why):
            unica.import_checkpoint(tmp_path / "ema.pt", picture)
    with pytest.raises(UnicaError, match="one level"):
        unica.import_checkpoint(OFFICIAL, picture, [(20, 20), (30, 30)])


def test_imported_models_are_kept_and_drawn_from(model, tmp_path: Path) -> None:
    model.save(tmp_path / "x.unica")
    again = unica.load(tmp_path / "x.unica", steps=2, sampler="ddim", precision="float32")
    assert again.settings == {"preset": "imported", "steps": 2, "sampler": "ddim"}
    assert unica.sample(again, size=(41, 33))[0].size == (41, 33)
    noise = torch.randn(1, 3, 32, 40)
    assert torch.equal(again.predict_noise(noise, 500, 0), model.predict_noise(noise, 500, 0))


def test_large_variance_is_the_chains_own() -> None:
    schedule, x = linear(1000), torch.zeros(1, 1, 1, 1)
    moved = ddpm("large")(x, Prediction(x, x), 500, 499, schedule, Blend(), torch.ones)
    beta = 1 - schedule.alpha_bar[500] / schedule.alpha_bar[499]
    assert moved.item() == pytest.approx(math.sqrt(beta), rel=1e-5)
