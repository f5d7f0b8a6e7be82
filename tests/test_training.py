"""Training: what it promises about its state, its schedule and its files. Tiny networks, seconds, laws."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import full_disk, scenery
from engines import NETWORKS
from PIL import Image

import unica
from unica.engines.base import Model, engines, find
from unica.engines.train import begin
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError
from unica.image import load, to_pil
from unica.networks import FoldedConfig, SinDDMConfig, UNetConfig
from unica.tensor_files import read_tensors, write_tensors
from unica.training.average import Average
from unica.training.clock import Clock
from unica.training.config import TrainingConfig
from unica.training.loop import Trainer, at_most_threads
from unica.training.memory import step_memory
from unica.training.muon import orthogonal
from unica.training.session import check_output, seconds, state_path
from unica.training.state import restore_state, save_state

PRESETS = [(engine.name, preset) for engine in engines().values() for preset in engine.presets]


def picture(height: int = 60, width: int = 80, channels: int = 3, alpha: bool = False) -> Image.Image:
    hole = torch.ones(1, height, width)
    hole[:, :20, :20] = 0
    return to_pil(scenery(height, width, channels), hole if alpha else None)


def preset(engine: str, name: str) -> TrainingConfig:
    return find(engine).config(name, load(picture()))


def small(engine: str = "sinddm", **settings) -> TrainingConfig:
    """The preset `fast` with a small network and few steps. The network draws everything."""
    common = {"network": NETWORKS[engine], "steps": 8, "batch_pixels": 3000, "detail": "network"}
    return replace(preset(engine, "fast"), **{**common, **settings})


def trained(config: TrainingConfig, seed: int = 0, source: Image.Image | None = None) -> Trainer:
    trainer = Trainer(load(source or picture()), config, seed)
    for _ in trainer.run():
        pass
    return trainer


def steps_of(model: Model) -> int:
    assert isinstance(model, TrainedModel)
    return model.training["steps"]


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([w.flatten() for w in [*trainer.network.parameters(), *trainer.average.network.parameters()]])


CONFIGS = [small(), small("sindiffusion", batch_pixels=5000)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.engine)
def test_the_loss_falls(config: TrainingConfig) -> None:
    trainer = Trainer(load(picture()), replace(config, steps=150, warmup=10))
    before = sum(trainer.validate())
    for _ in trainer.run():
        pass
    assert sum(trainer.validate()) < 0.9 * before


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.engine)
def test_bf16_learns_what_float32_does(config: TrainingConfig) -> None:
    errors = []
    for dtype in (torch.float32, torch.bfloat16):
        trainer = Trainer(load(picture()), replace(config, steps=100, warmup=10), dtype=dtype)
        for _ in trainer.run():
            pass
        errors.append(sum(trainer.validate()))
    assert errors[1] == pytest.approx(errors[0], rel=0.03)


def test_equal_seeds_give_equal_weights_and_other_seeds_others() -> None:
    first, again, other = trained(small()), trained(small()), trained(small(), seed=1)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_resumed_training_gives_the_same_bits(tmp_path: Path, optimizer) -> None:
    whole = trained(small(optimizer=optimizer))
    broken = Trainer(load(picture()), small(optimizer=optimizer))
    for progress in broken.run(every=0):
        if progress.step == 3:
            break
    save_state(broken, tmp_path / "state")
    resumed = Trainer(load(picture()), small(optimizer=optimizer))
    restore_state(resumed, tmp_path / "state")
    assert resumed.step == 3
    for _ in resumed.run():
        pass
    assert torch.equal(weights(resumed), weights(whole)) and torch.equal(resumed.losses, whole.losses)


_KILLED = """
import sys
from pathlib import Path
from test_training import picture, small
from unica.image import load
from unica.training.loop import Trainer
from unica.training.session import Session
from unica.training.state import restore_state
trainer = Trainer(load(picture()), small(steps=40))
session = Session(trainer, Path(sys.argv[1]), None)
if sys.argv[2:]:
    restore_state(trainer, session.state)
