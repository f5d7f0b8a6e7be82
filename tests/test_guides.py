"""Guides towards a given picture, on every engine."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from conftest import scenery
from torch import Tensor

import unica
from unica.diffusion import Level
from unica.errors import UnicaError
from unica.guides import Known, LowPass
from unica.guides.reference import low_pass
from unica.image import load, to_pil
from unica.model import TRAINED, Model
from unica.networks import FoldedConfig, UNetConfig
from unica.presets import preset
from unica.tasks.task import draw
from unica.training import Trainer

ENGINES = ("instant", *TRAINED)


@pytest.fixture(scope="module", params=ENGINES)
def model(request) -> Model:
    picture = to_pil(scenery(48, 64))
    if request.param == "instant":
        return unica.open(picture)
    plan = preset(request.param, "fast")
    small = {"sinddm": FoldedConfig(32, 1), "sindiffusion": UNetConfig(16, (1, 2), fold=2, norm=False)}
    trainer = Trainer(load(picture), replace(plan, network=small[request.param], steps=30, pixels=4000))
    for _ in trainer.run():
        pass
    return trainer.model()


def last(model: Model, *guides, seed: int = 0, size: tuple[int, int] = (48, 80)) -> Tensor:
    levels = model.levels(size)
    *_, frame = draw(model, levels, 1, seed, guides=lambda: [guide(levels) for guide in guides])
    return frame.state.x0


def test_what_is_known_is_kept_and_the_rest_is_drawn(model) -> None:
    given = scenery(48, 80, seed=3)[None]
    free = torch.zeros(1, 1, 48, 80)
    free[..., 50:] = 1
    first, second = (last(model, lambda _: Known(given, free), seed=seed) for seed in (0, 1))
    assert torch.equal(first[..., :50], given[..., :50])
    assert not torch.equal(first[..., 50:], second[..., 50:])


def test_coarse_things_follow_the_reference(model) -> None:
    """A dark left half and a bright right one: low frequencies are the picture's, details are not."""
    given = torch.cat([torch.full((1, 3, 48, 40), -0.5), torch.full((1, 3, 48, 40), 0.5)], -1)
    drawn = last(model, lambda levels: LowPass(given, levels, size=8, share=1.0))
    free = last(model)
    assert distance(drawn, given) < distance(free, given) / 3
    assert drawn.std() > 0 and not torch.allclose(drawn, given, atol=0.05)
    assert torch.equal(last(model, lambda levels: LowPass(given, levels, share=0.0)), free)


def distance(a: Tensor, b: Tensor) -> float:
    return (low_pass(a, 8) - low_pass(b, 8)).square().mean().item()


def test_the_filter_is_linear_and_keeps_what_is_flat() -> None:
    a, b = torch.randn(2, 1, 3, 40, 50).unbind()
    assert torch.allclose(low_pass(a + 2 * b, 5), low_pass(a, 5) + 2 * low_pass(b, 5), atol=1e-5)
    assert torch.allclose(low_pass(torch.ones(1, 3, 40, 50), 5), torch.ones(1, 3, 40, 50), atol=1e-5)
    assert torch.equal(low_pass(a, 1), a)
    assert low_pass(a, 8).std() < low_pass(a, 3).std() < a.std()


def test_coarser_levels_know_only_what_is_wholly_known() -> None:
    given, free = torch.full((1, 1, 8, 8), 0.5), torch.zeros(1, 1, 8, 8)
    free[..., 3:] = 1
    given[..., 3:] = 9.0  # must not leak
    x0 = torch.zeros(1, 1, 4, 4)
    seen = Known(given, free)(x0, 1.0, Level(0, (4, 4), (1.0, 0.0)))
    assert torch.equal(seen[0, 0, 0], torch.tensor([0.5, 0, 0, 0]))


def test_a_picture_goes_on(model) -> None:
    source = model.picture.pixels
    (wide,) = unica.outpaint(model, left=8, right=16)
    assert wide.size == (64 + 24, 48)
    assert torch.equal(load(wide).pixels[:, :, 8:-16], source)
    (long,) = unica.outpaint(model, right=10, repeat=3)
    assert long.size == (64 + 30, 48) and torch.equal(load(long).pixels[:, :, :64], source)
    (tall,) = unica.outpaint(model, up=6, down=2, repeat=2)
    assert tall.size == (64, 48 + 16) and torch.equal(load(tall).pixels[:, 12:-4], source)
    again, other = unica.outpaint(model, right=10, repeat=3, count=2)
    assert again.tobytes() == long.tobytes() != other.tobytes()
    frames = list(unica.stream(unica.outpaint, model, right=10, repeat=2))
    assert [frame.last for frame in frames].count(True) == 1 and frames[-1].done == 1
    assert [f.fraction for f in frames] == sorted(f.fraction for f in frames)


BAD = [
    {},
    {"left": -1, "right": 4},
    {"left": 3, "repeat": 0},
    {"right": 10**6},
    {"up": 2, "count": 0},
    {"up": 2, "seed": -1},
]


def test_there_must_be_a_picture_to_extend(tmp_path) -> None:
    plan = replace(preset("sinddm", "fast"), network=FoldedConfig(32, 1), steps=1, pixels=4000)
    Trainer(load(to_pil(scenery(48, 64))), plan).model().save(tmp_path / "x.unica", source=False)
    with pytest.raises(UnicaError, match="without its source"):
        unica.outpaint(unica.load(tmp_path / "x.unica"), right=8)


@pytest.mark.parametrize("words", BAD)
def test_margins_that_are_none(model, words: dict) -> None:
    with pytest.raises(UnicaError):
        unica.outpaint(model, **words)
