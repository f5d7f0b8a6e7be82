"""Sets of tiles that lie beside each other as their borders allow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from commands import command
from PIL import Image

import unica
from unica.engines.base import Model
from unica.image import load, to_pil
from unica.tasks.tiles import Borders

SIDE = 64


def texture() -> Image.Image:
    """Blobs that are alike everywhere."""
    noise = torch.randn(1, 3, 90, 100, generator=torch.Generator().manual_seed(0))
    blobs = F.avg_pool2d(F.avg_pool2d(noise, 5, 1), 5, 1)[0]
    return to_pil((blobs / blobs.std() / 2).clamp(-1, 1))


@pytest.fixture(scope="module")
def model() -> Model:
    return unica.open(texture())


@pytest.mark.parametrize("by", ["edges", "corners"])
def test_tiles_with_the_same_borders_have_the_same_pixels_there(model: Model, by: str) -> None:
    """What lies beside a border is one strip, cut in two: so what fits is seamless, and steps over it are plain."""
    drawn = unica.tiles(model, side=SIDE, by=by, count=16, output="pt")
    borders = [Borders.of(seed, by, 2) for seed in range(16)]
    assert len({one.colours for one in borders}) == 16
    over, inside = [], drawn.diff(dim=3).abs().mean()
    for one, first in zip(borders, drawn):
        for other, second in zip(borders, drawn):
            if one.sides[1] == other.sides[1]:
                assert torch.equal(first[..., -3:], second[..., -3:])
            if one.sides[2] == other.sides[2]:
                assert torch.equal(first[:, -3:], second[:, -3:])
            if one.sides[1] == other.sides[3]:
                over.append((first[..., -1] - second[..., 0]).abs().mean())
    assert len(over) == (128 if by == "edges" else 64)
    assert torch.stack(over).mean() < 1.15 * inside and torch.stack(over).max() < 1.4 * inside
    centres = drawn[..., 24:40, 24:40].flatten(1)
    assert len(set(map(tuple, centres.tolist()))) == 16  # they are not one picture


def test_a_set_says_what_fits_and_lies_as_it_may(tmp_path: Path) -> None:
    photo = tmp_path / "p.png"
    texture().save(photo)
    words = ["tiles", str(photo), "--side", "64", "--sheet", "-o", f"{tmp_path}/o/", "-q", "--json"]
    result = command(*words)
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    table = json.loads(Path(said["table"]).read_text())
    pictures = {one["seed"]: one for one in table["pictures"]}
    assert len(pictures) == 16 and str(tmp_path) not in Path(said["table"]).read_text()
    for one in pictures.values():
        assert (tmp_path / "o" / one["path"]).is_file()
        assert one["right"] == [s for s, other in pictures.items() if other["edges"][3] == one["edges"][1]]
        assert one["below"] == [s for s, other in pictures.items() if other["edges"][0] == one["edges"][2]]
    sheet = load(said["sheet"]).pixels
    tiles = {seed: load(tmp_path / "o" / one["path"]).pixels for seed, one in pictures.items()}
    rows, columns = sheet.shape[1] // SIDE, sheet.shape[2] // SIDE
    assert rows * SIDE == sheet.shape[1] and columns * SIDE == sheet.shape[2]
    laid = [
        [next(s for s, tile in tiles.items() if torch.equal(tile, sheet[:, y * SIDE :, x * SIDE :][:, :SIDE, :SIDE]))
         for x in range(columns)]
        for y in range(rows)
    ]  # fmt: skip
    assert all(b in pictures[a]["right"] for row in laid for a, b in zip(row, row[1:]))
    assert all(b in pictures[a]["below"] for above, row in zip(laid, laid[1:]) for a, b in zip(above, row))
    assert len({seed for row in laid for seed in row}) > 4


def test_tiles_at_random_have_one_border(model: Model, tmp_path: Path) -> None:
    drawn = unica.tiles(model, side=SIDE, random=3, output="pt")
    assert len(drawn) == 3 and torch.equal(drawn[0][:, :3], drawn[2][:, :3])
    photo = tmp_path / "p.png"
    texture().save(photo)
    assert command("tiles", str(photo), "--side", "64", "--random", "3", "-o", f"{tmp_path}/o/", "-q").exit_code == 0
    table = json.loads((tmp_path / "o" / "p-tiles.json").read_text())
    assert [one["right"] for one in table["pictures"]] == [[0, 1, 2]] * 3
    assert Image.open(tmp_path / "o" / "p-tiles-2.png").size == (SIDE, SIDE)
    assert "--colors 1" in unica.image.read_text(tmp_path / "o" / "p-tiles-2.png")["unica:command"]
    wrong = command("tiles", str(photo), "--random", "3", "--colors", "4", "-q")
    assert wrong.exit_code == 2 and "one of them" in wrong.stderr
