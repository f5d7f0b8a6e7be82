"""A network for what is large and patches for what is fine: the hybrid engine, and detail by patches in others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import scenery
from engines import NETWORKS, small_model
from PIL import Image

import unica
from unica import cache
from unica.cli.app import make_app
from unica.engines.base import find
from unica.engines.files import read_model, write_model
from unica.engines.hybrid import model as opening
from unica.engines.hybrid.presets import fast
from unica.engines.trained import TrainedModel, TrainedModelConfig
from unica.errors import UnicaError
from unica.image import load, resize, to_pil
from unica.networks import order_channels
from unica.schedule import Blend
from unica.training.loop import Trainer


@pytest.fixture(scope="module")
def hybrid() -> TrainedModel:
    model = small_model("hybrid", to_pil(scenery(72, 96)))
    assert isinstance(model, TrainedModel)
    return model


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    to_pil(scenery(48, 64)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A cache in an empty folder and a short training; the list counts the trainings."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(opening, "fast", lambda: replace(fast(), network=NETWORKS["hybrid"], steps=3))
    trainings: list[int] = []
    run = Trainer.run

    def counted(self: Trainer, *arguments, **settings):
        trainings.append(1)
        return run(self, *arguments, **settings)

    monkeypatch.setattr(Trainer, "run", counted)
    return trainings


def far(model: TrainedModel, diversity: float) -> float:
    """The mean difference of pictures from the source."""
    source = model.picture.pixels
    tuned = TrainedModel(model.process.tuned(diversity=diversity), model.network, model.picture)
    pictures = unica.sample(tuned, count=2, output="pt") * 2 - 1
    return (pictures - source).abs().mean().item()


def test_the_network_draws_what_is_large_and_patches_what_is_fine(hybrid: TrainedModel) -> None:
    layout, *detail = hybrid.run((72, 96)).levels
    assert layout.size == hybrid.process.sizes[0] < (72, 96) and detail[0].size < layout.size
    assert [level.part for level in (layout, *detail)] == ["network", *["patches"] * len(detail)]
    assert hybrid.patchwork is not None and detail[-1].size == (72, 96)
    assert 0 < detail[0].start < hybrid.patchwork.settings.high


def test_the_layout_grows_with_the_canvas(hybrid: TrainedModel) -> None:
    (height, width), source = hybrid.run((144, 96)).levels[0].size, hybrid.process.sizes[0]
    assert (height, width) == (2 * source[0], source[1])


def test_pixels_come_from_the_source(hybrid: TrainedModel) -> None:
    *_, last = unica.stream(unica.sample, hybrid, seed=3)
    assert last.origins is not None
    rows, columns = last.origins.long().unbind(-1)
    copied = hybrid.picture.pixels[:, rows, columns]
    assert (copied - last.pixels).abs().median() < 0.02  # all but the healed seams


def test_diversity_leads_away_from_the_source() -> None:
    smooth = torch.rand(1, 3, 9, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1
    model = small_model("hybrid", to_pil(resize(smooth, (72, 96))[0].clamp(-1, 1)))
    assert isinstance(model, TrainedModel)
    assert far(model, 0.0) < 0.05 < 0.1 < far(model, 0.5)
    runs = [model.process.tuned(diversity=d).levels([(48, 64)])[0].start for d in (0.0, 0.2, 0.5, 1.0)]
    assert runs[0] < runs[1] < runs[2] == runs[3] == model.process.chain


def test_a_file_keeps_the_whole_picture(hybrid: TrainedModel, tmp_path: Path) -> None:
    hybrid.save(tmp_path / "x.unica")
    again = unica.load(tmp_path / "x.unica", precision="float32")
    assert torch.equal(again.picture.pixels, hybrid.picture.pixels)
    ours, theirs = (unica.sample(model, seed=5, output="pt") for model in (hybrid, again))
    assert torch.equal(ours, theirs)
    with pytest.raises(UnicaError, match="must be kept in the model"):
        hybrid.save(tmp_path / "y.unica", source=False)


def test_a_picture_is_learned_once(photo: Path, cached: list[int]) -> None:
    first = unica.sample(unica.open(photo, engine="hybrid"), output="pt")
    again = unica.sample(unica.open(photo, engine="hybrid", diversity=0.5), output="pt")
    assert len(cached) == 1 and torch.equal(first, again)
    Image.open(photo).rotate(180).save(photo)
    unica.open(photo, engine="hybrid")
    assert len(cached) == 2 and len(cache.entries("layouts")) == 2


def test_a_damaged_file_in_the_cache_is_made_again(photo: Path, cached: list[int]) -> None:
    first = unica.sample(unica.open(photo, engine="hybrid"), output="pt")
    (entry,) = cache.entries("layouts")
    entry.path.write_bytes(b"half")
    assert torch.equal(unica.sample(unica.open(photo, engine="hybrid"), output="pt"), first)
    assert len(cached) == 2


def test_a_network_of_another_version_is_made_again(photo: Path, cached: list[int]) -> None:
    """The file is whole, but its description is not what this version writes."""
    unica.open(photo, engine="hybrid")
    (entry,) = cache.entries("layouts")
    stored = read_model(entry.path)
    write_model(entry.path, replace(stored, process={**stored.process, "unheard_of": 1}))
    assert unica.sample(unica.open(photo, engine="hybrid")) and len(cached) == 2


def test_a_model_on_another_device_is_the_same(photo: Path, cached: list[int]) -> None:
    model = unica.open(photo, engine="hybrid", max_side=60)
    moved = model.to("cpu")
    assert moved.settings == model.settings and moved.settings["max_side"] == 60
    assert torch.equal(unica.sample(moved, output="pt"), unica.sample(model, output="pt"))


def test_a_model_cannot_be_shrunk(hybrid: TrainedModel, tmp_path: Path) -> None:
    hybrid.save(tmp_path / "x.unica")
    with pytest.raises(UnicaError, match="this is a model already"):
        unica.load(tmp_path / "x.unica", max_side=40)


def test_a_cache_that_cannot_be_written_to_is_no_hindrance(photo: Path, cached: list[int], tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    assert unica.sample(unica.open(photo, engine="hybrid"))
    assert len(cached) == 1


def test_learning_is_reported(photo: Path, cached: list[int]) -> None:
    said: list[tuple[float, str]] = []
    unica.open(photo, engine="hybrid", report=lambda done, standing: said.append((done, standing)))
    assert said[-1][0] == 1.0 and "learning the layout" in said[-1][1]
    said.clear()
    unica.open(photo, engine="hybrid", report=lambda done, standing: said.append((done, standing)))
    assert said == []


def test_the_cache_is_bounded_by_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for number, name in enumerate("abc"):
        path = cache.folder() / "layouts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
        os.utime(path, (number, number))
    cache.used(cache.folder() / "layouts" / "a")
    cache.bound("layouts", 2500)
    assert {entry.path.name for entry in cache.entries()} == {"a", "c"}


def test_the_command_shows_and_empties_the_cache(
    photo: Path, cached: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    unica.open(photo, engine="hybrid")
    make_app("cache")(["cache"], standalone_mode=False)
    assert "layouts/photo-" in capsys.readouterr().out.replace("\\", "/")
    make_app("cache")(["cache", "--empty"], standalone_mode=False)
    assert "removed" in capsys.readouterr().out and cache.entries() == []


def test_every_trained_model_can_draw_detail_with_patches(tmp_path: Path) -> None:
    small_model("sinddm", to_pil(scenery(72, 96))).save(tmp_path / "x.unica")
    network, patches = (unica.load(tmp_path / "x.unica", detail=detail) for detail in ("network", "patches"))
    assert not network.knows_origins and patches.knows_origins
    assert len({level.part for level in network.run((72, 96)).levels}) == 1
    assert [level.part for level in patches.run((72, 96)).levels][:2] == ["network", "patches"]
    (drawn,) = unica.sample(patches)
    assert drawn.size == (96, 72)


def test_transparency_is_drawn_by_both_parts() -> None:
    alpha = torch.ones(1, 48, 64)
    alpha[..., :20] = 0
    model = small_model("hybrid", to_pil(scenery(48, 64), alpha))
    (drawn,) = unica.sample(model)
    assert drawn.mode == "RGBA" and load(drawn).alpha is not None


def test_order_tells_where_rows_lie() -> None:
    strength = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    nothing, all_of_it = order_channels(strength, torch.linspace(0, 1, 5), 4)
    assert not nothing.any()
    assert torch.equal(all_of_it[0, :, 0], torch.linspace(-1, 1, 5)) and (all_of_it[1] == 1).all()


def test_order_changes_a_layout_and_a_torus_has_none(hybrid: TrainedModel) -> None:
    firm, loose = (
        TrainedModel(hybrid.process.tuned(order=order), hybrid.network, hybrid.picture) for order in (1.0, 0.0)
    )
    first, second = (unica.sample(model, size=(96, 288), output="pt") for model in (firm, loose))
    assert not torch.equal(first, second)


def test_rows_that_are_told_begin_with_the_mean_colour_of_the_source_there(hybrid: TrainedModel) -> None:
    model = TrainedModel(hybrid.process.tuned(order=1.0), hybrid.network, hybrid.picture)
    assert model.patchwork is not None
    layout, source = model.run((144, 96)).levels[0], model.patchwork.scales[0]
    below = replace(layout, heights=torch.ones(layout.size[0]))  # all rows lie at the source's last
    x = torch.randn(1, 3, *layout.size, generator=torch.Generator().manual_seed(0))
    seen = model.denoiser([0])(x, layout.start, below, Blend())
    last_row = source.pixels[:, -1].mean(1)[None, :, None].expand(1, 3, layout.size[0])
    assert torch.allclose(seen.x0.mean(3), last_row, atol=1e-4)
    late = model.denoiser([0])(x, layout.times[-2], below, Blend())
    assert not torch.allclose(late.x0.mean(3), last_row, atol=0.05)  # the network's own again


def test_presets_say_what_draws_detail() -> None:
    source = load(to_pil(scenery(48, 64)))
    for engine in ("sinddm", "sindiffusion"):
        configs = [find(engine).config(name, source) for name in ("paper", "fast")]
        found = [config.detail for config in configs if isinstance(config, TrainedModelConfig)]
        assert found == ["network", "patches"]