for progress in session.run(every=0):
    session.keep()
    print(progress.step, flush=True)
"""


def test_a_training_killed_at_any_moment_and_resumed_gives_the_same_bits(tmp_path: Path) -> None:
    output = tmp_path / "x.unica"
    command = [sys.executable, "-c", _KILLED, str(output)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for _ in range(random.randint(1, 25)):
        process.stdout.readline()
    time.sleep(random.random() * 0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert steps_of(unica.load(output)) > 0  # usable, whenever it was
    step = read_tensors(state_path(output), "training")[1]["step"]
    assert 0 < step < 40
    subprocess.run([*command, "resume"], check=True, stdout=subprocess.DEVNULL, env=environment)
    resumed = Trainer(load(picture()), small(steps=40))
    restore_state(resumed, state_path(output))
    assert resumed.step == 40
    assert torch.equal(weights(resumed), weights(trained(small(steps=40))))


def test_a_budget_is_used_up_and_ends_with_a_rate_of_zero() -> None:
    trainer = Trainer(load(picture()), small())
    began = time.perf_counter()
    *_, last = trainer.run(budget=10.0)
    took = time.perf_counter() - began
    assert 7 < took < 10.5 and last.fraction == 1 and last.remaining == 0
    assert trainer.optimizers[0].param_groups[0]["lr"] < 0.1 * trainer.config.learning_rate


def test_a_longer_budget_goes_on() -> None:
    trainer = Trainer(load(picture()), small())
    *_, first = trainer.run(budget=10.0)
    *_, second = trainer.run(budget=12.0)
    assert second.step > first.step and 10 < second.seconds < 12.5
    with pytest.raises(UnicaError, match="used up"):
        next(trainer.run(budget=12.0))


@pytest.mark.parametrize(("budget", "match"), [(1.0, "too short"), (float("nan"), "too short")])
def test_a_budget_too_short_is_refused(budget: float, match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        next(Trainer(load(picture()), small()).run(budget))


def test_a_budget_with_no_time_for_steps_says_what_is_needed() -> None:
    slow = small(network=SinDDMConfig(48), batch_pixels=None, batch_images=100, output="eps")
    with pytest.raises(UnicaError, match="give at least"):
        next(Trainer(load(picture()), slow).run(10.0))


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("45", 45), (20, 20)]
)
def test_budgets_are_times(text: str | int, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5m"])
def test_other_texts_are_no_budget(text: str) -> None:
    with pytest.raises(UnicaError, match="budget is written as"):
        seconds(text)


def test_resuming_something_else_is_refused(tmp_path: Path) -> None:
    save_state(trained(small()), tmp_path / "state")
    for other, match in (
        (Trainer(load(picture(64, 80)), small()), "another picture"),
        (Trainer(load(picture()), small(learning_rate=1e-2)), "learning_rate"),
        (Trainer(load(picture()), small(), seed=4), "seed 0"),
    ):
        with pytest.raises(UnicaError, match=match):
            restore_state(other, tmp_path / "state")
    with pytest.raises(UnicaError, match="does not exist"):
        restore_state(trained(small()), tmp_path / "nothing")


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save_state(trained(small()), path)
    whole = path.read_bytes()
    for damaged in (whole[:-100], whole[:50], b"", os.urandom(500)):
        path.write_bytes(damaged)
        with pytest.raises(UnicaError, match="damaged"):
            restore_state(Trainer(load(picture()), small()), path)


def test_a_full_disk_leaves_the_last_good_files(tmp_path: Path) -> None:
    path = tmp_path / "x.unica"
    session = begin(picture(), steps=2, output=path)
    for _ in session.run():
        pass
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {path, state_path(path)}

    with full_disk(), pytest.raises(UnicaError, match="file too large"):
        session.keep()
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_training_that_breaks_down_leaves_a_good_model(tmp_path: Path) -> None:
    path = tmp_path / "x.unica"
    session = begin(picture(), steps=30, output=path)
    with pytest.raises(UnicaError, match="broke down"):
        for progress in session.run(every=0):
            if progress.step == 3:
                next(session.trainer.network.parameters()).data.fill_(torch.nan)
    model = unica.load(path)
    assert isinstance(model, TrainedModel)
    assert all(weight.isfinite().all() for weight in model.network.parameters())


def test_the_learning_rate_is_halved_as_in_the_paper() -> None:
    published = preset("sinddm", "paper")
    assert (published.steps, published.batch_images, published.learning_rate, published.loss) == (
        120_000,
        32,
        1e-3,
        "l1",
    )
    trainer = Trainer(load(picture()), replace(published, network=SinDDMConfig(8)))
    rates = {}
    for step in (0, 19_999, 20_000, 40_000, 70_000, 80_000, 90_000, 110_000):
        trainer.step = step
        rates[step] = trainer.learning_rate()
    assert list(rates.values()) == pytest.approx([1e-3 * 0.5**k for k in (0, 0, 1, 2, 3, 4, 5, 6)])
    smaller = preset("sinddm", "paper-small-gpu")
    assert (smaller.steps, smaller.batch_images) == (480_000, 16)
    assert smaller.halved_at == (
        80_000,
        160_000,
        280_000,
        320_000,
        360_000,
        440_000,
    )


def test_the_papers_average_is_a_copy_at_first_and_moves_every_tenth_step() -> None:
    tiny = replace(preset("sinddm", "paper"), network=SinDDMConfig(8), batch_images=1, ema_from=20, steps=40)
    trainer = Trainer(load(picture()), tiny)
    copied = torch.empty(0)
    for progress in trainer.run(every=0):
        now, average = (next(iter(net.parameters())).detach() for net in (trainer.network, trainer.average.network))
        if progress.step == 10:
            assert torch.equal(now, average)
            copied = average.clone()
        if progress.step == 15:
            assert torch.equal(average, copied)
        if progress.step == 20:
            assert torch.allclose(average, 0.995 * copied + 0.005 * now)


@pytest.mark.parametrize("enlarge", [False, True])
def test_the_source_is_resized_at_random(enlarge: bool) -> None:
    """Between 3/4 and 5/4 of a level's sides, and no larger than the source unless that is asked for."""
    trainer = Trainer(load(picture(100, 130)), small(random_resize=0.25, enlarge=enlarge))
    for level, (height, width) in enumerate(trainer.process.sizes):
        seen = [trainer._resized(level) for _ in range(40)]
        for sharp, blurred, _ in seen:
            assert blurred is None or blurred.shape == sharp.shape
            assert 0.74 * height - 2 <= sharp.shape[-2] <= 1.26 * height + 2
        heights = {sharp.shape[-2] for sharp, _, _ in seen}
        largest = max(sharp.shape[-1] for sharp, _, _ in seen)
        assert len(heights) > 4
        assert (largest > 130) is (enlarge and width == 130)


