"""Views of a picture are made by the published recipe, each part of it compared with its definition."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from unica.guides import views as module
from unica.guides.views import (
    augment,
    brightness,
    contrast,
    cutouts,
    homography,
    hue,
    luma,
    saturation,
    turned,
    view_size,
    views,
    warp,
)

SIZES = [(16, 16), (40, 100), (300, 150), (20, 700), (33, 1)]


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


# Views


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", (1, 2, 3, 4))
def test_views_stay_within_the_range_of_colours(size: tuple[int, int], channels: int) -> None:
    seen = views(noise(2, channels, *size), 5, 32, seeded(0, 1), least=4)
    assert seen.shape == (10, 3, *view_size(*size, 32, 4))
    assert seen.min() >= -1e-5 and seen.max() <= 1 + 1e-5
    white = views(torch.ones(1, channels, *size), 5, 32, seeded(0))
    assert torch.allclose(white, torch.tensor(1.0), atol=0.11)  # only jitter darkens it


@pytest.mark.parametrize(
    ("picture", "side", "view"),
    [
        ((100, 100), 224, (224, 224)),
        ((188, 250), 224, (224, 297)),
        ((250, 188), 224, (297, 224)),
        ((700, 1000), 224, (224, 320)),
        ((250, 500), 224, (160, 320)),
        ((500, 250), 224, (320, 160)),
        ((100, 1000), 224, (32, 320)),
        ((50, 1000), 224, (32, 320)),  # not (16, 320): at least one patch
        ((500, 250), 336, (480, 240)),
        ((60, 100), 64, (54, 91)),
    ],
)
def test_views_have_the_published_size(picture: tuple[int, int], side: int, view: tuple[int, int]) -> None:
    assert view_size(*picture, side, 32) == view


def test_a_seed_decides_the_views_and_each_call_draws_new_ones() -> None:
    picture, (first, second) = noise(1, 3, 40, 60), seeded(7, 7)
    one = views(picture, 4, 24, [first])
    assert torch.equal(one, views(picture, 4, 24, [second]))
    again = views(picture, 4, 24, [first])
    assert all(not torch.equal(a, b) for a, b in zip(one, again))
    assert all(not torch.equal(a, b) for a, b in zip(one, one[1:]))


def test_views_do_not_depend_on_the_other_pictures() -> None:
    pictures = noise(3, 3, 40, 60)
    together = views(pictures, 4, 24, seeded(5, 6, 7))
    alone = torch.cat([views(pictures[i : i + 1], 4, 24, seeded(5 + i)) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (30, 90), (200, 120)])
def test_every_pixel_is_seen(size: tuple[int, int]) -> None:
    """Edges least, because the published crops lie anywhere with the same probability."""
    picture, random = noise(1, 3, *size).requires_grad_(), seeded(3)
    seen = torch.stack([views(picture, 16, 24, random).sum() for _ in range(30)])
    (gradient,) = torch.autograd.grad(seen.sum(), picture)
    gradient = gradient.sum(1)  # of all channels together: turning the hue may change one of them either way
    assert (gradient > 1e-4 * gradient.mean()).all()
    for edge in (gradient[:, :2], gradient[:, -2:], gradient[..., :2], gradient[..., -2:]):
        assert edge.mean() > gradient.mean() / 20


def test_gradient_is_the_one_of_small_changes() -> None:
    """Through cropping, resizing and every augmentation, of which each of the seeds picks some."""
    picture = (0.2 + 0.6 * noise(1, 3, 9, 12)).double().requires_grad_()
    for seed in range(12):
        assert torch.autograd.gradcheck(lambda x, s=seed: views(x, 2, 6, seeded(s)), picture, atol=1e-5, fast_mode=True)


@pytest.mark.parametrize(
    "colour", [(0.5, 0.5, 0.5), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.7, 0.7, 0.2)]
)
def test_gradient_is_finite_for_flat_colours(colour: tuple[float, ...]) -> None:
    picture = torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 12, 16).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(views(picture, 16, 12, seeded(0)).sum(), picture)
    assert gradient.isfinite().all()


def test_crops_take_one_share_of_both_sides_and_lie_anywhere() -> None:
    """Read off a picture whose colours are its places. The first view is all of it."""
    height, width = 90, 120
    y, x = torch.meshgrid(torch.arange(height) / 1.0, torch.arange(width) / 1.0, indexing="ij")
    whole, *crops = cutouts(torch.stack([x, y, 0 * x]), 400, (45, 60), *seeded(0))
    assert torch.allclose(whole[0, :, 1:-1].mean(0), 2 * torch.arange(1.0, 59) + 0.5, atol=1e-3)
    boxes = []
    for crop in crops:  # steps in the middle of a crop, where resizing is linear, tell its size
        across, down = (((crop[0, 22, 40] - crop[0, 22, 20]) / 20), ((crop[1, 30, 30] - crop[1, 15, 30]) / 15))
        middle = crop[:2, 22:23, 29:31].mean((1, 2)) + torch.tensor([0.5, 0.5])
        boxes.append((60 * across, 45 * down, *middle))
    columns, rows, x, y = torch.tensor(boxes).T
    assert ((columns / width - rows / height).abs() < 0.02).all()
    share = rows / height
    assert share.min() > 0.58 and share.max() < 1.001 and share.mean() == pytest.approx(0.8, abs=4 * 0.4 / 12**0.5 / 20)
    left, top = x - columns / 2, y - rows / 2
    assert left.min() > -1 and top.min() > -1 and (left + columns).max() < width + 1 and (top + rows).max() < height + 1
    for start, free in ((left, width - columns), (top, height - rows)):
        place = (start / free)[free > 10]
        assert place.mean() == pytest.approx(0.5, abs=0.08) and place.min() < 0.1 and place.max() > 0.9


# Chance


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    """The arguments of every call of a function of the module, from now on."""
    calls: list[tuple[Any, ...]] = []
    function = getattr(module, name)

    def called(*args: Any) -> Any:
        calls.append(args)
        return function(*args)

    monkeypatch.setattr(module, name, called)
    return calls


def fair(share: float, count: int) -> Any:
    """A frequency over `count` draws, within four standard deviations."""
    return pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count))


def test_augmentations_have_the_published_order_and_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    picked: list[str] = []

    def noting(name: str) -> Callable[[Tensor, torch.Generator], Tensor]:
        def change(view: Tensor, random: torch.Generator) -> Tensor:
            picked.append(name)
            return view

        return change

    named = tuple((chance, noting(change.__name__)) for chance, change in module.AUGMENTATIONS)
    monkeypatch.setattr(module, "AUGMENTATIONS", named)
    published = {"_flip": 0.5, "_affine": 0.8, "_perspective": 0.5, "_jitter": 0.7, "_gray": 0.15}
    assert [change.__name__ for _, change in module.AUGMENTATIONS] == ["change"] * 5
    (random,), view, count = seeded(0), noise(3, 2, 2), 4000
    rounds = []
    for _ in range(count):
        picked.clear()
        augment(view, random)
        rounds.append(tuple(picked))
    for name, chance in published.items():
        assert sum(name in names for names in rounds) / count == fair(chance, count), name
    order = {name: i for i, name in enumerate(published)}
    assert all(list(names) == sorted(names, key=order.__getitem__) for names in rounds)
    both = sum({"_affine", "_perspective"} <= set(names) for names in rounds) / count
    assert both == fair(0.8 * 0.5, count)  # each is picked for itself


def test_affine_turns_by_15_degrees_and_shifts_by_a_tenth_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, (random,), view, count = counted(monkeypatch, "turned"), seeded(0), noise(3, 30, 40), 2000
    for _ in range(count):
        module._affine(view, random)
    assert {call[:2] for call in calls} == {(30, 40)}
    angles, right, down = np.array([call[2:] for call in calls]).T
    assert -15 <= angles.min() < -14.9 and 14.9 < angles.max() <= 15
    assert angles.std() == pytest.approx(15 / 3**0.5, rel=0.05) and abs(angles.mean()) < 4 * 15 / 3**0.5 / count**0.5
    assert set(right) == set(range(-4, 5)) and set(down) == set(range(-3, 4))  # whole pixels


def test_perspective_moves_corners_inwards_by_two_tenths_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distortion 0.4 is of half the sides: here of 15 and 20 pixels."""
    calls, (random,), view = counted(monkeypatch, "homography"), seeded(0), noise(3, 30, 40)
    for _ in range(1500):
        module._perspective(view, random)
    corners = [(0, 0), (39, 0), (39, 29), (0, 29)]
    assert all(sources == corners for _, sources in calls)
    inwards = np.abs(np.array([places for places, _ in calls]) - np.array(corners))
    places = np.array([places for places, _ in calls])
    assert places[..., 0].min() == 0 and places[..., 0].max() == 39 and places[..., 1].max() == 29
    for corner in range(4):
        for axis, most in enumerate((8, 6)):
            steps, found = np.unique(inwards[:, corner, axis], return_counts=True)
            assert list(steps) == list(range(most + 1))  # the ends included
            assert all(number / 1500 == fair(1 / (most + 1), 1500) for number in found)


