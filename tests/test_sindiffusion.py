"""SinDiffusion against its authors' code, and against its paper. The authors' tensors: see data/README.md."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHARED, scenery
from torch import Tensor

import unica
from unica.diffusion import Level, Prediction, ddim, ddpm, diffuse, dpm, seeded
from unica.engines.files import process_from_json, process_to_json
from unica.engines.sindiffusion.process import SinDiffusionProcess, make_process
from unica.engines.train import begin
from unica.engines.trained import TrainedModel
from unica.engines.windows import windowed
from unica.errors import UnicaError
from unica.image import to_pil
from unica.networks import UNetConfig, build
from unica.networks.unet import UNet, UNets, with_receptive_field
from unica.schedule import Blend, from_betas, linear

DATA = Path(__file__).parent / "data"
GOLDEN = SHARED / "golden" / "sindiffusion_official_format.pt"


def authors_weights() -> dict[str, Tensor]:
    """The weights that the authors' tensors were made with, under the authors' names: see data/README.md."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network = UNet(UNetConfig(32, (1, 2, 4), 1))
        for weight in network.parameters():
            if (weight == 0).all():
                weight.data = 0.05 * torch.randn(weight.shape)
    return network.state_dict()


@pytest.fixture(scope="module")
def official(tmp_path_factory) -> Path:
    """A file as the authors' trainer writes it."""
    path = tmp_path_factory.mktemp("official") / "ema_0.9999_050000.pt"
    torch.save(authors_weights(), path)
    return path


@pytest.fixture(scope="module")
def model(official: Path) -> TrainedModel:
    model = unica.import_checkpoint(official, to_pil(scenery(32, 40)), precision="float32")
    assert isinstance(model, TrainedModel)
    return model


def test_the_weights_are_the_authors() -> None:
    if not GOLDEN.exists():
        pytest.skip("the authors' checkpoint lies outside the repository, in ../shared/golden")
    authors, ours = torch.load(GOLDEN, weights_only=True), authors_weights()
    assert list(authors) == list(ours)
    assert all(torch.allclose(authors[name], ours[name], atol=1e-6) for name in ours)


def test_the_network_is_the_authors(model) -> None:
    assert model.process.network == UNetConfig(32, (1, 2, 4), 1) and model.training["steps"] == 50_000
    data = np.load(DATA / "sindiffusion_network.npz")
    eps = model.predict_noise(torch.tensor(data["x"]), torch.tensor(data["t"]), 0)
    assert torch.allclose(eps, torch.tensor(data["eps"]), atol=1e-5)


def test_a_whole_chain_is_the_authors(model) -> None:
    data = np.load(DATA / "sindiffusion_ddpm_T50.npz")
    assert linear(50).alpha_bar == pytest.approx(from_betas(list(data["betas"])).alpha_bar, abs=1e-12)
    process = replace(model.process, chain=50, starts=(50,), steps=50, sampler="ddpm")
    short = TrainedModel(process, model.network, model.picture)
    (level,) = short.run((16, 20)).levels
    assert level.times == tuple(range(50, -1, -1))
    order = iter([f"noise/t{t}" for t in range(49, 0, -1)])
    x = torch.tensor(data["noise/init"])
    *_, last = diffuse(short.denoiser([0]), level, x, Blend(), lambda *_: torch.tensor(data[next(order)]))
    assert torch.allclose(last.x, torch.tensor(data["out"]), atol=1e-4)
    assert next(order, None) is None


