"""What the tasks promise, on every engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import scenery
from engines import ENGINES, small_model
from PIL import Image
from typer.testing import CliRunner

import unica
from unica import Region
from unica.cli.app import app
from unica.errors import UnicaError
from unica.image import load, read_text, to_pil
from unica.model import Model

HOLE = Region(box=[(20, 10, 16, 24)])


def bytes_of(pictures: list[Image.Image]) -> list[bytes]:
    return [picture.tobytes() for picture in pictures]


RUNS = {
    "outpaint": lambda model, **words: unica.outpaint(model, left=6, down=8, **words),
    "outpaint-repeat": lambda model, **words: unica.outpaint(model, right=10, repeat=2, **words),
    "inpaint": lambda model, **words: unica.inpaint(model, HOLE, **words),
}


@pytest.mark.parametrize("task", RUNS)
def test_a_run_leaves_nothing_on_the_model(any_model: Model, task: str) -> None:
    first, second = RUNS[task](any_model, count=2)
    assert first.tobytes() != second.tobytes()
    for other in RUNS.values():
        other(any_model, seed=5)
    assert bytes_of(RUNS[task](any_model, seed=1)) == [second.tobytes()]


def test_a_picture_goes_on(any_model: Model) -> None:
    source = any_model.picture.pixels
    (wide,) = unica.outpaint(any_model, left=8, right=16)
    assert wide.size == (64 + 24, 48)
    assert torch.equal(load(wide).pixels[:, :, 8:-16], source)
    (long,) = unica.outpaint(any_model, right=10, repeat=3)
    assert long.size == (64 + 30, 48) and torch.equal(load(long).pixels[:, :, :64], source)
    (tall,) = unica.outpaint(any_model, up=6, down=2, repeat=2)
    assert tall.size == (64, 48 + 16) and torch.equal(load(tall).pixels[:, 12:-4], source)
    (both,) = unica.outpaint(any_model, right=9, down=3, repeat=2)
    drawn = load(both).pixels
    assert torch.equal(drawn[:, :48, :64], source) and drawn[:, 48:, :20].std() > 0.01
    frames = list(unica.stream(unica.outpaint, any_model, right=10, repeat=2))
    assert [frame.last for frame in frames].count(True) == 1 and frames[-1].done == 1
    assert [f.fraction for f in frames] == sorted(f.fraction for f in frames)


@pytest.mark.parametrize(
    ("anchor", "corner"),
    [("center", (8, 4)), ("left", (0, 4)), ("right-down", (16, 8)), ("up", (8, 0)), ("left-up", (0, 0))],
)
def test_a_size_and_an_anchor(any_model: Model, anchor: str, corner: tuple[int, int]) -> None:
    (picture,) = unica.outpaint(any_model, size=(80, 56), anchor=anchor)
    left, top = corner
    assert picture.size == (80, 56)
    assert torch.equal(load(picture).pixels[:, top : top + 48, left : left + 64], any_model.picture.pixels)


def test_marked_pixels_are_drawn_and_no_others(any_model: Model) -> None:
    (picture,) = unica.inpaint(any_model, HOLE)
    marked, changed = HOLE.on(any_model.picture)[0], (load(picture).pixels != any_model.picture.pixels).any(0)
    assert not changed[~marked].any()
    assert changed[marked].float().mean() > 0.5


def test_a_feather_is_all_that_changes_besides(any_model: Model) -> None:
    (picture,) = unica.inpaint(any_model, HOLE, feather=4)
    changed = (load(picture).pixels != any_model.picture.pixels).any(0)
    band = Region(box=[(16, 6, 24, 32)]).on(any_model.picture)[0]
    assert not changed[~band].any() and changed[band & ~HOLE.on(any_model.picture)[0]].any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["16 bits", "alpha", "gray"])
def test_kept_is_kept_in_every_kind_of_picture(engine: str, kind: str) -> None:
    alpha = None
    if kind == "16 bits":
        picture = Image.fromarray(((scenery(48, 64, 1)[0] + 1) * 32767.5).numpy().astype("uint16"))
    elif kind == "alpha":
        alpha = (torch.rand(1, 48, 64, generator=torch.Generator().manual_seed(0)) * 255).round() / 255
        alpha[:, :8, :8] = 0
        picture = to_pil(scenery(48, 64), alpha)
    else:
        picture = to_pil(scenery(48, 64, 1))
    model = small_model(engine, picture, steps=2)
    (filled,), (wide,) = unica.inpaint(model, HOLE), unica.outpaint(model, right=7)
    assert filled.mode == wide.mode == picture.mode and wide.size == (71, 48)
    before, after, beyond = load(picture), load(filled), load(wide)
    kept = ~HOLE.on(before)
    assert torch.equal(after.pixels * kept, before.pixels * kept)
    assert torch.equal(beyond.pixels[..., :64], before.pixels)
    if before.alpha is not None and after.alpha is not None and beyond.alpha is not None:
        assert torch.equal(after.alpha * kept, before.alpha * kept)
        assert torch.equal(beyond.alpha[..., :64], before.alpha)


def test_the_instant_engine_does_not_look_into_the_hole() -> None:
    """What is hidden is a colour that nothing else has."""
    pixels = scenery(48, 64)
    pixels[:, 10:34, 20:36] = torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    model = unica.open(to_pil(pixels))
    filled = load(unica.inpaint(model, HOLE)[0]).pixels[:, 10:34, 20:36]
    magenta = (filled[0] > 0.8) & (filled[1] < -0.8) & (filled[2] > 0.8)
    assert not magenta.any()


def test_a_frame_knows_where_its_pixels_come_from(any_model: Model) -> None:
    for frames in (
        unica.stream(unica.inpaint, any_model, HOLE),
        unica.stream(unica.outpaint, any_model, right=9, down=3, repeat=2),
    ):
        *_, last = frames
        width, height = last.image().size
        assert last.origins is not None and last.origins.shape == (height, width, 2)
        assert last.origins[5, 7].tolist() == [5, 7]
        assert (last.origins >= 0).all() and (last.origins < torch.tensor([48, 64])).all()


BAD = [
    {},
    {"left": -1, "right": 4},
    {"left": 3, "repeat": 0},
    {"right": 10**6},
    {"up": 2, "count": 0},
    {"up": 2, "seed": -1},
    {"up": 2, "feather": -1},
    {"up": 2, "size": (80, 80)},
    {"size": (60, 80)},
    {"size": (64, 48)},
    {"size": (80, 80), "anchor": "middle"},
]


@pytest.mark.parametrize("words", BAD, ids=str)
def test_margins_that_are_none(any_model: Model, words: dict) -> None:
    with pytest.raises(UnicaError):
        unica.outpaint(any_model, **words)


def test_there_must_be_a_picture_to_work_on(tmp_path: Path) -> None:
    small_model("sinddm", to_pil(scenery(48, 64)), steps=1).save(tmp_path / "x.unica", source=False)  # pyright: ignore
    model = unica.load(tmp_path / "x.unica")
    for run in RUNS.values():
        with pytest.raises(UnicaError, match="without its source"):
            run(model)


COMMANDS = {
    "outpaint": ["--left", "4", "--repeat", "2"],
    "inpaint": ["--box", "3,4,9,8", "--polygon", "20,20,30,20,25,28", "--feather", "2"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_write_pictures_that_say_how_they_were_made(photo: Path, tmp_path: Path, name: str) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    out = tmp_path / "out"
    report = json.loads(run(name, str(photo), *COMMANDS[name], "-n", "2", "-o", str(out), "-q", "--json", "--sheet"))
    assert report["task"] == name and len(report["pictures"]) == 2
    second = out / f"photo-{name}-1.png"
    assert read_text(second)["unica:task"] == name
    *_, line = run("info", str(second)).strip().splitlines()
    run(*line.split()[1:], "-o", str(tmp_path / "again"), "-q")
    assert (tmp_path / "again" / second.name).read_bytes() == second.read_bytes()


def test_the_mask_is_shown(photo: Path, tmp_path: Path) -> None:
    words = ["inpaint", str(photo), "--box", "3,4,9,8", "--show-mask", str(tmp_path / "mask.png")]
    assert CliRunner().invoke(app, [*words, "-q", "-o", str(tmp_path)]).exit_code == 0
    red, _, blue = load(tmp_path / "mask.png").pixels
    assert (red - blue)[4:12, 3:12].min() > (red - blue)[20:].abs().max()