def test_jitter_changes_four_things_by_a_tenth_at_most_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("brightness", "contrast", "saturation", "hue")
    order: list[str] = []
    amounts: dict[str, list[float]] = {name: [] for name in names}

    def noting(name: str) -> Callable[[Tensor, float], Tensor]:
        def change(view: Tensor, amount: float) -> Tensor:
            order.append(name)
            amounts[name].append(amount)
            return view

        return change

    for name in names:
        monkeypatch.setattr(module, name, noting(name))
    (random,), view, count = seeded(0), noise(3, 2, 2), 2400
    orders = []
    for _ in range(count):
        order.clear()
        module._jitter(view, random)
        orders.append(tuple(order))
    for every in permutations(names):
        assert orders.count(every) / count == fair(1 / 24, count), every
    for name, drawn in amounts.items():
        middle = 0 if name == "hue" else 1
        assert middle - 0.1 <= min(drawn) < middle - 0.099 and middle + 0.099 < max(drawn) <= middle + 0.1
        assert np.mean(drawn) == pytest.approx(middle, abs=4 * 0.1 / 3**0.5 / count**0.5)


# Geometry


def spot(x: float, y: float, height: int = 60, width: int = 80) -> Tensor:
    """A dark spot on white."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    dark = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return (1 - dark).expand(3, -1, -1)


def found(view: Tensor) -> tuple[float, float]:
    """The middle of the dark spot."""
    dark = 1 - view[0]
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in dark.shape), indexing="ij")
    return ((dark * columns).sum() / dark.sum()).item(), ((dark * rows).sum() / dark.sum()).item()


def test_a_point_is_turned_clockwise_about_the_middle_and_shifted() -> None:
    """By hand: on a canvas of 80x60 the middle is at (39.5, 29.5)."""
    quarter = warp(spot(49.5, 29.5), turned(60, 80, 90, 0, 0))
    assert found(quarter) == pytest.approx((39.5, 39.5), abs=0.05)  # from right of the middle to below it
    for angle, right, down in ((15, 0, 0), (-15, 8, -6), (7, -3, 5)):
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        x, y = 55 - 39.5, 20 - 29.5
        there = 39.5 + cos * x - sin * y + right, 29.5 + sin * x + cos * y + down
        assert found(warp(spot(55, 20), turned(60, 80, angle, right, down))) == pytest.approx(there, abs=0.05)


def test_points_follow_the_homography_of_four_corners() -> None:
    """The same system of equations, solved by numpy from the view's corners to where they go."""
    corners = [(0, 0), (79, 0), (79, 59), (0, 59)]
    moved = [(7, 3), (66, 9), (74, 50), (2, 55)]
    rows = []
    for (x, y), (u, v) in zip(corners, moved):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    forth = np.linalg.svd(np.array(rows, float))[2][-1].reshape(3, 3)  # up to a factor
    back = homography(moved, corners)
    for x, y in ((30, 20), (60, 45), (12, 40)):
        u, v, depth = forth @ (x, y, 1)
        there = u / depth, v / depth
        assert found(warp(spot(x, y), back)) == pytest.approx(there, abs=0.15)
        sources = back.numpy() @ (*there, 1)
        assert sources[:2] / sources[2] == pytest.approx((x, y))


