"""Trained models: their files, where they come from, and what is drawn from them."""

from __future__ import annotations

import json
import pickle
import shlex
import signal
import subprocess
import sys
import time
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import scenery
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_cli import inside
from test_cli import unica as command
from test_training import small, steps_of, trained

import unica
from unica.cli.train import push_model
from unica.diffusion import cascade
from unica.engines.base import HUB_FILE
from unica.engines.sinddm.process import SinDDMProcess
from unica.engines.train import begin
from unica.engines.trained import TrainedModel
from unica.engines.windows import windowed
from unica.errors import UnicaError
from unica.image import load, read_text, to_pil
from unica.networks import FoldedConfig, SinDDMConfig
from unica.tensor_files import VERSION

DATA = Path(__file__).parent / "data"
OFFICIAL = DATA / "sinddm_official_format.pt"
SIZES = [(20, 16), (28, 22), (40, 32)]


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    model = trained(small(steps=3)).model()
    assert isinstance(model, TrainedModel)
    return model


@pytest.fixture
def saved(model: TrainedModel, tmp_path: Path) -> Path:
    path = tmp_path / "x.unica"
    model.save(path)
    return path


def opened(path: Path, **knobs) -> TrainedModel:
    model = unica.load(path, **knobs)
    assert isinstance(model, TrainedModel)
    return model


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture)


def test_a_file_holds_all_of_a_model(model, saved: Path) -> None:
    again = opened(saved, precision="float32")
    assert again.process == model.process and again.training == model.training
    assert torch.equal(again.picture.pixels, model.picture.pixels) and again.picture.size == model.picture.size
    assert np.array_equal(pixels(unica.sample(again, seed=2)[0]), pixels(unica.sample(model, seed=2)[0]))


def test_a_model_saved_without_its_source_draws_but_has_no_origins(model, tmp_path: Path) -> None:
    model.save(tmp_path / "x.unica", source=False)
    assert not any(name.startswith("source") for name in load_file(tmp_path / "x.unica"))
    again = unica.load(tmp_path / "x.unica")
    assert unica.sample(again)[0].size == model.picture.size
    frame = list(unica.stream(unica.sample, again))[-1]
    with pytest.raises(UnicaError, match="without its source"):
        _ = frame.origins
    with pytest.raises(UnicaError, match="there are no patches"):
        unica.load(tmp_path / "x.unica", detail="patches")


def test_sixteen_bits_come_back_exactly(tmp_path: Path) -> None:
    gray = to_pil(scenery(48, 64, channels=1), bits=16)
    gray.save(tmp_path / "gray.png")
    trainer = trained(small(steps=1), source=Image.open(tmp_path / "gray.png"))
    trainer.model().save(tmp_path / "x.unica")
    assert torch.equal(unica.load(tmp_path / "x.unica").picture.pixels, trainer.picture.pixels)
    assert unica.sample(unica.load(tmp_path / "x.unica"))[0].mode == "I;16"


@pytest.mark.parametrize("size", [(80, 60), (61, 47), (16, 16), (200, 30)])
def test_pictures_have_the_size_that_was_asked_for(model, size: tuple[int, int]) -> None:
    assert unica.sample(model, size=size)[0].size == size


def test_a_picture_depends_on_its_seed_and_not_on_its_batch(model) -> None:
    alone = [pixels(unica.sample(model, seed=seed)[0]) for seed in (4, 5, 6)]
    for batch in (2, 3):
        together = unica.sample(model, count=3, seed=4, batch=batch)
        assert all(np.array_equal(a, pixels(b)) for a, b in zip(alone, together))
    assert not np.array_equal(alone[0], alone[1])


def test_frames_of_a_batch_are_complete(model) -> None:
    frames = list(unica.stream(unica.sample, model, count=3, batch=2))
    assert [frame.seed for frame in frames if frame.last] == [0, 1, 2]
    assert all(a.done <= b.done for a, b in zip(frames, frames[1:])) and frames[-1].done == pytest.approx(1)
    last = [frame for frame in frames if frame.last][1]
    assert last.image().size == (80, 60) and last.origins is not None and last.origins.shape == (60, 80, 2)


