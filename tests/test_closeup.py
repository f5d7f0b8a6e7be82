"""Large pictures of which little changes: a part is worked on, and the rest comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import scenery
from PIL import Image
from typer.testing import CliRunner

from unica.cli.app import make_app
from unica.image import load, picture_bytes, read_text, to_pil


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A picture that is larger than what the commands below work with."""
    path = tmp_path / "large.png"
    to_pil(scenery(150, 220)).save(path)
    return path


def run(*words: str | Path) -> dict:
    result = CliRunner().invoke(make_app(), [*map(str, words), "--json", "--max-side", "64"], catch_exceptions=False)
    return json.loads(result.stdout.splitlines()[-1])


def changed(path: Path, before: Path) -> np.ndarray:
    made, source = (np.asarray(Image.open(one)).astype(int) for one in (path, before))
    assert made.shape == source.shape
    return (made != source).any(-1)


@pytest.mark.parametrize("box", ["150,110,20,16", "10,20,180,90"], ids=["small", "larger than the part"])
def test_only_what_is_marked_changes_and_the_size_stays(box: str, large: Path, tmp_path: Path) -> None:
    report = run("inpaint", large, "--box", box, "-o", tmp_path / "out")
    left, top, width, height = map(int, box.split(","))
    where = changed(Path(report["pictures"][0]["path"]), large)
    assert report["size"] == [220, 150]
    assert where[top : top + height, left : left + width].mean() > 0.5
    where[top : top + height, left : left + width] = False
    assert not where.any()


def test_its_command_makes_the_same_bytes(large: Path, tmp_path: Path, monkeypatch) -> None:
    made = Path(
        run("inpaint", large, "--polygon", "20,100,60,105,40,130", "-o", tmp_path / "out")["pictures"][0]["path"]
    )
    monkeypatch.chdir(large.parent)
    again = run(*read_text(made)["unica:command"].split()[1:], "-o", tmp_path / "again")
    assert Path(again["pictures"][0]["path"]).read_bytes() == made.read_bytes()
    assert read_text(made)["unica:source-sha256"] == load(large).sha256 and made.stem == "large-inpaint-0"


def test_a_mask_and_sixteen_bits_and_where_pixels_come_from(tmp_path: Path) -> None:
    deep, mask = tmp_path / "deep.png", tmp_path / "mask.png"
    deep.write_bytes(picture_bytes(scenery(150, 220), None, 16))
    marked = np.zeros((150, 220), np.uint8)
    marked[100:120, 30:60] = 255
    Image.fromarray(marked).save(mask)
    report = run("inpaint", deep, "--mask", mask, "--dilate", "0", "--provenance", "-o", tmp_path / "out")["pictures"][
        0
    ]
    made, source = load(Path(report["path"])), load(deep)
    same = (made.pixels == source.pixels).all(0).numpy()
    assert made.bits == 16 and same[marked == 0].all() and same[marked > 0].mean() < 0.1
    rows, columns = np.mgrid[:150, :220]
    channels = load(Path(report["map"]))
    there = ((channels.pixels + 1) / 2 * 65535).round().int().numpy()
    assert (there[0] == columns)[marked == 0].all() and (there[1] == rows)[marked == 0].all()
    assert not (there[0] == columns)[marked > 0].all()


def test_what_is_pasted_into_a_large_scene(large: Path, photo: Path, tmp_path: Path) -> None:
    report = run("harmonize", photo, "--content", large, "--box", "100,110,24,20", "-o", tmp_path / "out")
    where = changed(Path(report["pictures"][0]["path"]), large)
    assert report["size"] == [220, 150] and where[110:130, 100:124].any()
    where[108:132, 98:126] = False  # the border in which old and new are mixed
    assert not where.any()