def test_perspective_keeps_all_of_a_view_inside_its_moved_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, view = counted(monkeypatch, "homography"), torch.zeros(3, 60, 80)
    seen = module._perspective(view, *seeded(2))
    ((corners, _),) = calls
    for x, y in corners:
        assert seen[:, y, x].max() < 0.5  # the corner's pixel itself
    area = 0.5 * sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, [*corners[1:], corners[0]]))
    assert (1 - seen[0]).sum().item() == pytest.approx(area, rel=0.05)  # of the polygon, by the shoelace formula


def test_warp_with_known_maps() -> None:
    view = noise(3, 32, 48)
    assert torch.allclose(warp(view, torch.eye(3)), view, atol=1e-5)
    mirror = torch.tensor([[-1.0, 0, 47], [0, 1, 0], [0, 0, 1]])
    assert torch.allclose(warp(view, mirror), view.flip(-1), atol=1e-4)
    shifted = warp(view, turned(32, 48, 0, 5, -3))
    assert torch.allclose(shifted[:, :-3, 5:], view[:, 3:, :-5], atol=1e-4)
    assert torch.allclose(shifted[:, -3:], torch.tensor(1.0)) and torch.allclose(shifted[..., :5], torch.tensor(1.0))


# Colours


def pixels(colours: Tensor) -> Tensor:
    """Rows of colours as a view of one row."""
    return colours.T[:, None]