CONFIGS = [
    UNetConfig(8, (1,), 1, norm=False),
    UNetConfig(8, (1, 2), 1, norm=False),
    UNetConfig(8, (1, 2, 4), 1, norm=False),
    UNetConfig(4, (1, 2), 2, fold=2, norm=False),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_receptive_field_is_what_gradients_reach(config) -> None:
    """With positive weights nothing cancels; norms would connect everything with everything."""
    network = UNet(config)
    for weight in network.parameters():
        torch.nn.init.uniform_(weight, 0.02, 0.05)
    side = config.receptive_field + 8 * config.grid
    side += -side % (2 * config.grid)
    x = torch.zeros(1, 3, side, 4 * config.grid, requires_grad=True)
    out = network(x, torch.tensor([3]))
    reached = 0
    for phase in range(config.grid):
        (gradient,) = torch.autograd.grad(out[0, 0, side // 2 + phase, 0], x, retain_graph=True)
        rows = gradient.abs().amax((0, 1, 3)).nonzero()
        reached = max(reached, int(rows.max() - rows.min()) + 1)
    assert reached == config.receptive_field


def test_the_papers_networks_have_their_receptive_fields() -> None:
    assert UNetConfig().receptive_field == 101
    assert UNetConfig(multipliers=(1, 2, 4, 8), blocks=2).receptive_field == 337


def test_a_receptive_field_is_chosen_as_a_fraction_of_the_picture() -> None:
    """The paper's four structures, at the size that makes the standard one 0.36."""
    fields = [with_receptive_field(UNetConfig(), share * 280).receptive_field for share in (0.07, 0.17, 0.36, 0.74)]
    assert fields == [17, 45, 101, 213]
    session = begin(to_pil(scenery(60, 80)), "sindiffusion", steps=1, receptive_field=0.2)
    network = session.trainer.process.network
    assert isinstance(network, UNetConfig) and network.multipliers == (1,)
    with pytest.raises(UnicaError, match="receptive_field is not a setting"):
        begin(to_pil(scenery(60, 80)), "sinddm", steps=1, receptive_field=0.2)


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (5, 30)])
def test_any_size_and_width(norm: bool, size: tuple[int, int]) -> None:
    network = build(UNetConfig(10, (1, 2), 1, channels=4, norm=norm))
    x, t = torch.randn(2, 4, *size), torch.tensor([3, 900])
    assert network(x, t, torch.zeros(2)).shape == x.shape


def test_checkpointing_gives_the_same_gradient() -> None:
    torch.manual_seed(0)
    config = UNetConfig(8, (1, 2))
    plain, checkpointed = build(config), build(config, checkpointing=True)
    checkpointed.load_state_dict(plain.state_dict())
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([3, 900])
    for network in (plain, checkpointed):
        for name, weight in network.named_parameters():
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))) * 0.1
        network(x, t, t * 0).square().sum().backward()
    for a, b in zip(plain.parameters(), checkpointed.parameters()):
        assert a.grad is not None and b.grad is not None
        assert torch.allclose(a.grad, b.grad, atol=1e-4, rtol=1e-4)


def process(**knobs) -> SinDiffusionProcess:
    return SinDiffusionProcess(network=UNetConfig(8, (1,)), sizes=((16, 20),), starts=(1000,), **knobs)


def test_runs_take_as_many_steps_as_asked_for() -> None:
    for steps in (1, 10, 25, 1000):
        (level,) = process(steps=steps).levels([(16, 20)])
        assert len(level.times) == steps + 1
        assert level.times[0] == 1000 and level.times[-1] == 0
        assert list(level.times) == sorted(set(level.times), reverse=True)


@pytest.mark.parametrize(
    ("knobs", "match"),
    [
        ({"steps": 0}, "steps must be a whole number from 1 to 1000"),
        ({"steps": 1001}, "steps must be a whole number from 1 to 1000"),
        ({"sampler": "euler"}, "sampler must be sde-dpm"),
        ({"start_steps": (3,)}, "start_steps is not a setting of the sindiffusion engine"),
    ],
)
def test_bad_knobs_are_refused(knobs: dict, match: str, model, tmp_path: Path) -> None:
    model.save(tmp_path / "x.unica")
    with pytest.raises(UnicaError, match=match):
        unica.load(tmp_path / "x.unica", **knobs)


def test_a_process_comes_back_from_its_description() -> None:
    made = process(steps=7, sampler="ddim")
    assert process_from_json(SinDiffusionProcess, json.loads(json.dumps(process_to_json(made)))) == made


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
            times = replace(process(steps=steps)).times(1000)
            level = Level(0, (3, 3), times, Gaussian.schedule, update)
            *_, last = diffuse(denoiser, level, x, Blend(), lambda *_: torch.zeros_like(x))
            errors[name, steps] = (last.x - exact).abs().max().item()
    assert errors["dpm", 50] < errors["ddim", 100] / 2
    assert errors["dpm", 100] < errors["dpm", 25] / 6
    assert errors["ddim", 100] > errors["ddim", 25] / 6