def test_the_preset_no_blur_has_no_blur() -> None:
    tiny = replace(preset("sinddm", "no-blur"), network=SinDDMConfig(8), batch_images=1, steps=1)
    trainer = trained(tiny)
    assert all(trainer.process.gamma(index)(50) == 0 for index in range(2))
    assert all(level.gamma(t) == 0 for level in trainer.model().run((60, 80)).levels for t in range(100))


@pytest.mark.parametrize(("engine", "name"), PRESETS)
def test_every_preset_trains(engine: str, name: str) -> None:
    config = preset(engine, name)
    sizes = {SinDDMConfig: {"dim": 8}, FoldedConfig: {"width": 32, "blocks": 1}, UNetConfig: {"width": 8}}
    network = replace(config.network, **sizes[type(config.network)])
    images = None if name == "fast" else 1
    model = trained(replace(config, network=network, batch_images=images, steps=2)).model()
    assert model.engine == engine and model.settings["preset"] == name
    assert unica.sample(model)[0].size == (80, 60)


@pytest.mark.parametrize(("channels", "alpha", "mode"), [(1, False, "L"), (3, True, "RGBA"), (1, True, "LA")])
def test_gray_and_transparent_pictures_come_back(channels: int, alpha: bool, mode: str, tmp_path: Path) -> None:
    source = picture(channels=channels, alpha=alpha)
    path = tmp_path / "x.unica"
    session = begin(source, steps=2, output=path)
    for _ in session.run():
        pass
    model = unica.load(path)
    assert unica.sample(model)[0].mode == mode == source.mode
    assert to_pil(model.picture.pixels, model.picture.alpha).tobytes() == source.tobytes()


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(UnicaError, match="at least 42"):
        Trainer(load(picture(40, 80)), small())


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"engine": "instant"}, "engine must be hybrid, sinddm or sindiffusion to be trained"),
        ({"engine": "sinddm", "preset": "slow"}, "preset must be fast, paper, paper-small-gpu or no-blur, not slow"),
        (
            {"engine": "sinddm", "receptive_field": 0.3},
            "not a setting of training with the sinddm engine",
        ),
        ({"engine": "sindiffusion", "receptive_field": 3}, "receptive_field must be a number above 0 to 2"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"budget": "1m", "steps": 3}, "not both"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"resume": True}, "-o"),
    ],
)
def test_bad_settings_are_refused(words: dict, match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        begin(picture(), **words)


def test_an_output_that_exists_is_refused(tmp_path: Path) -> None:
    assert check_output(tmp_path / "new" / "x.unica") == tmp_path / "new" / "x.unica"
    (tmp_path / "x.unica").touch()
    with pytest.raises(UnicaError, match="exists already"):
        check_output(tmp_path / "x.unica")


def test_a_model_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x.unica").write_bytes(b"precious")
    with pytest.raises(UnicaError, match="--resume"):
        begin(picture(), output=tmp_path / "x.unica")
    with pytest.raises(UnicaError, match="folder"):
        begin(picture(), output=tmp_path)


def test_training_from_python_makes_a_model() -> None:
    model = unica.train(picture(), steps=2)
    assert steps_of(model) == 2 and unica.sample(model, size=(50, 44))[0].size == (50, 44)


def test_the_average_follows_every_step_after_a_warm_up() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    average = Average(network, decay=0.9, copy_until=0, every=1)
    expected = network.weight.item()
    for step in (1, 2, 500):
        network.weight.data.fill_(step)
        average.update(network, step)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
        assert next(average.network.parameters()).item() == pytest.approx(expected)


def test_a_clock_that_is_set_anew_goes_on_from_what_it_shows() -> None:
    clock = Clock(0, 0.0, 100)
    assert [clock.fraction(step) for step in (0, 50, 100, 120)] == [0, 0.5, 1, 1]
    longer = clock.with_steps(50, 200)
    assert [longer.fraction(step) for step in (50, 150, 250)] == [0.5, 0.75, 1]
    assert clock.with_steps(50, -3).end == 50


def test_a_state_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    write_tensors(tmp_path / "state", "training", {"losses": torch.zeros(1)}, {"plan": {}, "step": 3})
    with pytest.raises(UnicaError, match=r"begun by an earlier version of unica .* its model still opens"):
        restore_state(Trainer(load(picture()), small()), tmp_path / "state")


def test_memory_grows_with_the_batch_and_shrinks_by_checkpointing() -> None:
    config = preset("sindiffusion", "paper")
    source = load(to_pil(scenery(96, 128)))
    configs = [
        replace(config, batch_images=1),
        replace(config, batch_images=4),
        replace(config, batch_images=4, checkpointing=True),
    ]
    one, four, checkpointed = (step_memory(Trainer(source, config)) for config in configs)
    assert 1e8 < one < four < 4.1 * one
    assert checkpointed < four / 2


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (50, 50)])
def test_muons_steps_are_orthogonal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.max() < 1.3 and values.median() > 0.6
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(orthogonal(matrix).flatten(), (u @ v).flatten(), dim=0) > 0.95


def test_few_threads_are_used_for_a_step_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with at_most_threads(1):
            assert torch.get_num_threads() == 1
        with at_most_threads(None):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
