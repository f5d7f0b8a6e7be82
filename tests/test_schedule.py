"""Laws of schedules and of the blend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st

from unica.schedule import Blend, Exploding, Flow, cosine, linear


@pytest.mark.parametrize("schedule", [cosine(), cosine(50), linear(), linear(50)])
def test_a_chain_keeps_its_variance_and_only_gets_noisier(schedule) -> None:
    times = range(schedule.steps + 1)
    assert all(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2 == pytest.approx(1) for t in times)
    assert all(schedule.sigma(t) < schedule.sigma(t + 1) for t in times[:-1])
    assert schedule.sigma(0) == 0


@given(st.floats(0, 1))
def test_straight_schedules(t: float) -> None:
    assert Flow().alpha(t) + Flow().sigma(t) == pytest.approx(1)
    assert (Exploding().alpha(t), Exploding().sigma(t)) == (1, t)


@given(st.floats(0, 0.95), st.integers(0, 2**31))
def test_unmix_undoes_mix(gamma: float, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    x0, coarse = torch.rand(2, 1, 3, 4, 5, generator=random)
    blend = Blend(coarse, lambda t: gamma)
    assert torch.allclose(blend.unmix(blend.mix(x0, 1), 1), x0, atol=1e-5)


def test_the_blend_runs_from_the_coarser_result_to_the_picture() -> None:
    x0, coarse = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    blend = Blend(coarse, lambda t: t)
    assert torch.equal(blend.mix(x0, 1), coarse)
    assert torch.equal(blend.mix(x0, 0), x0)
    assert torch.equal(Blend().mix(x0, 1), x0)


@pytest.mark.skipif(not (SHARED / "golden").exists(), reason="the authors' tensors are not beside the repository")
def test_the_cosine_schedule_is_the_authors_own() -> None:
    golden = np.load(SHARED / "golden" / "sinddm_schedule.npz")
    name = next(name for name in golden.files if "alpha" in name)
    ours = np.array(cosine().alpha_bar[1:])
    theirs = golden[name].astype(np.float64)
    assert np.allclose(ours if theirs.max() < 1 else np.sqrt(ours), theirs, atol=1e-6)
