"""A command on several sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import command
from conftest import scenery

from unica.image import to_pil
from unica.maps import is_one_thing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, of which one cannot be read, and what is no picture."""
    inside = tmp_path / "in"
    inside.mkdir()
    for name, seed in (("a.png", 0), ("c.png", 1)):
        to_pil(scenery(44, 52, seed=seed)).save(inside / name)
    (inside / "b.png").write_text("no picture")
    (inside / "notes.txt").write_text("nothing to see")
    return inside


@pytest.mark.parametrize("more", [[], ["--workers", "2"]])
def test_each_source_has_its_pictures_and_failures_come_last(folder: Path, more: list[str]) -> None:
    out = folder.parent / "out"
    result = command("tile", str(folder), "-n", "1", "-o", f"{out}/", "--json", *more)
    assert result.exit_code == 2 and "1 of 3 sources gave nothing" in result.stderr and "b.png" in result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {Path(line["source"]).name for line in lines} == {"a.png", "b.png", "c.png"}
    assert ["error" in line for line in lines].count(True) == 1
    assert sorted(path.name for path in out.iterdir()) == ["a-tile-0.png", "c-tile-0.png"]
    for name in ("a", "c"):  # the same as each by itself
        alone = command("tile", str(folder / f"{name}.png"), "-n", "1", "-o", f"{folder.parent}/alone/", "-q")
        assert alone.exit_code == 0
        file = f"{name}-tile-0.png"
        assert (out / file).read_bytes() == (folder.parent / "alone" / file).read_bytes()


def test_several_are_named_or_lie_in_a_folder(folder: Path) -> None:
    (folder / "b.png").unlink()
    for words in ([str(folder / "a.png"), str(folder / "c.png")], [str(folder)]):
        result = command("mirror", *words, "-o", f"{folder.parent}/v1.2", "--overwrite", "-q")
        assert result.exit_code == 0 and len(list((folder.parent / "v1.2").iterdir())) == 2
    text = command("text", str(folder), "red", "--clip", str(folder), "-q")  # its words come by their place, too
    assert text.exit_code == 2 and "2 of 2" in text.stderr


def test_results_in_the_folder_of_the_sources_are_no_sources(folder: Path) -> None:
    (folder / "b.png").unlink()
    for _ in range(2):
        assert command("mirror", str(folder), "-o", str(folder), "--overwrite", "-q").exit_code == 0
    names = ["a-mirror-0.png", "a.png", "c-mirror-0.png", "c.png", "notes.txt"]
    assert sorted(path.name for path in folder.iterdir()) == names


@pytest.mark.parametrize(
    ("names", "one"),
    [
        (["stone_color", "stone_normal"], True),
        (["Stone_1K_Color", "Stone_1K_NormalGL", "Stone"], True),  # with a preview, as libraries have it
        (["albedo", "height", "preview"], True),
        (["photo", "photo_mask", "other"], False),
        (["a_color", "b_mask"], False),
        (["a_color", "b_color"], False),
        (["a", "b"], False),
    ],
)
def test_a_folder_is_maps_of_one_thing_by_the_names_of_its_files(names: list[str], one: bool, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / f"{name}.png").touch()
    assert is_one_thing(tmp_path) == one


def test_what_only_one_source_can_have_is_refused(folder: Path) -> None:
    image, other = str(folder / "a.png"), str(folder / "c.png")
    elsewhere = folder.parent / "a.png"
    to_pil(scenery(44, 52)).save(elsewhere)
    empty = folder.parent / "empty"
    empty.mkdir()
    for words, sentence in [
        ([image, other, "-o", "x.png"], "must be a folder"),
        ([image, other, "--with", f"height={image}"], "for one source"),
        ([image, str(elsewhere)], "the same names"),
        ([str(empty)], "no pictures in"),
    ]:
        result = command("sample", *words, "-n", "1", "-q")
        assert result.exit_code == 2 and sentence in result.stderr
    shown = command("inpaint", image, other, "--box", "4,4,9,9", "--show-mask", "m.png", "-q")
    assert shown.exit_code == 2 and "for one source" in shown.stderr
