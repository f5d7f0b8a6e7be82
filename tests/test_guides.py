"""Guides towards a given picture, on every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from conftest import scenery
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import unica
from unica.diffusion import Guide, Level, cascade, guided, keep_known, seeded
from unica.engines.base import Model
from unica.guides import Ascent, Held, LowPass, Mirror, Placed, Places, Scored, Steered, kept_at
from unica.guides.reference import low_pass
from unica.guides.relevance import relevance
from unica.image import to_pil
from unica.schedule import Exploding

SIZE = (48, 80)


def run(
    model: Model,
    *guides: Callable[[Sequence[Level]], Guide],
    seed: int = 0,
    keep: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The picture of a seed. `keep` is a picture, and a mask that is 0 where it stays."""
    levels, start = model.run(SIZE)
    if keep is not None:
        levels = [replace(level, kept=kept_at(*keep, level.size)) for level in levels]
    denoiser = guided(model.denoiser([seed]), *(guide(levels) for guide in guides), keep_known)
    with torch.no_grad():
        *_, state = cascade(denoiser, levels, seeded([seed], model.channels), start)
    return state.x0


def test_kept_pixels_stay_and_the_rest_is_drawn(any_model) -> None:
    picture = scenery(*SIZE, seed=3)[None]
    new = torch.zeros(1, 1, *SIZE)
    new[..., 50:] = 1
    first, second = (run(any_model, seed=seed, keep=(picture, new)) for seed in (0, 1))
    assert torch.equal(first[..., :50], picture[..., :50])
    assert not torch.equal(first[..., 50:], second[..., 50:])


def test_low_frequencies_follow_the_reference(any_model) -> None:
    """A dark left half and a bright right one: low frequencies are the picture's, details are not."""
    picture = torch.cat([torch.full((1, 3, 48, 40), -0.5), torch.full((1, 3, 48, 40), 0.5)], -1)
    drawn = run(any_model, lambda levels: LowPass(picture, levels, size=8, share=1.0))
    free = run(any_model)
    assert distance(drawn, picture) < distance(free, picture) / 3
    assert drawn.std() > 0 and not torch.allclose(drawn, picture, atol=0.05)
    assert torch.equal(run(any_model, lambda levels: LowPass(picture, levels, share=0.0)), free)


def distance(a: Tensor, b: Tensor) -> float:
    return (low_pass(a, 8) - low_pass(b, 8)).square().mean().item()


def test_low_pass_is_linear_and_keeps_constants() -> None:
    a, b = torch.randn(2, 1, 3, 40, 50, generator=torch.Generator().manual_seed(0)).unbind()
    assert torch.allclose(low_pass(a + 2 * b, 5), low_pass(a, 5) + 2 * low_pass(b, 5), atol=1e-5)
    assert torch.allclose(low_pass(torch.ones(1, 3, 40, 50), 5), torch.ones(1, 3, 40, 50), atol=1e-5)
    assert torch.equal(low_pass(a, 1), a)
    assert low_pass(a, 8).std() < low_pass(a, 3).std() < a.std()


def test_coarse_pixels_are_kept_only_if_all_of_them_stays() -> None:
    picture, new = torch.full((1, 1, 8, 8), 0.5), torch.zeros(1, 1, 8, 8)
    new[..., 3:] = 1
    picture[..., 3:] = 9.0  # must not leak
    level = Level(0, (4, 4), (1.0, 0.0), Exploding(), kept=kept_at(picture, new, (4, 4)))
    seen = keep_known(torch.zeros(1, 1, 4, 4), 1.0, level)
    assert torch.equal(seen[0, 0, 0], torch.tensor([0.5, 0, 0, 0]))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_a_kept_constant_is_the_same_at_every_size(height: int, width: int, seed: int) -> None:
    new = (torch.rand(1, 1, 12, 15, generator=torch.Generator().manual_seed(seed)) > 0.8).float()
    kept = kept_at(torch.full((1, 3, 12, 15), 0.25), new, (height, width))
    assert torch.allclose(kept.picture.where(kept.mask, torch.tensor(0.25)), torch.tensor(0.25))
    whole = kept_at(torch.full((1, 3, 12, 15), 0.25), torch.zeros_like(new), (height, width))
    assert bool(whole.mask.all())


def test_mirror_makes_symmetric_pictures() -> None:
    x0, level = torch.rand(1, 3, 7, 8), Level(0, (7, 8), (1.0, 0.0), Exploding())
    both = Mirror("xy")(x0, 1.0, level)
    assert torch.equal(both, both.flip(-1)) and torch.equal(both, both.flip(-2))
    assert torch.equal(both[..., :4, :4], x0[..., :4, :4])


@pytest.mark.parametrize("pull", [0.0, 0.3, 1.0])
def test_places_pull_only_what_lies_under_the_content(pull: float) -> None:
    x0, content = torch.zeros(1, 3, 8, 9), torch.ones(1, 3, 2, 3)
    moved = Places(lambda level, t: [Placed(content, 4, 5)], pull)(x0, 1.0, Level(0, (8, 9), (1.0, 0.0), Exploding()))
    assert torch.allclose(moved[..., 4:6, 5:8], torch.tensor(pull)) and moved.sum().item() == pytest.approx(18 * pull)
    assert x0.sum() == 0


def test_every_guide_by_a_score_is_scored() -> None:
    def score(pictures: Tensor) -> Tensor:
        return pictures.mean((1, 2, 3))

    level, x0 = Level(0, (6, 6), (2.0, 1.0, 0.0), Exploding()), torch.zeros(1, 3, 6, 6)
    ascent = Ascent(score, {("", 0, 2.0)}, 1.0, 0.1, 0.5)
    assert isinstance(ascent, Scored) and ascent.mask is None and ascent.scores == []
    ascent(x0 + 0.1, 2.0, level)
    assert len(ascent.scores) == 1 and ascent.mask is not None
    held = Held(x0, ascent.mask, ascent.scores, None)
    assert isinstance(held, Scored) and held.scores is ascent.scores and torch.equal(held(x0, 1.0, level), x0)
    assert issubclass(Steered, Scored)


def test_relevance_is_highest_where_the_score_is() -> None:
    """A red square on gray ground, and a score of redness."""
    picture = torch.zeros(3, 60, 80)
    picture[:, 40:56, 8:24] = torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    found = relevance(lambda pictures: (pictures[:, 0] - pictures[:, 1]).mean((1, 2)), picture)
    inside, outside = found[40:56, 8:24].mean(), found[:20, 40:].mean()
    assert inside > 1 > 0 > outside
    assert found.mean().abs() < 1e-4 and abs(found.std().item() - 1) < 1e-3


def test_a_model_draws_more_of_what_it_prefers() -> None:
    """By origins. Networks know no parts of their source, and stay as they are."""
    model = unica.open(to_pil(scenery(60, 80)), order=0)
    wanted = torch.full((60, 80), -3.0)
    wanted[:, 50:] = 3.0

    def share(model: Model) -> float:
        origins = [f.origins for f in unica.stream(unica.sample, model, count=3) if f.origins is not None]
        return (torch.stack(origins)[..., 1] >= 50).float().mean().item()

    assert share(model.preferring(wanted)) > 1.5 * share(model)
