"""Training: what it promises about its state, its schedule and its files. Tiny networks, seconds, laws."""

from __future__ import annotations

import errno
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
from conftest import scenery
from PIL import Image

import unica
from unica import files
from unica.checkpoint import read_tensors
from unica.errors import UnicaError
from unica.image import load, to_pil
from unica.muon import orthogonal
from unica.networks import FoldedConfig, SinDDMConfig, UNetConfig
from unica.plan import Plan
from unica.presets import PRESETS, preset
from unica.session import begin, seconds, state_path
from unica.training import Trainer

SMALL = FoldedConfig(width=32, blocks=1, fold=2)


def picture(height: int = 60, width: int = 80, channels: int = 3, alpha: bool = False) -> Image.Image:
    hole = torch.ones(1, height, width)
    hole[:, :20, :20] = 0
    return to_pil(scenery(height, width, channels), hole if alpha else None)


def plan(**words) -> Plan:
    return replace(preset("sinddm", "fast"), **{"network": SMALL, "steps": 8, "pixels": 3000, **words})


def trained(plan: Plan, seed: int = 0, source: Image.Image | None = None) -> Trainer:
    trainer = Trainer(load(source or picture()), plan, seed)
    for _ in trainer.run():
        pass
    return trainer


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([w.flatten() for w in [*trainer.network.parameters(), *trainer.average.parameters()]])


ENGINES = [
    plan(),
    replace(preset("sindiffusion", "fast"), network=UNetConfig(16, (1, 1), fold=2, norm=False), pixels=5000),
]


@pytest.mark.parametrize("small", ENGINES, ids=lambda small: small.engine)
def test_the_loss_falls(small: Plan) -> None:
    trainer = Trainer(load(picture()), replace(small, steps=150, warmup=10))
    before = sum(trainer.validate())
    for _ in trainer.run():
        pass
    assert sum(trainer.validate()) < 0.9 * before


@pytest.mark.parametrize("small", ENGINES, ids=lambda small: small.engine)
def test_bf16_learns_what_float32_does(small: Plan) -> None:
    errors = []
    for dtype in (torch.float32, torch.bfloat16):
        trainer = Trainer(load(picture()), replace(small, steps=100, warmup=10), dtype=dtype)
        for _ in trainer.run():
            pass
        errors.append(sum(trainer.validate()))
    assert errors[1] == pytest.approx(errors[0], rel=0.03)


def test_a_run_twice_is_the_same_and_seeds_differ() -> None:
    first, again, other = trained(plan()), trained(plan()), trained(plan(), seed=1)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_resuming_changes_nothing(tmp_path: Path, optimizer) -> None:
    whole = trained(plan(optimizer=optimizer))
    broken = Trainer(load(picture()), plan(optimizer=optimizer))
    for progress in broken.run(every=0):
        if progress.step == 3:
            break
    broken.save(tmp_path / "state")
    resumed = Trainer(load(picture()), plan(optimizer=optimizer))
    resumed.resume(tmp_path / "state")
    assert resumed.step == 3
    for _ in resumed.run():
        pass
    assert torch.equal(weights(resumed), weights(whole)) and torch.equal(resumed.losses, whole.losses)


_KILLED = """
import sys
from pathlib import Path
from test_training import picture, plan
from unica.image import load
from unica.session import Session
from unica.training import Trainer
trainer = Trainer(load(picture()), plan(steps=40))
session = Session(trainer, Path(sys.argv[1]), None)
if sys.argv[2:]:
    trainer.resume(session.state)
for progress in session.run(every=0):
    session.keep()
    print(progress.step, flush=True)
"""


def test_killed_at_a_random_moment_and_resumed_is_never_killed(tmp_path: Path) -> None:
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
    assert unica.load(output).training["steps"] > 0  # usable, whenever it was
    step = read_tensors(state_path(output), "training")[1]["step"]
    assert 0 < step < 40
    subprocess.run([*command, "resume"], check=True, stdout=subprocess.DEVNULL, env=environment)
    resumed = Trainer(load(picture()), plan(steps=40))
    resumed.resume(state_path(output))
    assert resumed.step == 40
    assert torch.equal(weights(resumed), weights(trained(plan(steps=40))))


