"""The closed-form denoiser: known answers, agreement of its two forms, and convergence of the fast search."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from conftest import scenery
from hypothesis import given, settings
from hypothesis import strategies as st

from unica.diffusion import Kept, cascade, guided, keep_known, seeded
from unica.patches import (
    Edges,
    PatchDenoiser,
    PatchSettings,
    even_heights,
    match,
    measure_order,
    nearest_origins,
    posterior,
    row_prior,
)
from unica.patches.healing import continued, heal
from unica.patches.order import order_on, stretched_heights
from unica.patches.search import (
    average,
    average_by_gathering,
    gather,
    nearest_visible,
    refine,
    refine_by_gathering,
    upscale,
)
from unica.pyramid import Scale, canvas_sizes, level_sizes, pyramid
from unica.regions import Region
from unica.torus import Axes, wrap_pad

FREE = Edges(rows=0.0, columns=0.0, outside=60.0)


def scale(pixels: torch.Tensor) -> Scale:
    return Scale(pixels, None, torch.ones(pixels.shape[1:], dtype=torch.bool))


def noisy(pixels: torch.Tensor, sigma: float, seed: int = 0) -> torch.Tensor:
    return pixels + sigma * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(seed))


def brute_force(x, y, sigma: float, patch: int) -> torch.Tensor:
    """The posterior mean over whole patches, on a torus canvas, written as its formula."""
    r = patch // 2
    queries = wrap_pad(x, r, r, r, r).unfold(1, patch, 1).unfold(2, patch, 1)
    keys = y.unfold(1, patch, 1).unfold(2, patch, 1).flatten(1, 2).transpose(0, 1).flatten(1)
    estimate = torch.zeros_like(x)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            distance = (queries[:, i, j].flatten() - keys).square().sum(1)
            patch_mean = (-distance / (2 * sigma**2)).softmax(0) @ keys
            for n, value in enumerate(patch_mean.view(x.shape[0], -1).T):
                a, b = divmod(n, patch)
                estimate[:, (i + a - r) % x.shape[1], (j + b - r) % x.shape[2]] += value / patch**2
    return estimate


@pytest.mark.parametrize("backend", ["compiled", "matmul"])
@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_the_posterior_equals_its_formula(backend, sigma) -> None:
    y = scenery(14, 12)
    x = noisy(y[:, :9, :10], sigma)
    found = posterior(x, scale(y), sigma, 5, FREE, wrap="xy", backend=backend).x0
    assert torch.allclose(found, brute_force(x, y, sigma, 5), atol=2e-4)


@pytest.mark.parametrize("backend", ["compiled", "matmul"])
def test_a_pixel_of_weight_four_has_half_the_noise(backend) -> None:
    y = scenery(16, 20)
    x = noisy(scenery(18, 22, seed=2), 0.5)
    often = posterior(x, scale(y), 1.0, 5, FREE, pixel_weight=torch.full((18, 22), 4.0), backend=backend)
    assert torch.allclose(often.x0, posterior(x, scale(y), 0.5, 5, FREE, backend=backend).x0, atol=1e-3)
    weight = 1 + 9 * torch.rand(18, 22, generator=torch.Generator().manual_seed(0))
    one, other = (
        posterior(x, scale(y), 0.5, 5, Edges(3.0, 0.5, 10.0), pixel_weight=weight, backend=each)
        for each in ("compiled", "matmul")
    )
    assert torch.allclose(one.x0, other.x0, atol=1e-3)


def test_new_pixels_continue_the_kept_ones() -> None:
    """Of a picture that is bright above and dark below, the left half is kept. The right half becomes the same."""
    y = torch.cat([torch.full((3, 16, 40), 0.6), torch.full((3, 16, 40), -0.6)], 1)
    scales, config = pyramid(y, None, [(32, 40)]), PatchSettings(edges=FREE, balance=0)
    (level,) = config.levels([(32, 40)])
    kept = Kept(y[None], (torch.arange(40) < 20).expand(1, 1, 32, 40))

    def keep(x0, t, level):  # the denoiser knows nothing of it
        return keep_known(x0, t, replace(level, kept=kept))

    error = {}
    for told in (True, False):
        runs = []
        for seed in range(6):
            denoiser = guided(PatchDenoiser(scales, config, [seed]), keep)
            *_, state = cascade(denoiser, [replace(level, kept=kept if told else None)], seeded([seed], 3))
            runs.append((state.x0[0, :, :, 20:26] - y[:, :, 20:26]).abs().mean().item())
        error[told] = sum(runs)
    assert error[True] < 0.05 < error[False]


@settings(deadline=None, max_examples=12)
@given(
    st.integers(6, 14), st.integers(6, 14), st.sampled_from([3, 5, 9]), st.sampled_from(["", "x", "y", "xy"]),
    st.sampled_from([1, 3]), st.integers(0, 999),
)  # fmt: skip
def test_compiled_and_matmul_posteriors_agree(height, width, patch, wrap, channels, seed) -> None:
    y = scenery(16, 13, channels, seed)
    x = noisy(scenery(height, width, channels, seed + 1), 0.5, seed)
    edges = Edges(3.0, 0.5, 10.0)
    order = row_prior(even_heights(height), 16, 4.0, 0.5, patch)  # leaves out some rows
    relevance = torch.randn(16, 13, generator=torch.Generator().manual_seed(seed))
    for rows, patches in ((None, None), (None, relevance), (order, relevance)):
        given = partial(posterior, x, scale(y), 0.5, patch, edges, wrap=wrap, balance=2, order=rows, relevance=patches)
        one, other = given(backend="compiled"), given(backend="matmul")
        assert torch.allclose(one.x0, other.x0, atol=1e-3)
        assert torch.allclose(one.priors.of_blocks, other.priors.of_blocks, atol=1e-2)


def test_block_boundaries_leave_no_trace(monkeypatch) -> None:
    y = scenery(16, 20)
    x = noisy(scenery(30, 34, seed=2), 0.5)
    cases: list[tuple[Axes, torch.Tensor | None]] = [
        ("", None),
        ("xy", None),
        ("", row_prior(even_heights(30), 16, 4.0, 0.5, 5)),
    ]
    for wrap, order in cases:
        whole = posterior(x, scale(y), 0.5, 5, Edges(8, 0, 20), wrap=wrap, order=order)
        with monkeypatch.context() as patch:
            patch.setattr("unica.patches.exact._BLOCK", 16 * 20 * 14**2)
            parts = posterior(x, scale(y), 0.5, 5, Edges(8, 0, 20), wrap=wrap, order=order)
        assert torch.allclose(whole.x0, parts.x0, atol=1e-4)


def test_little_noise_returns_the_picture() -> None:
    y = scenery()
    seen = posterior(noisy(y, 0.02), scale(y), 0.02, 7, Edges(8, 0, 20))
    assert (seen.x0 - y).abs().max() < 1e-2


def test_balance_makes_the_use_of_patches_even() -> None:
    y = scenery()
    x = noisy(torch.zeros_like(y), 1.0)
    shares = []
    for rounds in (0, 6):
        priors = posterior(x, scale(y), 1.0, 7, FREE, balance=rounds).priors
        again = posterior(x, scale(y), 1.0, 7, FREE, priors=priors, balance=1).priors
        shares.append((again.of_blocks - priors.of_blocks).exp().std())  # what one more round would still correct
    assert shares[1] < 0.2 * shares[0]


def test_balance_makes_the_use_of_patches_follow_their_relevance() -> None:
    y, rounds = scenery(), 12
    x = noisy(torch.zeros_like(y), 1.0)
    relevance = torch.linspace(0, 2, y.shape[2]).expand(y.shape[1:])
    priors = posterior(x, scale(y), 1.0, 7, FREE, balance=rounds, relevance=relevance).priors
    (prior,) = priors.of_blocks
    told = priors._replace(of_blocks=(prior + relevance)[None])
    (even,) = posterior(x, scale(y), 1.0, 7, FREE, priors=told, balance=1).priors.of_blocks
    use = (prior + relevance - even).exp()  # what one round for an even use would divide by
    wanted = relevance.exp() / relevance.exp().mean()
    assert ((use / wanted)[3:-3, 3:-3] - 1).abs().max() < 0.15  # patches at the border may reach beyond the source


@pytest.mark.parametrize("backend", ["compiled", "matmul"])
def test_source_rows_without_probability_are_never_used(backend) -> None:
    y = scenery(20, 24)
    x = noisy(scenery(26, 18, seed=3), 0.5)
    order = row_prior(even_heights(26), 20, 30.0, 0.5, 7)
    rows = posterior(x, scale(y), 0.5, 7, FREE, order=order, backend=backend).origins[..., 0].long()
    assert (order.gather(1, rows) > -torch.inf).all()
    free = posterior(x, scale(y), 0.5, 7, FREE, backend=backend).origins[..., 0].long()
    assert (order.gather(1, free) == -torch.inf).any()


def test_order_is_what_rows_tell_of_a_patch() -> None:
    noise = torch.randn(3, 40, 60, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(-1, 1, 40)[None, :, None] + 0.05 * noise
    assert measure_order(scale(slope)) > 0.8
    assert measure_order(scale(slope.transpose(1, 2).contiguous())) < 0.2
    assert measure_order(scale(noise)) < 0.2
    assert measure_order(scale(noise[:, :, :5])) == 0  # too narrow to tell


def landscape() -> torch.Tensor:
    """Bright above and dark below, with texture."""
    return torch.linspace(0.8, -0.8, 24)[None, :, None] + 0.2 * scenery(24, 30)


def coarsest_origins(
    config: PatchSettings, size: tuple[int, int], wrap="", relevance=None, seed: int = 1
) -> torch.Tensor:
    y = landscape()
    (level,) = config.levels([size])
    denoiser = PatchDenoiser([scale(y)], config, [seed], relevance=relevance)
    list(cascade(denoiser, [replace(level, wrap=wrap)], seeded([seed], 3)))
    return denoiser.origins()


def test_order_keeps_the_sky_above_on_a_higher_canvas() -> None:
    config = PatchSettings(edges=FREE, widest=9, narrowest=5, steps=12)
    height = (torch.arange(72)[:, None] + 0.5) / 72
    away = []
    for order in (0.0, 1.0):
        rows = (coarsest_origins(replace(config, order=order), (72, 40))[..., 0] + 0.5) / 24
        away.append((rows - height).abs().mean().item())
    assert away[1] < 0.15 and away[1] < 0.6 * away[0], away


def test_a_higher_canvas_stretches_where_rows_are_alike() -> None:
    noise = torch.rand(3, 32, 40, generator=torch.Generator().manual_seed(0))
    wall = noise * (torch.arange(32) // 8 == 2)[None, :, None]  # rows 16 to 23 are like no others
    heights = stretched_heights(scale(wall), 96)
    assert heights is not None and (heights.diff() > 0).all() and heights[0] > 0 and heights[-1] < 1
    rows = (heights * 32).long().bincount(minlength=32)
    assert rows[17:23].max() <= 2 and rows[:12].min() >= 4 and int(rows.sum()) == 96, rows
    low = stretched_heights(scale(wall[:, :4]), 20)
    assert low is not None and torch.allclose(low, even_heights(20), atol=1e-5)  # too few rows to compare
    assert stretched_heights(scale(wall), 32) is None and stretched_heights(scale(wall), 20) is None


def test_a_very_high_canvas_shows_scenes_one_below_the_other() -> None:
    source = scale(scenery(20, 24))
    assert order_on(source, 20) == (None, 1.0) and order_on(source, 80)[1] == 1.0
    heights, held = order_on(source, 200)
    assert heights is not None and 0 < held < 1
    starts = (heights.diff() < 0).nonzero()[:, 0]
    assert len(starts) == 4 and heights.min() < 0.03 and heights.max() > 0.97
    assert torch.allclose(starts.diff(), torch.tensor(40))


def test_rows_beyond_the_source_are_like_its_first_and_its_last() -> None:
    prior = row_prior((torch.arange(40) + 0.5 - 10) / 20, 20, 4.0, 0.2, 7)
    assert (prior[:10].argmax(1) == 0).all() and (prior[30:].argmax(1) == 19).all()
    assert torch.equal(prior[10:30].argmax(1), torch.arange(20))


def test_a_balanced_use_is_the_one_that_the_order_expects() -> None:
    """A canvas all of which lies above the source uses its upper rows, though the lower ones are left."""
    y, x = scenery(20, 24), noisy(scenery(20, 24, seed=3), 0.5)
    order = row_prior((torch.arange(20) - 20) / 20, 20, 4.0, 0.5, 7)
    even, expected = (
        posterior(x, scale(y), 0.5, 7, FREE, order=order, balance=4, ordered_use=use).origins[..., 0].float().mean()
        for use in (False, True)
    )
    assert expected < 6 and expected < even


def test_a_canvas_without_top_and_a_run_from_a_picture_have_no_order() -> None:
    config = PatchSettings(widest=9, narrowest=5, steps=6)
    strict = replace(config, order=1.0)
    assert torch.equal(coarsest_origins(config, (40, 40), "xy"), coarsest_origins(strict, (40, 40), "xy"))
    assert not torch.equal(coarsest_origins(config, (40, 40)), coarsest_origins(strict, (40, 40)))
    y = landscape()
    (level,) = config.levels([(24, 30)])
    later = replace(level, times=level.times[2:])
    runs = []
    for each in (config, strict):
        *_, state = cascade(PatchDenoiser([scale(y)], each), [later], seeded([0], 3), y.flip(1)[None])
        runs.append(state.x0)
    assert torch.equal(*runs)


def test_relevant_parts_of_the_source_are_used_more() -> None:
    config = PatchSettings(widest=9, narrowest=5, steps=12)
    left = torch.arange(30) < 15
    shares = []
    for strength in (0.0, 1.5):
        relevance = strength * left.float().expand(24, 30)
        runs = [coarsest_origins(config, (24, 30), "x", relevance, seed)[..., 1].long() for seed in range(3)]
        shares.append(left[torch.stack(runs)].float().mean().item())
    assert 0.35 < shares[0] < 0.65 and shares[1] > shares[0] + 0.15, shares


def test_hidden_pixels_are_never_used() -> None:
    y = scenery()
    hidden = torch.zeros(y.shape[1:], dtype=torch.bool)
    hidden[10:30, 20:40] = True
    y[:, hidden] = 5.0  # outside the range of the others
    source = Scale(y, None, ~hidden)
    for sigma in (0.1, 3.0):
        seen = posterior(noisy(torch.zeros_like(y), sigma), source, sigma, 7, Edges(8, 0, 20))
        assert seen.x0.max() <= 1 + 1e-4
    origins, _ = refine(noisy(torch.zeros_like(y), 0.1), y, source, seen.origins, 7, passes=6, jitter=8, reach=30)
    assert gather(origins, y).max() <= 1 and average(origins, source, 7, 2.0).max() <= 1 + 1e-4
    assert not hidden[origins[..., 0].long(), origins[..., 1].long()].any()


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_a_constant_picture_stays_constant(value) -> None:
    pixels = torch.full((1, 40, 40), value)
    sizes = level_sizes((40, 40), 400)
    config = PatchSettings(steps=4)
    denoiser = PatchDenoiser(pyramid(pixels, None, sizes), config)
    *_, state = cascade(denoiser, config.levels(sizes), seeded([0], 1))
    assert torch.allclose(state.x0, torch.full_like(state.x0, value), atol=1e-5)


def test_the_fast_search_converges_to_the_exact_answer() -> None:
    """The more candidates, the closer the distance comes to that of the exact nearest patch."""
    y = scenery(40, 44)
    x = noisy(scenery(36, 40, seed=5), 0.1)
    height, width = x.shape[1:]
    exact = posterior(x, scale(y), 0.005, 5, Edges(0, 0, 4.0), overlap=1)
    _, best = refine(x, y, scale(y), exact.origins, 5, passes=1, jitter=0)
    start = torch.randint(0, 36, (height, width, 2), generator=torch.Generator().manual_seed(0)).int()
    curve = []
    for passes in (1, 4, 16, 64, 256):
        distance = refine(x, y, scale(y), start, 5, passes=passes, jitter=24, reach=40)[1]
        curve.append(float((distance / best.clamp_min(1e-6)).mean()) - 1)
    assert all(later < earlier for earlier, later in zip(curve, curve[1:])), curve
    assert curve[0] > 0.1 and curve[-1] < 0.005, curve


@settings(deadline=None, max_examples=8)
@given(st.sampled_from(["", "x", "y", "xy"]), st.sampled_from([1, 3]), st.integers(0, 99))
def test_the_torch_search_equals_the_compiled_one(wrap, channels, seed) -> None:
    y, x = scenery(20, 24, channels, seed), noisy(scenery(15, 17, channels, seed + 1), 0.1)
    start = torch.randint(0, 20, (15, 17, 2), generator=torch.Generator().manual_seed(seed)).int()
    one, distance = refine(x, y, scale(y), start, 5, seed=seed, wrap=wrap)
    other, again = refine_by_gathering(x, y, scale(y), start, 5, 2, 2, 2, seed, wrap)
    assert torch.allclose(distance, again, rtol=1e-3, atol=1e-3)
    assert (one == other).all(-1).float().mean() > 0.99  # ties may differ
    ramp = torch.exp(-0.5 * ((torch.arange(5) - 2) / 1.5) ** 2)
    window = torch.outer(ramp, ramp)
    soft = average(one, scale(y), 5, 1.5, wrap)
    assert torch.allclose(soft, average_by_gathering(one, scale(y), window, wrap), atol=1e-5)


def test_upscaled_origins_keep_patches_together() -> None:
    rows, columns = torch.meshgrid(torch.arange(10), torch.arange(12), indexing="ij")
    identity = torch.stack([rows, columns], -1).int()
    fine = upscale(identity, (20, 24), (10, 12), (20, 24))
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(24), indexing="ij")
    assert (fine - torch.stack([rows, columns], -1)).abs().max() <= 1


def test_healing_keeps_copies_and_smooths_seams() -> None:
    y = scenery(30, 40)
    rows, columns = torch.meshgrid(torch.arange(30), torch.arange(40), indexing="ij")
    identity = torch.stack([rows, columns], -1).int()
    assert torch.equal(heal(identity, scale(y)), y)
    slope = torch.linspace(-1, 1, 40)[None, None, :].expand(1, 30, 40).contiguous()
    left = {}
    for offset in (3, 30):
        cut = identity.clone()
        cut[:, 20:, 1] -= offset
        cut.clamp_(min=0)
        seam, healed = (
            picture.diff(dim=2).abs()[0, 15, 19] for picture in (gather(cut, slope), heal(cut, scale(slope)))
        )
        left[offset] = healed / seam
    assert left[3] < 0.5, left
    assert left[30] > 0.8, left  # a real edge: healing would make it glow


def test_healing_holds_what_is_kept_and_leaves_no_jump_to_it() -> None:
    """A gray picture beside a kept part that is brighter: the gray rises to it, and falls off over some pixels."""
    y = torch.zeros(3, 40, 60)
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(60), indexing="ij")
    mask = (columns < 20)[None, None]
    kept = Kept(torch.full((1, 3, 40, 60), 0.2), mask)
    for healed in (
        heal(torch.stack([rows, columns], -1).int(), scale(y), kept=kept),
        continued(y, kept),
    ):
        assert torch.equal(healed[:, :, :20], kept.picture[0, :, :, :20])
        steps = healed.diff(dim=2).abs()[0, 20]
        assert steps[19] < 0.04 and steps.max() < 0.04 and healed[0, 20, 58].abs() < 0.04


def test_a_real_edge_to_what_is_kept_stays_one() -> None:
    y = torch.full((3, 30, 40), -1.0)
    mask = torch.zeros(1, 1, 30, 40, dtype=torch.bool)
    mask[..., :15] = True
    steps = continued(y, Kept(torch.ones(1, 3, 30, 40), mask)).diff(dim=2).abs()[0, 15]
    assert steps[14] > 1.6 and steps[15:].max() < 0.05


def test_what_already_continues_the_kept_part_stays() -> None:
    y = scenery(30, 40)
    mask = torch.zeros(1, 1, 30, 40, dtype=torch.bool)
    mask[..., :15] = True
    assert continued(y, Kept(y[None], mask)) is y
    rows, columns = torch.meshgrid(torch.arange(30), torch.arange(40), indexing="ij")
    identity = torch.stack([rows, columns], -1).int()
    assert torch.allclose(heal(identity, scale(y), kept=Kept(y[None], mask)), y, atol=1e-6)


def test_nearest_origins_find_a_crop_in_its_source() -> None:
    y = scenery(40, 60)
    crop = torch.cat([y[:, 5:35, 10:50], torch.zeros(1, 30, 40)])  # a channel more, which is ignored
    origins = nearest_origins(crop, y)
    assert torch.equal(origins, match(crop[:3], pyramid(y, None, level_sizes((40, 60), 3072))))
    copied = gather(origins, y)
    assert (copied - crop[:3]).abs().mean() < 0.02


def test_a_run_does_not_depend_on_the_number_of_threads() -> None:
    y = scenery()
    sizes = level_sizes((48, 64), 400)
    config = PatchSettings(steps=4, widest=9, narrowest=5)
    pictures = []
    threads = torch.get_num_threads()
    for count in (1, 2):
        torch.set_num_threads(count)
        denoiser = PatchDenoiser(pyramid(y, None, sizes), config, seeds=[3])
        *_, state = cascade(denoiser, config.levels(canvas_sizes((40, 80), sizes)), seeded([3], 3))
        pictures.append(state.x0)
    torch.set_num_threads(threads)
    assert torch.allclose(pictures[0], pictures[1], atol=1e-3)


def test_where_all_patches_are_hidden_their_average_is_a_smooth_fill() -> None:
    """So every state of a run can be shown, and the next step searches for something."""
    y = scenery(32, 40)
    visible = torch.ones(32, 40, dtype=torch.bool)
    visible[8:20, 10:22] = False
    hiding = scale(y)._replace(visible=visible)
    origins = torch.stack(torch.meshgrid(torch.arange(32), torch.arange(40), indexing="ij"), -1).int()
    out = average(origins, hiding, 5, 2.0)
    assert out.isfinite().all() and out.abs().max() <= 1
    assert torch.equal(out[:, 23:], average(origins, scale(y), 5, 2.0)[:, 23:])  # far from what is hidden


def test_the_nearest_visible_place_is_visible_and_nearly_the_nearest() -> None:
    visible = torch.rand(40, 50, generator=torch.Generator().manual_seed(0)) > 0.5
    visible[5:35, 10:40] = False
    found = nearest_visible(visible)
    places = torch.stack(torch.meshgrid(torch.arange(40), torch.arange(50), indexing="ij"), -1)
    assert visible[found[..., 0].long(), found[..., 1].long()].all()
    assert torch.equal(found[visible].long(), places[visible])
    far = torch.cdist(places.flatten(0, 1).float(), places[visible].float()).min(1).values.view(40, 50)
    assert ((found - places).float().norm(dim=-1) <= far * 1.1 + 1).all()


def test_a_thin_hole_is_drawn_anew_though_no_coarse_pixel_is_all_hidden() -> None:
    """Origins of coarse pixels that are visible in part lead into the hole, where nothing may be copied from."""
    from unica.engines.base import open as opened
    from unica.image import to_pil
    from unica.tasks import FUNCTIONS

    picture = to_pil(torch.rand(3, 320, 320, generator=torch.Generator().manual_seed(1)) * 2 - 1)
    model: Any = opened(picture, engine="instant", levels=5)
    whole = np.asarray(picture).astype(int)
    made = np.asarray(FUNCTIONS["inpaint"](model, Region(box=[(100, 140, 120, 7)]), dilate=0)[0]).astype(int)
    changed = (made != whole).any(-1)[140:147, 100:220]
    assert changed.mean() > 0.9


def test_pictures_do_not_depend_on_the_number_of_threads() -> None:
    """By rounding, either: one pixel that is matched otherwise changes a whole patch, as it did in this picture."""
    from unica.engines.base import open as opened
    from unica.image import to_pil
    from unica.tasks import FUNCTIONS

    random = np.random.default_rng(2)
    sky = np.linspace(0, 255, 72)[:, None, None] * random.random(3)
    ground = random.integers(0, 120, (72, 96, 3)) * (np.arange(72) > 40)[:, None, None]
    picture = torch.from_numpy((sky + ground).clip(0, 255).astype(np.uint8)).movedim(-1, 0) / 127.5 - 1
    model: Any = opened(to_pil(picture), engine="instant")
    before, drawn = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            drawn.append(FUNCTIONS["sample"](model, seed=2, output="pt"))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[0], drawn[2])
