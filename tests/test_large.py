"""Canvases of any size: every part has the pixels of the whole, whatever is asked and whoever draws it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import command
from conftest import scenery
from engines import small_model
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

import unica
from unica.engines.base import Model
from unica.errors import UnicaError
from unica.image import to_pil
from unica.jobs import tiles
from unica.metrics import repetition
from unica.noise import normal
from unica.tasks.large import LargeCanvas, Layout
from unica.tiled import blocks
from unica.tiled.blocks import Blocks
from unica.tiled.formats import open_tiled
from unica.tiled.working import working_folder
from unica.window import Window, area_taps, combined, linear

SIZE = (200, 170)


def source(channels: int = 3, alpha: bool = False) -> Any:
    pixels = scenery(120, 152, channels)
    if not alpha:
        return to_pil(pixels)
    rows, columns = torch.meshgrid(torch.arange(120), torch.arange(152), indexing="ij")
    return to_pil(pixels, (((rows - 60) ** 2 + (columns - 76) ** 2) < 60**2).float()[None])


@pytest.fixture(scope="module", params=["instant", "hybrid", "transparent"])
def model(request: pytest.FixtureRequest) -> Model:
    if request.param == "hybrid":
        return small_model("hybrid", source())
    return unica.open(source(alpha=request.param == "transparent"), engine="instant")


RUNS = [
    pytest.param("sample", {"size": SIZE}, id="sample"),
    pytest.param("sample", {"size": SIZE, "tile": "xy"}, id="torus"),
    pytest.param("sample", {"size": SIZE, "tile": "y"}, id="torus along y"),
    pytest.param("outpaint", {"size": SIZE, "anchor": "left", "feather": 3}, id="outpaint"),
    pytest.param("tile", {}, id="tile"),
    pytest.param("tile", {"size": SIZE, "axis": "x"}, id="tile with a size"),
    pytest.param("objects", {"size": (110, 90), "size_factor": 0.6}, id="objects"),
    pytest.param("retarget", {"size": SIZE}, id="retarget"),
]


def plain(model: Model, name: str, arguments: dict[str, Any], seed: int) -> np.ndarray:
    """The pixels of a picture that is drawn whole."""
    (picture,) = getattr(unica, name)(model, **arguments, seed=seed)
    pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def windows(shape: tuple[int, ...], side: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield slice(top, top + side), slice(left, left + side)


@pytest.mark.parametrize(("name", "arguments"), RUNS)
def test_every_part_is_that_of_the_picture_drawn_whole(model: Model, name: str, arguments: dict[str, Any]) -> None:
    whole = plain(model, name, arguments, seed=5)
    canvas = unica.canvas(model, seed=5, task=getattr(unica, name), **arguments)
    assert canvas.shape == whole.shape and canvas.dtype == whole.dtype
    corners = [(slice(0, 1), slice(0, 1)), (slice(-3, None), slice(-90, -80)), (slice(60, 71), slice(77, 80))]
    for part in [*reversed(list(windows(whole.shape, 110))), *corners, (slice(None), slice(None))]:
        assert np.array_equal(canvas[part], whole[part]), part


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(model: Model, threads: int) -> None:
    before = torch.get_num_threads()
    reference = unica.canvas(model, SIZE, 3)[40:90, 20:110]
    try:
        torch.set_num_threads(threads)
        assert np.array_equal(unica.canvas(model, SIZE, 3)[40:90, 20:110], reference)
    finally:
        torch.set_num_threads(before)


def test_a_layout_is_all_that_a_canvas_needs_to_go_on(model: Model, tmp_path: Path) -> None:
    canvas = unica.canvas(model, SIZE, 8)
    expected = canvas[10:70, 60:140]
    canvas.layout().save(tmp_path / "layout")
    again = LargeCanvas(model, canvas.sketch, 8, Layout.read(tmp_path / "layout"))
    assert np.array_equal(again[10:70, 60:140], expected)
    (tmp_path / "layout").write_bytes(b"nothing")
    with pytest.raises(UnicaError):
        Layout.read(tmp_path / "layout")


def test_levels_are_the_canvas_made_smaller(model: Model) -> None:
    canvas = unica.canvas(model, SIZE, 2)
    for number in range(1, canvas.levels):
        level = canvas.level(number)
        fine = torch.from_numpy(canvas[:, :].astype(np.float32)).permute(2, 0, 1)[None]
        small = interpolate(fine, level.shape[:2], mode="area")[0].permute(1, 2, 0).numpy()
        assert np.abs(level[:, :] - small).mean() < 16, number
    with pytest.raises(UnicaError, match="level must be from 0"):
        canvas.level(canvas.levels)


def test_parts_are_named_like_those_of_arrays(model: Model) -> None:
    canvas = unica.canvas(model, SIZE)
    assert canvas[-20:, :9999].shape == (20, SIZE[0], canvas.channels)
    assert canvas[50:40].shape == (0, SIZE[0], canvas.channels)
    for key in (3, (slice(0, 4, 2), slice(None)), (slice(None),) * 3):
        with pytest.raises(UnicaError, match="two slices"):
            canvas[key]


def test_gray_and_deep_pictures_keep_their_kind(tmp_path: Path) -> None:
    levels = ((scenery(120, 152, 1)[0] + 1) / 2 * 65535).round().numpy().astype(np.uint16)
    from PIL import Image

    Image.fromarray(levels).save(tmp_path / "deep.png")
    canvas = unica.canvas(unica.open(tmp_path / "deep.png"), SIZE)
    part = canvas[20:60, 30:90]
    assert part.shape == (40, 60, 1) and part.dtype == np.uint16 and part.max() > 255


def test_what_cannot_be_drawn_in_parts_is_said() -> None:
    instant, network = unica.open(source(), engine="instant"), small_model("sinddm", source(), steps=2)
    for name, arguments, why in [
        ("outpaint", {"right": 10, "repeat": 2}, "repeat"),
        ("retarget", {"size": SIZE, "keep": unica.Region(box=[(1, 1, 9, 9)])}, "stay whole"),
        ("retarget", {"size": SIZE, "strength": 0.05}, "strength"),
        ("objects", {"size_factor": 2.0}, "drawn whole"),
        ("harmonize", {}, "whole pictures only"),
    ]:
        with pytest.raises(UnicaError, match=why):
            unica.canvas(instant, task=getattr(unica, name), **arguments)
    with pytest.raises(UnicaError, match="--detail patches"):
        unica.canvas(network, (20000, 20000))
    with pytest.raises(UnicaError, match="too large to be drawn whole"):
        unica.sample(instant, size=(20000, 20000))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**63 - 1), st.integers(0, 10**5), st.integers(0, 10**5), st.integers(1, 40), st.integers(1, 40),
    st.integers(1, 6),
)  # fmt: skip
def test_noise_is_a_function_of_the_place(seed, top, left, height, width, channels) -> None:
    rows, columns = np.arange(top, top + height), np.arange(left, left + width)
    whole = normal(seed, 1, 2, rows, columns, channels)
    assert torch.equal(normal(seed, 1, 2, rows[height // 2 :], columns[width // 3 :], channels),
                       whole[:, height // 2 :, width // 3 :])  # fmt: skip
    assert torch.equal(normal(seed, 1, 2, rows, columns, 1), whole[:1])


def test_noise_is_normal_and_independent() -> None:
    place = np.arange(10**5, 10**5 + 400)
    fields = [normal(*run, place, place, 3) for run in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2**40, 0, 0))]
    flat = torch.cat([field.flatten(1) for field in fields])
    assert flat.mean(1).abs().max() < 0.01 and (flat.std(1) - 1).abs().max() < 0.01
    assert (flat.pow(4).mean(1) - 3).abs().max() < 0.1  # the fourth moment of the normal distribution
    apart = torch.corrcoef(flat) - torch.eye(len(flat))
    assert apart.abs().max() < 0.015
    for axis in (1, 2):
        near = (fields[0] * fields[0].roll(1, axis)).mean()
        assert near.abs() < 0.01


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 30), st.integers(2, 70), st.sampled_from(["", "x", "xy"]), st.data())
def test_a_part_of_an_enlarged_picture_is_that_of_the_whole(of, size, wrap, data) -> None:
    x = torch.rand(1, 2, of, of + 3, generator=torch.Generator().manual_seed(of))
    full = (size, size + 5)
    whole = combined(x, *linear(Window.whole(full), full, (of, of + 3), wrap))
    if not wrap:
        assert torch.allclose(whole, interpolate(x, full, mode="bilinear", antialias=True), atol=1e-5)
    top, left = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size + 4))
    part = Window(top, left, size - top, size + 5 - left)
    assert torch.equal(combined(x, *linear(part, full, (of, of + 3), wrap)), part.of(whole, Window.whole(full)))


@given(st.integers(1, 40), st.integers(1, 60))
def test_areas_are_the_means_that_torch_makes(size, of) -> None:
    x = torch.rand(1, 1, of, of, generator=torch.Generator().manual_seed(of))
    taps = area_taps(0, size, size, of)
    assert torch.allclose(combined(x, taps, taps), interpolate(x, (size, size), mode="area"), atol=1e-6)


def test_a_large_canvas_without_order_uses_the_source_evenly() -> None:
    model = unica.open(source(), engine="instant", order=0.0)
    uses = []
    for size in ((152, 120), (456, 360)):
        canvas = unica.canvas(model, size)
        _, origins, _ = canvas.part(len(canvas.run) - 1, Window.whole((size[1], size[0])))
        assert origins is not None
        uses.append(repetition(origins, (120, 152)))
    assert uses[1] < 2 * uses[0]


# Commands


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_SIDE", 128)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model: the layouts of its network are quick."""
    path = tmp_path_factory.mktemp("large") / "source.unica"
    small_model("hybrid", source(), steps=2).save(path)
    return path