def test_a_tile_is_a_torus(model) -> None:
    """A run on a torus does not know where its edge is: rolled noise makes a rolled picture."""
    level = model.run((60, 80), "xy").levels[0]
    z = torch.randn(1, 3, *level.size, generator=torch.Generator().manual_seed(0))
    runs = []
    for shift in (0, 6):
        noise = chain([z.roll((shift, shift), (-2, -1))], repeat(torch.zeros_like(z)))
        *_, state = cascade(model.denoiser([0]), [level], lambda *_, noise=noise: next(noise))
        runs.append(state.x)
    assert torch.allclose(runs[0].roll((6, 6), (-2, -1)), runs[1], atol=1e-3)


@pytest.mark.parametrize("wrap", ["", "x", "xy"])
def test_windows_cannot_be_seen(model, wrap) -> None:
    x = torch.randn(2, 3, 60, 91, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([30, 30]).view(-1, 1, 1, 1)

    def eps(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model.process.eps(model.network, x, t, 0)

    margin = model.process.network.receptive_field // 2
    whole = windowed(eps, x, margin, wrap)
    parts = windowed(eps, x, margin, wrap, largest=6000)
    assert torch.allclose(whole, parts, atol=1e-5)
    if not wrap:
        assert torch.equal(whole, eps(x))


def test_knobs_change_the_picture(saved: Path) -> None:
    usual = pixels(unica.sample(unica.load(saved))[0])
    unblended = unica.load(saved, blend=False)
    for other in (unica.load(saved, start_steps=(3,)), unblended):
        assert not np.array_equal(pixels(unica.sample(other)[0]), usual)
    assert unblended.settings["blend"] is False
    with pytest.raises(UnicaError, match="start_steps must be 1 numbers"):
        unica.load(saved, start_steps=(3, 4))
    with pytest.raises(UnicaError, match="start_steps must be a whole number from 1 to 100, not 101"):
        unica.load(saved, start_steps=(101,))
    with pytest.raises(UnicaError, match="steps is not a setting of the sinddm engine: it has start_steps, blend"):
        unica.load(saved, steps=10)


def test_predict_noise_refuses_what_is_not_there(model) -> None:
    x = torch.zeros(1, 3, 20, 20)
    assert model.predict_noise(x, 0, 0).dtype == torch.float32
    for t, level, match in ((100, 0, "t must"), (-1, 0, "t must"), (0, 2, "level must"), (0, -1, "level must")):
        with pytest.raises(UnicaError, match=match):
            model.predict_noise(x, t, level)


def test_guided_runs_have_no_blend(model) -> None:
    levels = model.for_guidance().run((60, 80)).levels
    assert all(level.gamma(50) == 0 and level.update.eta == 1 for level in levels)
    assert model.process.blend


def test_another_device_gets_a_model_of_its_own(model) -> None:
    other = model.to("cpu")
    assert other.network is not model.network and other.process == model.process
    x = torch.randn(1, 3, 20, 20)
    assert torch.equal(other.predict_noise(x, 9, 1), model.predict_noise(x, 9, 1))
    with pytest.raises(UnicaError, match="device must be"):
        model.to("abacus")


def test_the_header_of_a_file_keeps_its_keys(saved: Path) -> None:
    """Files of format 1 are read by every version that knows it, whatever the code calls these things."""
    with safe_open(saved, "pt") as file:
        about = file.metadata()
    assert about["unica"] == "model" and about["version"] == "1"
    head = json.loads(about["head"])
    assert set(head) == {"recipe", "picture", "training"}
    shared = {"engine", "network", "sizes", "starts", "chain", "output", "spread", "detail", "order"}
    assert set(head["recipe"]) == {*shared, "blur", "rule", "blend"}
    assert set(head["recipe"]["network"]) == {"kind", "width", "blocks", "fold", "channels", "ordered"}
    assert set(head["picture"]) == {"name", "bits", "sha256", "original_size", "shape"}
    assert set(head["training"]) == {"preset", "steps", "seconds", "seed"}


def test_the_noise_read_from_a_residual_output_is_exact() -> None:
    """Both outputs describe the same noise: with an output of zero, eps is the optimal guess of single pixels."""
    network = FoldedConfig(8, 1)
    process = SinDDMProcess(
        network=network, sizes=((8, 8),), starts=(100,), blur=(0.0,), output="residual", pixel_std=0.5
    )
    x, t = torch.randn(3, 3, 8, 8), torch.tensor([1, 50, 100]).view(-1, 1, 1, 1)
    eps = process.eps(_Zero(), x, t, 0)
    for row, at in enumerate((1, 50, 100)):
        alpha, sigma = process.schedule.alpha(at), process.schedule.sigma(at)
        expected = sigma / (alpha**2 * 0.25 + sigma**2) * x[row]
        assert torch.allclose(eps[row], expected, atol=1e-5)


class _Zero(torch.nn.Module):
    def forward(self, x: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return x * 0


def test_files_that_are_no_models_are_refused(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, foreign)
    text = tmp_path / "text.unica"
    cases: list[tuple[Path, bytes | None, str]] = [
        (foreign, None, "not a model of unica"),
        (text, b"hello", "damaged"),
        (text, b"", "damaged"),
        (text, whole[: len(whole) // 2], "damaged"),
        (text, pickle.dumps({"a": 1}), "damaged"),
        (text, whole.replace(b'"version":"1"', b'"version":"9"'), "newer unica"),
        (text, whole.replace(b'\\"width\\": 32', b'\\"width\\": 64'), "damaged"),
        (text, whole.replace(b'\\"kind\\": \\"folded', b'\\"kind\\": \\"golden'), "damaged"),
        (text, whole.replace(b'\\"engine\\": \\"sinddm', b'\\"engine\\": \\"future'), "engine future"),
        (tmp_path / "nothing.unica", None, "does not exist"),
        (tmp_path, None, "does not exist"),
    ]
    for path, data, match in cases:
        if data is not None:
            assert data != whole
            path.write_bytes(data)
        with pytest.raises(UnicaError, match=match):
            unica.load(path)
    assert VERSION == 1


def official() -> dict:
    return torch.load(OFFICIAL, weights_only=True)


def test_a_checkpoint_of_the_authors_becomes_a_model(tmp_path: Path) -> None:
    picture = to_pil(scenery(32, 40))
    model = unica.import_checkpoint(OFFICIAL, picture, SIZES)
    assert isinstance(model, TrainedModel)
    assert model.process.network == SinDDMConfig(16) and model.process.chain == 100
    assert steps_of(model) == 120_000
    model.save(tmp_path / "x.unica")
    again = opened(tmp_path / "x.unica")
    x = torch.randn(1, 3, 20, 20)
    assert torch.equal(again.predict_noise(x, 9, 1), model.predict_noise(x, 9, 1))
    assert unica.sample(again, size=(60, 33))[0].size == (60, 33)
    gray = unica.import_checkpoint(OFFICIAL, to_pil(scenery(32, 40, channels=1)), SIZES)
    assert unica.sample(gray)[0].mode == "RGB"


class _Evil:
    def __reduce__(self):
        return (print, ("this must not be run",))


STRANGE = {
    "more than tensors": lambda: {"ema": _Evil()},
    "no averaged model": lambda: {"model": official()["model"]},
    "lacks 'gammas'": lambda: {"ema": {k: v for k, v in official()["ema"].items() if k != "gammas"}},
    "must have the shape 3, not 7": lambda: {
        "ema": {**official()["ema"], "denoise_fn.l1.ds_conv.bias": torch.zeros(7)}
    },
    "cosine": lambda: {"ema": {**official()["ema"], "alphas_cumprod": torch.linspace(1, 0, 100)}},
    "2 levels": lambda: {**official(), "ema": {**official()["ema"], "gammas": official()["ema"]["gammas"][:1]}},
}


@pytest.mark.parametrize("why", STRANGE)
def test_strange_checkpoints_are_refused(why: str, tmp_path: Path, capsys) -> None:
    torch.save(STRANGE[why](), tmp_path / "model.pt")
    with pytest.raises(UnicaError, match=why):
        unica.import_checkpoint(tmp_path / "model.pt", to_pil(scenery(32, 40)), SIZES)
    assert "must not be run" not in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b"hello", OFFICIAL.read_bytes()[:5000]])
def test_damaged_checkpoints_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(UnicaError, match="damaged"):
        unica.import_checkpoint(tmp_path / "model.pt", to_pil(scenery(32, 40)), SIZES)


def test_a_model_follows_the_hubs_conventions_in_a_folder(model, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "hub")
    assert {path.name for path in (tmp_path / "hub").iterdir()} >= {HUB_FILE, "config.json", "README.md"}
    assert json.loads((tmp_path / "hub" / "config.json").read_text())["unica"]["recipe"]["network"]["kind"] == "folded"
    again = TrainedModel.from_pretrained(tmp_path / "hub", start_steps=(7,), device="cpu")
    assert again.process.starts == (100, 7)
    assert opened(tmp_path / "hub").process == model.process


def test_a_hub_out_of_reach_is_told_in_a_sentence(monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnicaError, match="Hugging Face hub"):
        TrainedModel.from_pretrained("nobody/nothing", local_files_only=True)


def test_from_a_picture_to_pictures(tmp_path: Path) -> None:
    """The command line, whole: train, go on, draw, say what it is."""
    photo = tmp_path / "photo.png"
    to_pil(scenery(48, 64)).save(photo)
    done = command("train", photo, "--steps", "3", "--json", "--no-preview", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["model"] == "photo.unica" and report["steps"] == 3 and len(report["validation"]) == 1
    assert "step 3/3" in done.stderr and "\x1b" not in done.stderr
    refused = command("train", photo, "--steps", "3", cwd=tmp_path)
    assert refused.returncode == 2 and "--resume" in refused.stderr
    inside("train", photo, "--steps", "5", "--resume", "-o", tmp_path / "photo.unica", "-q")
    drawn = command("sample", "photo.unica", "-n", "2", "--size", "50x40", "--provenance", "-o", "out", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    first = tmp_path / "out" / "photo-0.png"
    assert Image.open(first).size == (50, 40) and first.with_suffix(".map.png").exists()
    words = shlex.split(read_text(first)["unica:command"])
    again = command(*words[1:], "-o", "again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again" / "photo-0.png").read_bytes() == first.read_bytes()
    told = command("info", "photo.unica", cwd=tmp_path).stdout
    assert "hybrid" in told and "preset fast, steps 5" in told and "64x48" in told


def test_sindiffusion_on_the_command_line(tmp_path: Path, monkeypatch) -> None:
    photo, model = tmp_path / "photo.png", tmp_path / "photo.unica"
    to_pil(scenery(48, 64)).save(photo)
    inside("train", photo, "--engine", "sindiffusion", "--receptive-field", "0.4", "--steps", "2", "-o", model, "-q")
    assert opened(model).process.network.receptive_field < 60
    inside("sample", model, "-n", "1", "--steps", "3", "--sampler", "ddim", "-o", tmp_path / "out", "-q")
    words = shlex.split(read_text(tmp_path / "out" / "photo-0.png")["unica:command"])
    assert words[words.index("--steps") + 1] == "3" and words[words.index("--sampler") + 1] == "ddim"
    monkeypatch.chdir(tmp_path)
    inside(*words[1:], "-o", tmp_path / "again", "-q")
    first, again = (tmp_path / folder / "photo-0.png" for folder in ("out", "again"))
    assert first.read_bytes() == again.read_bytes()
    assert not {"--start-steps", "--no-blend"} & set(words)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_training_leaves_a_model_that_can_go_on(tmp_path: Path, number: signal.Signals) -> None:
    to_pil(scenery(48, 64)).save(tmp_path / "photo.png")
    words = [sys.executable, "-m", "unica", "train", "photo.png", "--budget", "5m", "--no-preview"]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "photo.unica").exists():
        time.sleep(0.1)
        assert process.poll() is None
    time.sleep(1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "photo.unica is usable" in said and "Traceback" not in said
    steps = steps_of(unica.load(tmp_path / "photo.unica"))
    unica.train(tmp_path / "photo.png", steps=steps + 2, output=tmp_path / "photo.unica", resume=True)
    assert steps_of(unica.load(tmp_path / "photo.unica")) == steps + 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "x.unica", "--patch", "5"], "--patch"),
        (["sample", "x.unica", "--engine", "instant"], "engine"),
        (["sample", "x.unica", "--start-steps", "a,b"], "--start-steps"),
        (["sample", "x.unica", "--start-steps", "5,5"], "start_steps"),
        (["sample", "photo.png", "--start-steps", "5"], "--start-steps"),
        (["sample", "x.unica", "--steps", "10"], "--steps is for the sindiffusion engine"),
        (["train", "photo.png", "--receptive-field", "0.3"], "--receptive-field is for the sindiffusion engine"),
        (["sample", "photo.png", "--engine", "sinddm"], "unica train photo.png"),
        (["train", "photo.png", "--preset", "slow"], "preset"),
        (["train", "photo.png", "--engine", "instant"], "engine"),
        (["train", "photo.png", "--budget", "1s"], "too short"),
        (["train", "nothing.png", "--budget", "0"], "budget must be a number above 0"),
        (["train", "nothing.png"], "nothing.png"),
        (["import", "photo.png", "--image", "photo.png", "-o", "y.unica"], "checkpoint"),
        (["info", "broken.unica"], "damaged"),
        (["push", "broken.unica", "nobody/nothing"], "damaged"),
        (["push", "broken.unica"], "you/photo"),
    ],
)
def test_bad_words_are_a_sentence(words: list[str], said: str, saved: Path) -> None:
    to_pil(scenery(48, 64)).save(saved.parent / "photo.png")
    (saved.parent / "broken.unica").write_bytes(b"x" * 100)
    done = command(*words, cwd=saved.parent)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") <= 2, done.stderr
    assert "Traceback" not in done.stderr


def test_two_trainings_do_not_write_to_the_same_files(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"engine": "sinddm", "steps": 3, "output": tmp_path / "x.unica"}
    picture = to_pil(scenery(48, 64))
    first = begin(picture, **settings).run(every=0)
    next(first)
    second = begin(picture, resume=True, **settings).run(every=0)
    with pytest.raises(UnicaError, match="is being trained by another process"):
        next(second)
    first.close()
    assert len(list(begin(picture, resume=True, **settings).run(every=0))) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"x.unica", "x.unica.training"}


