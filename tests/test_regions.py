"""Where to act: masks, transparency, boxes and polygons."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from conftest import scenery
from hypothesis import given
from hypothesis import strategies as st

from unica.errors import UnicaError
from unica.image import Picture, load, to_pil
from unica.masks import feathered, filled, grown, shown
from unica.regions import Region

SOURCE = load(to_pil(scenery(40, 60)))


def where(source: Picture = SOURCE, **words) -> torch.Tensor:
    return Region(**words).on(source)[0]


def test_a_box_is_left_top_width_height() -> None:
    meant = where(box=[(10, 5, 3, 7)])
    assert meant.sum() == 21 and meant[5:12, 10:13].all()


def test_all_parts_are_marked_together() -> None:
    meant = where(box=[(0, 0, 4, 4), (50, 30, 10, 10)], polygon=[[(20, 10), (30, 10), (30, 20), (20, 20)]])
    assert meant.sum() == 16 + 100 + 100 and meant[10:20, 20:30].all()


@given(st.integers(0, 40), st.integers(0, 25), st.integers(1, 20), st.integers(1, 15))
def test_a_polygon_of_a_boxs_corners_is_that_box(x: int, y: int, w: int, h: int) -> None:
    corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    assert torch.equal(where(polygon=[corners]), where(box=[(x, y, w, h)]))


def test_half_of_a_square_is_a_triangle() -> None:
    assert where(polygon=[[(10, 5), (40, 5), (10, 35)]]).sum().item() == pytest.approx(450, rel=0.04)


def test_a_mask_is_white_where_to_act() -> None:
    mask = torch.full((1, 40, 60), -1.0)
    mask[:, :10, :20] = 1
    assert torch.equal(where(mask=to_pil(mask)), where(box=[(0, 0, 20, 10)]))
    clear = torch.ones(1, 40, 60)
    clear[:, :, 10:] = 0  # white, but transparent
    assert torch.equal(where(mask=to_pil(mask, clear)), where(box=[(0, 0, 10, 10)]))


def test_mask_alpha_marks_transparent_pixels() -> None:
    alpha = torch.ones(1, 40, 60)
    alpha[:, 20:, 30:] = 0
    source = load(to_pil(scenery(40, 60), alpha))
    assert torch.equal(where(source, mask_alpha=True), where(box=[(30, 20, 30, 20)]))


def test_places_are_in_pixels_of_the_file() -> None:
    small = replace(SOURCE, original_size=(600, 400))
    assert torch.equal(where(small, box=[(100, 50, 30, 70)]), where(box=[(10, 5, 3, 7)]))
    corners = [(100, 50), (130, 50), (130, 120), (100, 120)]
    assert torch.equal(where(small, polygon=[corners]), where(box=[(10, 5, 3, 7)]))
    large = torch.full((1, 400, 600), -1.0)
    large[:, 50:120, 100:130] = 1
    assert torch.equal(where(small, mask=to_pil(large)), where(box=[(10, 5, 3, 7)]))
    assert where(small, box=[(599, 399, 1, 1)]).sum() == 1  # at least one pixel


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({}, "no pixel"),
        ({"box": [(0, 0, 60, 40)]}, "every pixel"),
        ({"box": [(50, 0, 20, 5)]}, "box 50,0,20,5 .* 60x40"),
        ({"box": [(5, 5, 0, 5)]}, "box 5,5,0,5 is empty"),
        ({"polygon": [[(0, 0), (9, 9)]]}, "3 corners"),
        ({"polygon": [[(0, 0), (99, 0), (9, 9)]]}, "polygon .* 99,0"),
        ({"mask_alpha": True}, "mask-alpha"),
        ({"mask": to_pil(torch.ones(1, 30, 30))}, "30x30 .* 60x40"),
        ({"mask": to_pil(-torch.ones(1, 40, 60))}, "no pixel"),
        ({"mask": "nothing.png"}, "nothing.png"),
    ],
)
def test_regions_that_make_no_sense_are_refused(words: dict, match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        where(**words)


def test_what_is_marked_grows_by_a_number_and_by_itself_only_what_was_drawn() -> None:
    """A box may cut a thing, and means just that. A polygon too tight means the whole thing."""
    pixels = torch.full((3, 60, 60), 0.5)
    pixels[:, 20:40, 20:40] = -0.8
    picture, box = load(to_pil(pixels)), [(22, 22, 16, 16)]
    corners = [(22, 22), (38, 22), (38, 38), (22, 38)]
    assert torch.equal(Region(box=box).on(picture, 3), Region(box=[(19, 19, 22, 22)]).on(picture))
    assert torch.equal(Region(box=box).on(picture, None), Region(box=box).on(picture))
    assert torch.equal(Region(polygon=[corners]).on(picture, None), Region(box=[(20, 20, 20, 20)]).on(picture))
    with pytest.raises(UnicaError, match="every pixel"):
        Region(box=box).on(picture, 40)


def test_masks_grow_and_fade_by_pixels() -> None:
    mask = where(box=[(20, 10, 5, 5)])[None]
    assert torch.equal(grown(mask, 3)[0], where(box=[(17, 7, 11, 11)]))
    share = feathered(mask, 3)
    assert torch.equal(share == 1, mask) and torch.equal(share > 0, grown(mask, 3))
    assert share[0, 12, 25:29].tolist() == pytest.approx([0.75, 0.5, 0.25, 0])
    assert torch.equal(feathered(mask, 0), mask.float())


def test_shown_masks_are_red() -> None:
    seen = shown(where(box=[(0, 0, 5, 5)])[None], torch.zeros(1, 40, 60))
    assert seen[0, 0, 0] > 0.5 > seen[1, 0, 0] and (seen[:, 10:] == 0).all()


def test_boxes_and_polygons_become_lists_of_tuples() -> None:
    region = Region(box=((1, 2, 3, 4),), polygon=[((0, 0), (9, 0), (9, 9))])
    assert region.box == [(1, 2, 3, 4)] and region.polygon == [[(0, 0), (9, 0), (9, 9)]]
    assert torch.equal(Region(box=[(10, 5, 3, 7)]).on(SOURCE)[0], where(box=[(10, 5, 3, 7)]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("box=(10, 20, 64, 48)", "box is a list of boxes"),
        ("box=[(10, 20, 64)]", "box is a list of boxes"),
        ("box=[(10, 20, 64, 4.5)]", "box must be a whole number"),
        ("polygon=[(10, 20, 64)]", "polygon must be a list of polygons"),
        ("polygon=[[(0, 0), (1, 'x')]]", "polygon must be a number"),
    ],
)
def test_shapes_of_another_form_are_refused_in_a_sentence(words: str, message: str) -> None:
    """In a process that does not check annotations."""
    code = f"import sys; from unica.regions import Region; Region({words})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"UnicaError: {message}" in done.stderr


def test_filled_keeps_what_is_known_and_continues_it_smoothly() -> None:
    ramp = torch.linspace(-1, 1, 40).expand(3, 30, 40)
    known = torch.ones(1, 30, 40, dtype=torch.bool)
    known[:, 10:20, 12:26] = False
    made = filled(torch.where(known, ramp, torch.tensor(0.9)), known)
    assert torch.equal(made[:, known[0]], ramp[:, known[0]])
    assert (made - ramp)[:, ~known[0]].abs().max() < 0.3
    assert torch.equal(filled(ramp, torch.ones_like(known)), ramp)