def pixels(path: Path) -> np.ndarray:
    """The finest level of a tiled picture."""
    made = open_tiled(path)
    rows, columns = made.tiling.grid(0)
    return np.concatenate([np.concatenate([made.read(0, i, j) for j in range(columns)], 1) for i in range(rows)], 0)


def contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {str(one.relative_to(path)): one.read_bytes() for one in sorted(path.rglob("*")) if one.is_file()}


LARGE = ["--size", "300x260", "--seed", "4", "-q"]


@pytest.mark.parametrize("name", ["a.zarr", "a.dzi", "a.tif"])
def test_a_command_writes_tiles_that_are_the_picture(
    picture: Path, tmp_path: Path, name: str, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "LARGEST_AREA", 10_000)  # a TIFF of this size would be written whole
    path = tmp_path / name
    result = command("sample", str(picture), *LARGE, "-o", str(path), "--tile-size", "64", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["size"] == [300, 260] and [one["path"] for one in report["pictures"]] == [str(path)]
    whole = plain(unica.load(picture), "sample", {"size": (300, 260)}, seed=4)
    made = pixels(path)
    assert made.shape == whole.shape
    error = np.abs(made.astype(int) - whole)
    assert error.mean() < 4 if name.endswith(".dzi") else error.max() == 0
    text = open_tiled(path).text
    assert text["unica:seed"] == "4" and "--size 300x260" in text["unica:command"]
    assert not Path(working_folder(path)).exists()


def test_the_pixels_are_the_same_for_every_size_of_tiles(picture: Path, tmp_path: Path, small_blocks: None) -> None:
    made = []
    for side in (64, 100, 256):
        path = tmp_path / f"{side}.zarr"
        assert command("sample", str(picture), *LARGE, "-o", str(path), "--tile-size", str(side)).exit_code == 0
        made.append(pixels(path))
    assert all(np.array_equal(made[0], other) for other in made)


@pytest.mark.parametrize("name", ["a.zarr", "a.tif"])
def test_a_command_that_was_ended_goes_on_and_makes_the_same_files(
    picture: Path, tmp_path: Path, name: str, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "LARGEST_AREA", 10_000)
    (tmp_path / "one").mkdir()
    words = ["sample", str(picture), *LARGE, "--tile-size", "64"]
    assert command(*words, "-o", str(tmp_path / "one" / name)).exit_code == 0
    path, write, drawn = tmp_path / name, Blocks.write, []

    def dying(self: Blocks, out: Any, row: int, column: int, pixels: np.ndarray) -> None:
        if len(drawn) % 3 == 2:
            drawn.append("died")
            raise KeyboardInterrupt
        drawn.append((row, column))
        write(self, out, row, column, pixels)

    monkeypatch.setattr(Blocks, "write", dying)
    ends = []
    for turn in range(6):
        result = command(*words, "-o", str(path), *(["--resume"] if turn else []))
        ends.append(result.exit_code)
        if result.exit_code == 0:
            break
        assert not path.exists()
    assert ends[-1] == 0 and len(ends) > 3
    whole = [one for one in drawn if one != "died"]
    assert len(whole) == len(set(whole)) == 9
    assert list(contents(path).values()) == list(contents(tmp_path / "one" / name).values())


def test_several_workers_write_the_same_files(picture: Path, tmp_path: Path) -> None:
    made = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}" / "a.zarr"
        words = ["sample", str(picture), "--size", "600x520", "-q", "-o", str(path), "--tile-size", "64"]
        assert command(*words, "--workers", str(workers)).exit_code == 0
        made.append(contents(path))
    assert made[0] == made[1]