def test_an_import_on_the_command_line(tmp_path: Path) -> None:
    to_pil(scenery(32, 40)).save(tmp_path / "x.png")
    sizes = ",".join(f"{w}x{h}" for w, h in SIZES)
    inside("import", OFFICIAL, "--image", tmp_path / "x.png", "--sizes", sizes, "-o", tmp_path / "x.unica", "-q")
    model = opened(tmp_path / "x.unica")
    assert model.process.starts == (100, 23, 19) and model.picture.sha256 == load(tmp_path / "x.png").sha256


def test_the_hub_is_asked_before_samples_are_drawn(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> None:
        raise OSError("no token")

    def drawn(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("unica.engines.trained.whoami", nobody)
    monkeypatch.setattr("unica.jobs.publishing.card_of", drawn)
    with pytest.raises(UnicaError, match=r"you/meadow cannot be written .*no token.*hf auth login"):
        push_model(saved, "you/meadow", False, None, None, None)


def test_what_is_published_has_a_page_about_the_model(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    words = ["push", "x.unica", "you/meadow", "--licence", "cc0-1.0", "--credit", "A. Painter", "--folder", str(folder)]
    done = command(*words, cwd=saved.parent)
    assert done.returncode == 0, done.stderr
    page = (folder / "README.md").read_text()
    assert page.startswith('---\nlibrary_name: unica\nlicense: "cc0-1.0"\n') and page.count("---\n") >= 2
    for word in ("# meadow", "A. Painter", 'from_pretrained("you/meadow")', "| preset |", "| measure | mean |"):
        assert word in page, word
    assert Image.open(folder / "samples.webp").size[0] > 100
    assert unica.TrainedModel.from_pretrained(folder).sample(seed=3)[0].size == unica.load(saved).sample()[0].size