def test_a_budget_is_kept_and_ends_with_a_rate_of_zero() -> None:
    trainer = Trainer(load(picture()), plan())
    began = time.perf_counter()
    *_, last = trainer.run(budget=10.0)
    took = time.perf_counter() - began
    assert 7 < took < 10.5 and last.fraction == 1 and last.remaining == 0
    assert trainer.optimizers[0].param_groups[0]["lr"] < 0.1 * trainer.plan.rate


def test_a_longer_budget_goes_on(tmp_path: Path) -> None:
    trainer = Trainer(load(picture()), plan())
    *_, first = trainer.run(budget=10.0)
    *_, second = trainer.run(budget=12.0)
    assert second.step > first.step and 10 < second.seconds < 12.5
    with pytest.raises(UnicaError, match="used up"):
        next(trainer.run(budget=12.0))


@pytest.mark.parametrize(("budget", "match"), [(1.0, "too short"), (float("nan"), "too short")])
def test_a_budget_too_short_is_refused(budget: float, match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        next(Trainer(load(picture()), plan()).run(budget))


def test_a_budget_with_no_time_for_steps_says_what_is_needed() -> None:
    slow = plan(network=SinDDMConfig(48), pixels=None, images=100, output="eps")
    with pytest.raises(UnicaError, match="give at least"):
        next(Trainer(load(picture()), slow).run(10.0))


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("45", 45), (20, 20)]
)
def test_budgets_are_times(text: str | int, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5m"])
def test_other_words_are_no_budget(text: str) -> None:
    with pytest.raises(UnicaError, match="budget"):
        seconds(text)


def test_resuming_something_else_is_refused(tmp_path: Path) -> None:
    trained(plan()).save(tmp_path / "state")
    for other, match in (
        (Trainer(load(picture(64, 80)), plan()), "another picture"),
        (Trainer(load(picture()), plan(rate=1e-2)), "rate"),
        (Trainer(load(picture()), plan(), seed=4), "seed 0"),
    ):
        with pytest.raises(UnicaError, match=match):
            other.resume(tmp_path / "state")
    with pytest.raises(UnicaError, match="does not exist"):
        trained(plan()).resume(tmp_path / "nothing")


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    trained(plan()).save(path)
    whole = path.read_bytes()
    for damaged in (whole[:-100], whole[:50], b"", os.urandom(500)):
        path.write_bytes(damaged)
        with pytest.raises(UnicaError, match="damaged"):
            Trainer(load(picture()), plan()).resume(path)


def test_a_full_disk_leaves_the_last_good_files(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "x.unica"
    session = begin(picture(), steps=2, output=path)
    for _ in session.run():
        pass
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {path, state_path(path)}

    class Full:
        def __init__(self, file) -> None:
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            self.file.close()

        def write(self, data: bytes) -> None:
            self.file.write(data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "open", lambda *words: Full(open(*words)), raising=False)  # noqa: SIM115
    with pytest.raises(UnicaError, match="no space left"):
        session.keep()
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_training_that_breaks_down_does_not_spoil_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.unica"
    session = begin(picture(), steps=30, output=path)
    with pytest.raises(UnicaError, match="broke down"):
        for progress in session.run(every=0):
            if progress.step == 3:
                next(session.trainer.network.parameters()).data.fill_(torch.nan)
    weights = unica.load(path).network.parameters()
    assert all(weight.isfinite().all() for weight in weights)


def test_the_papers_schedule() -> None:
    published = preset("sinddm", "paper")
    assert (published.steps, published.images, published.rate, published.loss) == (120_000, 32, 1e-3, "l1")
    trainer = Trainer(load(picture()), replace(published, network=SinDDMConfig(8)))
    rates = {}
    for step in (0, 19_999, 20_000, 40_000, 70_000, 80_000, 90_000, 110_000):
        trainer.step = step
        rates[step] = trainer._rate(0.0)
    assert list(rates.values()) == pytest.approx([1e-3 * 0.5**k for k in (0, 0, 1, 2, 3, 4, 5, 6)])
    small = preset("sinddm", "paper-small-gpu")
    assert (small.steps, small.images) == (480_000, 16) and small.halvings == (
        80_000,
        160_000,
        280_000,
        320_000,
        360_000,
        440_000,
    )


def test_the_papers_average_is_a_copy_first_and_moves_every_tenth_step() -> None:
    tiny = replace(preset("sinddm", "paper"), network=SinDDMConfig(8), images=1, ema_from=20, steps=40)
    trainer = Trainer(load(picture()), tiny)
    copied = torch.empty(0)
    for progress in trainer.run(every=0):
        now, average = (next(iter(net.parameters())).detach() for net in (trainer.network, trainer.average))
        if progress.step == 10:
            assert torch.equal(now, average)
            copied = average.clone()
        if progress.step == 15:
            assert torch.equal(average, copied)
        if progress.step == 20:
            assert torch.allclose(average, 0.995 * copied + 0.005 * now)


@pytest.mark.parametrize("enlarge", [False, True])
def test_the_source_is_shown_at_other_sizes(enlarge: bool) -> None:
    """Between 3/4 and 5/4 of a level's sides, and no larger than the source unless that is asked for."""
    trainer = Trainer(load(picture(100, 130)), plan(stretch=0.25, enlarge=enlarge))
    for level, (height, width) in enumerate(trainer.recipe.sizes):
        seen = [trainer._stretched(level) for _ in range(40)]
        for sharp, blurred in seen:
            assert blurred is None or blurred.shape == sharp.shape
            assert 0.74 * height - 2 <= sharp.shape[-2] <= 1.26 * height + 2
        heights = {sharp.shape[-2] for sharp, _ in seen}
        largest = max(sharp.shape[-1] for sharp, _ in seen)
        assert len(heights) > 4
        assert (largest > 130) is (enlarge and width == 130)


def test_no_blur_trains_without_blur() -> None:
    tiny = replace(preset("sinddm", "no-blur"), network=SinDDMConfig(8), images=1, steps=1)
    trainer = trained(tiny)
    assert not trainer.recipe.blurred
    assert all(level.gamma(t) == 0 for level in trainer.model().levels((60, 80)) for t in range(100))


@pytest.mark.parametrize(("engine", "name"), [(engine, name) for engine in PRESETS for name in PRESETS[engine]])
def test_every_preset_trains(engine: str, name: str) -> None:
    plan = preset(engine, name)
    small = {SinDDMConfig: {"dim": 8}, FoldedConfig: {"width": 32, "blocks": 1}, UNetConfig: {"width": 8}}
    network = replace(plan.network, **small[type(plan.network)])
    images = None if name == "fast" else 1
    model = trained(replace(plan, network=network, images=images, steps=2)).model()
    assert model.engine == engine and model.settings["preset"] == name
    assert unica.sample(model)[0].size == (80, 60)


@pytest.mark.parametrize(("channels", "alpha", "mode"), [(1, False, "L"), (3, True, "RGBA"), (1, True, "LA")])
def test_gray_and_transparent_pictures(channels: int, alpha: bool, mode: str, tmp_path: Path) -> None:
    source = picture(channels=channels, alpha=alpha)
    path = tmp_path / "x.unica"
    session = begin(source, steps=2, output=path)
    for _ in session.run():
        pass
    model = unica.load(path)
    assert unica.sample(model)[0].mode == mode == source.mode
    assert to_pil(model.picture.pixels, model.picture.alpha).tobytes() == source.tobytes()


def test_too_small_a_picture() -> None:
    with pytest.raises(UnicaError, match="at least 42"):
        Trainer(load(picture(40, 80)), plan())


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"engine": "instant"}, "engine"),
        ({"preset": "slow"}, "preset"),
        ({"budget": "1m", "steps": 3}, "not both"),
        ({"steps": 0}, "steps"),
        ({"resume": True}, "-o"),
    ],
)
def test_bad_words(words: dict, match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        begin(picture(), **words)


def test_a_model_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x.unica").write_bytes(b"precious")
    with pytest.raises(UnicaError, match="--resume"):
        begin(picture(), output=tmp_path / "x.unica")
    with pytest.raises(UnicaError, match="folder"):
        begin(picture(), output=tmp_path)


def test_train_from_python() -> None:
    model = unica.train(picture(), steps=2)
    assert model.training["steps"] == 2 and unica.sample(model, size=(50, 44))[0].size == (50, 44)


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (50, 50)])
def test_muons_steps_are_orthogonal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.max() < 1.3 and values.median() > 0.6
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(orthogonal(matrix).flatten(), (u @ v).flatten(), dim=0) > 0.95