def test_wrong_wishes_are_refused_in_a_sentence(
    picture: Path, tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*words: str) -> str:
        result = command("sample", str(picture), *LARGE, *words)
        assert result.exit_code == 2, result.stderr
        return " ".join(result.stderr.split())

    path = tmp_path / "a.zarr"
    assert "whole picture" in refused("-o", str(path), "--sheet")
    assert "multiple of 16" in refused("-o", str(tmp_path / "a.tif"), "--tile-size", "100", "--resume")
    assert not list(tmp_path.glob("a.*"))

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Blocks, "write", stopped)
        command("sample", str(picture), *LARGE, "-o", str(path))
    assert "--resume goes on" in refused("-o", str(path))
    assert "begun by another command" in refused("-o", str(path), "--resume", "--seed", "5")
    assert "begun by another command" in refused("-o", str(path), "--resume", "--tile-size", "64")
    assert Path(working_folder(path)).is_dir() and not path.exists()
    assert command("sample", str(picture), *LARGE, "-o", str(path), "--overwrite").exit_code == 0
    assert "exists already" in refused("-o", str(path))
    before = contents(path)
    assert command("sample", str(picture), *LARGE, "-o", str(path), "--resume").exit_code == 0
    assert contents(path) == before
    assert command("sample", str(picture), *LARGE, "-o", str(path), "--overwrite", "--seed", "6").exit_code == 0
    assert contents(path) != before

    class Full:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Full)
    assert "GB left" in refused("-o", str(tmp_path / "b.zarr"))
    (tmp_path / "file").write_text("")
    assert "file" in refused("-o", str(tmp_path / "file" / "b.zarr"))


