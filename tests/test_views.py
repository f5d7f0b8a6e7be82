"""Views of a picture: they show it, show all of it, and show nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unica.guides.views import cutouts, views, warp

SIZES = [(16, 16), (40, 100), (300, 150), (20, 700), (33, 1)]


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", (1, 2, 3, 4))
def test_views_stay_within_the_range_of_the_picture(size: tuple[int, int], channels: int) -> None:
    seen = views(noise(2, channels, *size), 5, 32, seeded(0, 1))
    assert seen.shape == (10, 3, 32, 32)
    assert seen.min() >= -1e-6 and seen.max() <= 1 + 1e-6
    flat = views(torch.full((1, channels, *size), 0.3), 5, 32, seeded(0))
    assert torch.allclose(flat, torch.tensor(0.3), atol=1e-6)


def test_the_first_view_is_the_whole_picture() -> None:
    picture = noise(1, 3, 32, 32)
    assert torch.equal(views(picture, 4, 32, seeded(0))[:1], picture)
    wide = torch.cat([torch.zeros(1, 3, 20, 200), torch.ones(1, 3, 20, 200)], -1)
    (whole,) = views(wide, 1, 32, seeded(0))
    assert whole[..., :15].max() == 0 and whole[..., 17:].min() > 1 - 1e-6


def test_a_seed_decides_the_views_and_each_call_draws_new_ones() -> None:
    picture, (first, second) = noise(1, 3, 40, 60), seeded(7, 7)
    one = views(picture, 4, 24, [first])
    assert torch.equal(one, views(picture, 4, 24, [second]))
    again = views(picture, 4, 24, [first])
    assert torch.equal(one[0], again[0]) and not torch.equal(one[1:], again[1:])
    assert all(not torch.equal(a, b) for a, b in zip(one[1:], one[2:]))


def test_views_do_not_depend_on_the_other_pictures() -> None:
    pictures = noise(3, 3, 40, 60)
    together = views(pictures, 4, 24, seeded(5, 6, 7))
    alone = torch.cat([views(pictures[i : i + 1], 4, 24, seeded(5 + i)) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (30, 90), (200, 120)])
def test_every_pixel_is_seen(size: tuple[int, int]) -> None:
    """By the whole view, and by the cut-outs of a run of 30 steps, which see the borders less often."""
    picture, random = noise(1, 3, *size).requires_grad_(), seeded(3)
    seen = torch.cat([views(picture, 16, 24, random) for _ in range(30)])
    whole, cut = (torch.autograd.grad(part.sum(), picture, retain_graph=True)[0] for part in (seen[:1], seen))
    cut = cut - 30 * whole
    assert (whole > 0).all()
    assert (cut > 1e-4 * cut.mean()).all()
    assert min(cut[..., :2, :].mean(), cut[..., -2:].mean()) > cut.mean() / 10


def test_a_cutout_skips_no_pixel() -> None:
    """Each pixel in the middle of a cut-out, where nothing is mirrored, has a gradient."""
    picture = torch.zeros(1, 1, 64, 64, requires_grad=True)
    for maps in cutouts(20, 1.0, *seeded(2)):
        (gradient,) = torch.autograd.grad(warp(picture, maps[None, None], 64).sum(), picture)
        y, x = (int((maps[i, 2] / maps[2, 2] + 1) * 32) for i in (1, 0))
        assert (gradient[..., max(y - 8, 0) : y + 8, max(x - 8, 0) : x + 8] > 0).all()


def test_warp_with_known_maps() -> None:
    picture, same = noise(1, 3, 32, 32), torch.eye(3)
    mirror = torch.diag(torch.tensor([-1.0, 1, 1]))
    quarter = torch.tensor([[0.5, 0, -0.5], [0, 0.5, -0.5], [0, 0, 1]])
    kept, flipped, corner = warp(picture, torch.stack([same, mirror, quarter])[None], 32)[0]
    assert torch.allclose(kept, picture[0], atol=1e-5)
    assert torch.allclose(flipped, picture[0].flip(-1), atol=1e-5)
    assert torch.allclose(warp(picture, quarter[None, None], 16)[0, 0], picture[0, :, :16, :16], atol=1e-5)
    assert torch.allclose(corner[:, 1:-1:2, 1:-1:2], picture[0, :, :15, :15] * 0.5625 + rest(picture), atol=1e-5)


def rest(picture: Tensor) -> Tensor:
    """What the three neighbours add, in a view with twice the resolution of its picture."""
    x = picture[0, :, :16, :16]
    return x[:, 1:, :-1] * 0.1875 + x[:, :-1, 1:] * 0.1875 + x[:, 1:, 1:] * 0.0625


def test_cutouts_have_the_right_size_and_lie_inside() -> None:
    """Cut-outs are square, their corners stay near the picture, and half of them are mirrored."""
    maps = cutouts(500, 0.5, *seeded(0))
    corners = torch.tensor([[x, y, 1.0] for x in (-1, 1) for y in (-1, 1)]) @ maps.mT
    x, y = (corners[..., :2] / corners[..., 2:]).unbind(-1)
    assert x.abs().max() < 1.4 and y.abs().max() < 1.6
    width, height = x.amax(1) - x.amin(1), y.amax(1) - y.amin(1)
    assert torch.allclose(height.mean() / width.mean(), torch.tensor(2.0), atol=0.05)  # square on a canvas of 2:1
    assert 0.3 < (torch.linalg.det(maps[:, :2, :2]) < 0).float().mean() < 0.7  # half of them are mirrored