@pytest.mark.parametrize("turn", (-0.1, -0.03, 0.0, 0.05, 0.1, 0.4))
def test_hue_is_the_one_of_colorsys(turn: float) -> None:
    """For random colours, and for gray and pure ones, where hue is undefined or at a seam."""
    special = [(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)]
    colours = torch.cat([noise(200, 3), torch.tensor(special, dtype=torch.float32)])
    wanted = []
    for colour in colours.tolist():
        h, s, v = colorsys.rgb_to_hsv(*colour)
        wanted.append(colorsys.hsv_to_rgb((h + turn) % 1, s, v))
    assert torch.allclose(hue(pixels(colours), turn), pixels(torch.tensor(wanted)), atol=1e-5)


def test_gray_is_a_weighted_sum() -> None:
    red, green, blue = noise(3, 4, 5)
    wanted = 0.299 * red + 0.587 * green + 0.114 * blue
    assert torch.allclose(luma(torch.stack([red, green, blue]))[0], wanted, atol=1e-6)
    shown = module._gray(torch.stack([red, green, blue]), *seeded(0))
    assert all(torch.allclose(channel, wanted, atol=1e-6) for channel in shown)


@pytest.mark.parametrize("factor", (0.9, 1.0, 1.1))
def test_brightness_contrast_and_saturation_by_hand(factor: float) -> None:
    """Each moves colours away from black, from the view's mean gray, or from their own gray, and stays in range."""
    colours = [(0.95, 0.9, 0.2), (0.1, 0.4, 0.6), (0.0, 0.05, 1.0)]
    view = pixels(torch.tensor(colours))
    grays = [0.299 * r + 0.587 * g + 0.114 * b for r, g, b in colours]
    mean = sum(grays) / 3

    def away(anchors: list[float]) -> Tensor:
        moved = [[min(max(a + factor * (c - a), 0), 1) for c in colour] for colour, a in zip(colours, anchors)]
        return pixels(torch.tensor(moved))

    assert torch.allclose(brightness(view, factor), away([0, 0, 0]), atol=1e-6)
    assert torch.allclose(contrast(view, factor), away([mean] * 3), atol=1e-6)
    assert torch.allclose(saturation(view, factor), away(grays), atol=1e-6)