@pytest.mark.slow
def test_however_it_is_drawn_the_files_are_the_same(picture: Path, tmp_path: Path) -> None:
    """Alone, by two and four processes, by a Ray cluster, and killed five times."""
    words = ["sample", str(picture), "--size", "1500x1300", "-q", "--tile-size", "64"]
    shared = {"1": [], "2": ["--workers", "2"], "4": ["--workers", "4"], "ray": ["--ray", "here"]}
    for name, more in shared.items():
        assert command(*words, "-o", str(tmp_path / name / "a.zarr"), *more).exit_code == 0, name
    path, kills = tmp_path / "killed" / "a.zarr", 0

    def finest() -> int:
        """How many tiles of the finest level there are; a folder may get its name at any moment."""
        inside = os.walk(tmp_path / "killed")
        return sum(len(files) for folder, _, files in inside if "0" in Path(folder).relative_to(tmp_path).parts)

    for turn in range(40):
        line = [sys.executable, "-m", "unica", *words, "-o", str(path), *(["--resume"] if turn else [])]
        run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = finest()
        while kills < 5 and run.poll() is None and finest() < before + 20:
            time.sleep(0.01)
        if kills < 5 and run.poll() is None:
            kills += 1
            run.kill()
        if run.wait() == 0:
            break
    assert kills == 5
    made = {name: contents(tmp_path / name / "a.zarr") for name in (*shared, "killed")}
    assert all(one == made["1"] for one in made.values())
