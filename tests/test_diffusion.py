"""Laws of the sampler, and its agreement with diffusers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unica.diffusion import (
    Denoiser,
    Kept,
    Level,
    Parts,
    Prediction,
    Update,
    cascade,
    ddim,
    ddpm,
    diffuse,
    eps_of,
    guided,
    keep_known,
    mean_of,
    noised,
    seeded,
    upsample,
    x0_of,
)
from unica.schedule import Blend, Discrete, Exploding, cosine, linear

SHAPE = (1, 3, 6, 5)


class Oracle:
    """A denoiser whose noise is a fixed function of x_t: enough to compare samplers."""

    def __call__(self, x_t, t, level, blend) -> Prediction:
        eps = torch.tanh(x_t + 0.01 * t)
        return Prediction(x0_of(x_t, eps, t, level.schedule, blend), eps)


LEVEL = Level(0, SHAPE[-2:], (1.0, 0.0), Exploding())


class Copier:
    """A denoiser whose x0 is the coarser result."""

    def __call__(self, x_t, t, level, blend) -> Prediction:
        return Prediction(blend.coarse, torch.zeros_like(x_t))


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(SHAPE, generator=random), torch.randn(SHAPE, generator=random)


def silence(*_) -> torch.Tensor:
    return torch.zeros(SHAPE)


@given(st.integers(1, 100), st.integers(0, 2**31))
def test_x0_and_eps_determine_each_other(t: int, seed: int) -> None:
    x_t, eps = pair(seed)
    schedule, blend = linear(100), Blend(torch.ones(SHAPE), lambda t: 0.3)
    x0 = x0_of(x_t, eps, t, schedule, blend)
    assert torch.allclose(eps_of(x_t, blend.mix(x0, t), t, schedule), eps, atol=1e-3)


@given(st.integers(1, 99), st.integers(0, 2**31))
def test_mean_of_and_eps_of_undo_noised(t: int, seed: int) -> None:
    mean, eps = pair(seed)
    schedule = linear(100)
    x_t = noised(mean, eps, t, schedule)
    assert torch.allclose(mean_of(x_t, eps, t, schedule), mean, atol=1e-3)
    assert torch.allclose(eps_of(x_t, mean, t, schedule), eps, atol=1e-3)
    assert torch.allclose(noised(mean, eps, torch.full((1, 1, 1, 1), t), schedule), x_t, atol=1e-6)


@given(st.integers(2, 100))
def test_ddim_with_eta_one_equals_ddpm(t: int) -> None:
    schedule = linear(100)
    x_t, eps = pair(t)
    seen = Prediction(x0_of(x_t, eps, t, schedule, Blend()), eps)
    one = ddim(1.0)(x_t, seen, t, t - 1, schedule, Blend(), lambda: seeded([1], 3)(0, 1, LEVEL))
    other = ddpm()(x_t, seen, t, t - 1, schedule, Blend(), lambda: seeded([1], 3)(0, 1, LEVEL))
    assert torch.allclose(one, other, atol=1e-4)


@given(st.integers(1, 99), st.integers(0, 98))
def test_ddim_with_the_true_noise_lands_on_the_true_picture(t: int, s: int) -> None:
    t, s = max(t, s + 1), min(s, t)
    schedule = linear(100)
    x0, eps = pair(t)
    x_t = schedule.alpha(t) * x0 + schedule.sigma(t) * eps
    x_s = ddim()(x_t, Prediction(x0, eps), t, s, schedule, Blend(), silence)
    assert torch.allclose(x_s, schedule.alpha(s) * x0 + schedule.sigma(s) * eps, atol=1e-5)


def test_the_last_step_is_clean_for_every_update() -> None:
    x0, eps = pair()
    for update in (ddim(), ddim(0.5), ddpm(), ddpm("large")):
        assert torch.equal(update(x0, Prediction(x0, eps), 1, 0, cosine(), Blend(), silence), x0)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_ddpm_equals_that_of_diffusers(variance) -> None:
    diffusers = pytest.importorskip("diffusers")
    steps, schedule = 50, linear(50)
    theirs = diffusers.DDPMScheduler(
        steps, trained_betas=_betas(schedule), clip_sample=False, variance_type=f"fixed_{variance}"
    )
    denoise, level = Oracle(), Level(0, SHAPE[-2:], tuple(range(steps, -1, -1)), schedule, ddpm(variance))
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))
    states = diffuse(denoise, level, x, Blend(), seeded([7], 3))
    draws = seeded([7], 3)
    for step, (t, state) in enumerate(zip(range(steps, 0, -1), states), 1):
        eps = denoise(x, t, level, Blend()).eps
        z = draws(0, step, level) if t > 1 else torch.zeros(SHAPE)
        mean_only = _their_step(theirs, eps, t, x)
        x = mean_only + theirs._get_variance(t - 1).clamp_min(0).sqrt() * z
        assert torch.allclose(state.x, x, atol=1e-4, rtol=1e-4)


def _their_step(scheduler, eps, t, x) -> torch.Tensor:
    """The posterior mean of diffusers: its step, less the noise."""
    random = torch.Generator().manual_seed(0)
    stepped = scheduler.step(eps, t - 1, x, generator=random).prev_sample
    if t == 1:
        return stepped
    z = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return stepped - scheduler._get_variance(t - 1).sqrt() * z


def test_ddim_equals_that_of_diffusers() -> None:
    diffusers = pytest.importorskip("diffusers")
    steps, schedule = 50, linear(50)
    theirs = diffusers.DDIMScheduler(steps, trained_betas=_betas(schedule), clip_sample=False, set_alpha_to_one=True)
    theirs.set_timesteps(steps)
    denoise, level = Oracle(), Level(0, SHAPE[-2:], tuple(range(steps, -1, -1)), schedule)
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))
    for t, state in zip(range(steps, 0, -1), diffuse(denoise, level, x, Blend(), silence)):
        x = theirs.step(denoise(x, t, level, Blend()).eps, t - 1, x).prev_sample
        assert torch.allclose(state.x, x, atol=1e-4, rtol=1e-4)


def _betas(schedule: Discrete) -> list[float]:
    bars = schedule.alpha_bar
    return [1 - after / before for before, after in zip(bars, bars[1:])]


def test_a_guide_that_does_nothing_changes_nothing() -> None:
    denoise = Oracle()
    level = Level(0, SHAPE[-2:], (100, 60, 20, 0), cosine(), ddpm())
    plain = [s.x for s in cascade(denoise, [level], seeded([5], 3))]
    same = [s.x for s in cascade(guided(denoise, lambda x0, t, level: x0), [level], seeded([5], 3))]
    assert all(torch.equal(a, b) for a, b in zip(plain, same, strict=True))


def test_a_guide_sets_x0_and_the_update_decides_about_eps() -> None:
    schedule, x_t = linear(100), pair()[0]
    denoise = guided(Oracle(), lambda x0, t, level: torch.zeros_like(x0))
    level = Level(0, SHAPE[-2:], (50, 40, 0), schedule)
    seen = denoise(x_t, 50, level, Blend())
    kept = Update()(x_t, seen, 50, 40, schedule, Blend(), silence)
    rederived = Update(rederive=True)(x_t, seen, 50, 40, schedule, Blend(), silence)
    assert torch.allclose(kept, schedule.sigma(40) * seen.eps)
    assert torch.allclose(rederived, schedule.sigma(40) / schedule.sigma(50) * x_t, atol=1e-6)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 2**31), min_size=2, max_size=4, unique=True))
def test_a_picture_does_not_depend_on_its_batch(seeds: list[int]) -> None:
    levels = [
        Level(0, (4, 5), (100, 50, 0), linear(100), ddpm()),
        Level(1, (8, 10), (40, 20, 0), linear(100), ddpm("large"), gamma=lambda t: 0.004 * t),
    ]
    *_, together = cascade(Oracle(), levels, seeded(seeds, 3))
    for i, seed in enumerate(seeds):
        *_, alone = cascade(Oracle(), levels, seeded([seed], 3))
        assert torch.allclose(together.x[i], alone.x[0], atol=1e-6)


def test_states_tell_level_step_and_size() -> None:
    levels = [Level(0, (4, 5), (3.0, 1.0, 0.0), Exploding()), Level(1, (8, 10), (0.5, 0.0), Exploding())]
    states = list(cascade(Oracle(), levels, seeded([0], 3)))
    assert [(s.level, s.step, s.steps) for s in states] == [(0, 1, 2), (0, 2, 2), (1, 1, 1)]
    assert [s.last for s in states] == [False, False, True]
    assert [s.x0.shape[-2:] for s in states] == [(4, 5), (4, 5), (8, 10)]


def test_a_start_enters_the_first_level() -> None:
    start, level = torch.full((1, 3, 3, 3), 0.5), Level(0, (6, 6), (0.1, 0.0), Exploding())
    (state,) = cascade(Copier(), [level], lambda position, step, level: torch.zeros(1, 3, *level.size), start)
    assert torch.allclose(state.x, torch.full((1, 3, 6, 6), 0.5))


@pytest.mark.parametrize(("wrap", "axis"), [("x", -1), ("y", -2)])
def test_upsampling_a_torus_has_no_edge(wrap, axis) -> None:
    x = torch.rand(1, 2, 6, 8, generator=torch.Generator().manual_seed(0))
    moved = upsample(x.roll(2, axis), (12, 16), wrap)
    assert torch.allclose(moved, upsample(x, (12, 16), wrap).roll(4, axis), atol=1e-6)


def test_levels_are_frozen() -> None:
    level = Level(0, (4, 4), (1.0, 0.0), Exploding())
    assert replace(level, size=(8, 8)).index == level.index
    with pytest.raises(AttributeError):
        level.size = (1, 1)  # pyright: ignore[reportAttributeAccessIssue]


def test_keep_known_changes_only_levels_that_keep_something() -> None:
    x0, mask = torch.zeros(2, 3, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    mask[..., :2] = True
    level = Level(0, (4, 4), (1.0, 0.0), Exploding())
    assert keep_known(x0, 1.0, level) is x0
    kept = keep_known(x0, 1.0, replace(level, kept=Kept(torch.ones(1, 3, 4, 4), mask)))
    assert torch.equal(kept, mask.float().expand(2, 3, 4, 4))


def test_each_level_has_its_own_denoiser_and_schedule() -> None:
    """What one part draws enters the next with the noise that the next one's schedule has at that time."""

    def constant(value: float) -> Denoiser:
        def denoise(x_t, t, level, blend) -> Prediction:
            x0 = torch.full_like(x_t, value)
            return Prediction(x0, eps_of(x_t, x0, t, level.schedule))

        return denoise

    parts = Parts({"below": constant(0.25), "above": Copier()})
    levels = [
        Level(0, (4, 5), (100, 40, 0), cosine(), part="below"),
        Level(0, (8, 10), (0.5, 0.2), Exploding(), part="above"),
    ]
    ones = lambda position, step, level: torch.ones(1, 3, *level.size)  # noqa: E731
    _, last, entered = list(cascade(parts, levels, ones))
    assert torch.allclose(last.x, torch.full((1, 3, 4, 5), 0.25), atol=1e-6)
    assert torch.allclose(entered.x0, torch.full((1, 3, 8, 10), 0.25))
    # The noise was all ones, and DDIM keeps it: 0.25 + 0.5 on entry, and its eps for time 0.2 afterwards.
    assert torch.allclose(entered.x, entered.x0)
