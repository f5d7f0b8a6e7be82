"""Laws of schedules and of the blend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st

from unica.schedule import Blend, Exploding, Flow, Ramp, cosine, linear, matching


@pytest.mark.parametrize("schedule", [cosine(), cosine(50), linear(), linear(50)])
def test_a_chain_keeps_its_variance_and_only_gets_noisier(schedule) -> None:
    times = range(schedule.steps + 1)
    assert all(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2 == pytest.approx(1) for t in times)
    assert all(schedule.sigma(t) < schedule.sigma(t + 1) for t in times[:-1])
    assert schedule.sigma(0) == 0


@given(st.floats(0, 1))
def test_flow_sums_to_one_and_exploding_keeps_the_picture(t: float) -> None:
    assert Flow().alpha(t) + Flow().sigma(t) == pytest.approx(1)
    assert (Exploding().alpha(t), Exploding().sigma(t)) == (1, t)


@pytest.mark.parametrize("schedule", [cosine(), linear(50)])
def test_tensors_of_times_give_the_same_as_numbers(schedule) -> None:
    times = torch.arange(schedule.steps + 1)
    ramp = Ramp(schedule, blur=0.3, ceiling=0.9)
    for of in (schedule.alpha, schedule.sigma, ramp):
        numbers = torch.tensor([of(int(t)) for t in times[:-1]], dtype=torch.float64)
        assert torch.allclose(of(times)[:-1], numbers, rtol=1e-12)


def test_the_blend_takes_a_time_for_each_picture() -> None:
    schedule = cosine()
    x0, coarse = torch.rand(2, 4, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    times, gamma = torch.tensor([1, 20, 60, 99]).view(4, 1, 1, 1), Ramp(schedule, 2.0, ceiling=0.9)
    together = Blend(coarse, gamma).mix(x0, times)
    assert together.dtype == x0.dtype
    alone = [Blend(coarse[i : i + 1], gamma).mix(x0[i : i + 1], int(times[i])) for i in range(4)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-6)


@pytest.mark.parametrize("blur", [0.01, 0.1, 1.0])
def test_matching_is_the_first_time_whose_noise_hides_the_blur(blur: float) -> None:
    schedule = cosine()
    t = matching(schedule, blur)
    assert schedule.sigma(t) / schedule.alpha(t) > blur >= schedule.sigma(t - 1) / schedule.alpha(t - 1)


@given(st.floats(0, 0.95), st.integers(0, 2**31))
def test_unmix_undoes_mix(gamma: float, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    x0, coarse = torch.rand(2, 1, 3, 4, 5, generator=random)
    blend = Blend(coarse, lambda t: gamma)
    assert torch.allclose(blend.unmix(blend.mix(x0, 1), 1), x0, atol=1e-5)


def test_the_blend_goes_from_the_coarser_result_to_the_picture() -> None:
    x0, coarse = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    blend = Blend(coarse, lambda t: t)
    assert torch.equal(blend.mix(x0, 1), coarse)
    assert torch.equal(blend.mix(x0, 0), x0)
    assert torch.equal(Blend().mix(x0, 1), x0)


@pytest.mark.skipif(not (SHARED / "golden").exists(), reason="the authors' tensors are not beside the repository")
def test_the_cosine_schedule_equals_the_authors() -> None:
    golden = np.load(SHARED / "golden" / "sinddm_schedule.npz")
    name = next(name for name in golden.files if "alpha" in name)
    ours = np.array(cosine().alpha_bar[1:])
    theirs = golden[name].astype(np.float64)
    assert np.allclose(ours if theirs.max() < 1 else np.sqrt(ours), theirs, atol=1e-6)