def test_few_noisy_steps_draw_the_right_distribution() -> None:
    """The SDE's second order keeps mean and spread where plain respacing does not."""
    errors = {}
    for name, update in (("ddpm", ddpm()), ("sde", dpm(eta=1.0))):
        for steps in (25, 100):
            noise = seeded([0], 1)
            level = Level(0, (100, 400), process(steps=steps).times(1000), Gaussian.schedule, update)
            *_, last = diffuse(Gaussian(), level, noise(0, 0, level), Blend(), noise)
            assert last.x.mean().item() == pytest.approx(Gaussian.mean, abs=0.01)
            errors[name, steps] = abs(last.x.std().item() / Gaussian.std - 1)
    assert errors["sde", 25] < min(0.04, errors["ddpm", 25] / 2)
    assert errors["sde", 100] < errors["sde", 25] / 4


def test_the_multi_scale_baseline_has_a_network_for_each_level() -> None:
    levels = [scenery(48, 64), scenery(68, 90), scenery(96, 128)]
    config = UNetConfig(8, (1,), levels=3)
    made = make_process(config, levels)
    assert made.starts[0] == 1000 and all(0 < start < 1000 for start in made.starts[1:])
    network = UNets(config)
    with torch.no_grad():
        network.get_parameter("1.out.2.bias").fill_(1.0)
        x = torch.zeros(1, 3, 16, 16)
        means = [network(x, torch.tensor([5]), torch.tensor([s])).mean().item() for s in range(3)]
    assert means == [0, 1, 0]


def test_strange_checkpoints_are_refused(official: Path, tmp_path: Path) -> None:
    state = authors_weights()
    picture = to_pil(scenery(32, 40))
    cases = {
        "lacks 'time_embed.0.weight'": {k: v for k, v in state.items() if k != "time_embed.0.weight"},
        "must have the shape 3, not 7": {**state, "out.2.bias": torch.zeros(7)},
        "no installed engine knows its contents": {"step": 3},
    }
    for why, held in cases.items():
        torch.save(held, tmp_path / "ema.pt")
        with pytest.raises(UnicaError, match=why):
            unica.import_checkpoint(tmp_path / "ema.pt", picture)
    with pytest.raises(UnicaError, match="one level"):
        unica.import_checkpoint(official, picture, [(20, 20), (30, 30)])


def test_imported_models_are_kept_and_drawn_from(model, tmp_path: Path) -> None:
    model.save(tmp_path / "x.unica")
    again = unica.load(tmp_path / "x.unica", steps=2, sampler="ddim", precision="float32")
    assert isinstance(again, TrainedModel)
    assert again.settings == {"preset": "imported", "steps": 2, "sampler": "ddim", "detail": "network"}
    assert unica.sample(again, size=(41, 33))[0].size == (41, 33)
    noise = torch.randn(1, 3, 32, 40)
    assert torch.equal(again.predict_noise(noise, 500, 0), model.predict_noise(noise, 500, 0))


def test_large_variance_is_the_chains_own() -> None:
    schedule, x = linear(1000), torch.zeros(1, 1, 1, 1)
    moved = ddpm("large")(x, Prediction(x, x), 500, 499, schedule, Blend(), lambda: torch.ones_like(x))
    beta = 1 - schedule.alpha_bar[500] / schedule.alpha_bar[499]
    assert moved.item() == pytest.approx(math.sqrt(beta), rel=1e-5)


def test_windows_of_a_network_without_norms_are_exact() -> None:
    torch.manual_seed(0)
    config = UNetConfig(8, (1, 2), 1, norm=False)
    network = UNet(config)
    for weight in network.parameters():
        weight.data = torch.randn_like(weight) * 0.1
    x = torch.randn(1, 3, 128, 300)

    def local(x: Tensor) -> Tensor:
        with torch.no_grad():
            return network(x, torch.tensor([30]))

    whole = windowed(local, x, config.receptive_field // 2, grid=config.grid)
    parts = windowed(local, x, config.receptive_field // 2, grid=config.grid, largest=128 * 128)
    assert torch.allclose(whole, parts, atol=1e-5)


def test_windows_that_agree_only_nearly_fade_into_each_other() -> None:
    """As norms do, this function tells each window of its mean."""
    x = torch.linspace(0, 1, 600).expand(1, 1, 100, 600)
    jumps = {}
    for feather in (0, 20):
        out = windowed(lambda x: x * 0 + x.mean(), x, 40, largest=100 * 200, feather=feather)
        assert out.min() >= 0 and out.max() <= 1
        jumps[feather] = out.diff(dim=-1).abs().max().item()
    assert jumps[0] > 0.05
    assert jumps[20] < jumps[0] / 30
