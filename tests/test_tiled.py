"""Pictures as tiles at several sizes, in files of three formats."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import full_disk
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unica.errors import UnicaError
from unica.image import read_text
from unica.tiled.base import TiledPicture, TileWriter, Tiling
from unica.tiled.coarser import halved, write_coarser, write_coarser_tile
from unica.tiled.formats import open_tiled, writer
from unica.tiled.store import Remote
from unica.tiled.working import working_files, working_folder

TEXT = {"Software": "unica 1 é", "unica": '{"seed": 3}', "file": "caf\udce9"}  # the last is no UTF-8
ENDINGS = (".zarr", ".dzi", ".tif")
SIZE, TILE = (75, 38), 16

sides = st.integers(1, 100)
tiles = st.integers(1, 20).map(lambda half: 2 * half)


def noise(channels: int, bits: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Random pixels, of which those of one corner are transparent if there is alpha."""
    dtype = np.uint8 if bits == 8 else np.uint16
    pixels = np.random.default_rng(channels).integers(0, 2**bits, (size[1], size[0], channels)).astype(dtype)
    if channels % 2 == 0:
        pixels[:9, :20, -1] = 0
    return pixels


def ramp(channels: int, bits: int = 8) -> np.ndarray:
    """Smooth pixels, which a JPEG hardly changes."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    shares = (rows + columns)[..., None] / sum(SIZE) * np.linspace(0.6, 1, channels)
    return (shares * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def tiling_of(pixels: np.ndarray, tile: int = TILE) -> Tiling:
    height, width, channels = pixels.shape
    return Tiling((width, height), channels, 8 * pixels.itemsize, tile)


def levels_of(pixels: np.ndarray, tiling: Tiling) -> list[np.ndarray]:
    """The picture at all its sizes, each made as a whole."""
    levels = [pixels]
    for _ in tiling.sizes[1:]:
        levels.append(halved(levels[-1]))
    return levels


def all_tiles(tiling: Tiling, level: int) -> list[tuple[int, int]]:
    rows, columns = tiling.grid(level)
    return [(i, j) for i in range(rows) for j in range(columns)]


def draw(target: TileWriter, pixels: np.ndarray, seed: int | None = None, most: int | None = None) -> None:
    """Write the tiles of level 0, in an order of their own."""
    tiling = tiling_of(pixels, target.tiling.tile)
    order = all_tiles(tiling, 0)
    if seed is not None:
        random.Random(seed).shuffle(order)
    for i, j in order[:most]:
        target.write(0, i, j, pixels[tiling.part(0, i, j)])


def made(path: Path | str, pixels: np.ndarray, tile: int = TILE, seed: int | None = None) -> TiledPicture:
    """A finished picture, read again."""
    target = writer(path, tiling_of(pixels, tile))
    draw(target, pixels, seed)
    write_coarser(target, target.tiling)
    target.finish(TEXT)
    return open_tiled(path)


def whole(picture: TiledPicture | TileWriter, level: int) -> np.ndarray:
    """A level of a picture, put together of its tiles."""
    tiling = picture.tiling
    rows, columns = tiling.grid(level)
    return np.concatenate(
        [np.concatenate([picture.read(level, i, j) for j in range(columns)], axis=1) for i in range(rows)]
    )


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(UnicaError, match=words) as error:
        yield
    assert "\n" not in str(error.value)


@pytest.fixture
def memory() -> Iterator[str]:
    """A URL in this process' memory."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield "memory://bucket/a.zarr"
    system.store.clear()


# Geometry.


@given(sides, sides, tiles)
def test_tiles_cover_each_pixel_of_each_level_once(width: int, height: int, tile: int) -> None:
    tiling = Tiling((width, height), 1, 8, tile)
    for level, (wide, high) in enumerate(tiling.sizes):
        covered = np.zeros((high, wide), int)
        for i, j in all_tiles(tiling, level):
            covered[tiling.part(level, i, j)] += 1
            assert (*covered[tiling.part(level, i, j)].shape, 1) == tiling.shape(level, i, j)
        assert (covered == 1).all() and tiling.tiles(level) == len(all_tiles(tiling, level))


@given(sides, sides, tiles)
def test_levels_are_halves_until_one_tile_is_enough(width: int, height: int, tile: int) -> None:
    sizes = Tiling((width, height), 1, 8, tile).sizes
    assert sizes[0] == (width, height) and max(sizes[-1]) <= tile
    for n, (wide, high) in enumerate(sizes):
        assert (wide, high) == (-(-width // 2**n), -(-height // 2**n))
        assert n == len(sizes) - 1 or max(wide, high) > tile


@given(sides, sides, st.integers(1, 4), st.sampled_from([8, 16]), tiles)
def test_a_halved_block_is_the_block_of_the_halved_picture(
    width: int, height: int, channels: int, bits: int, tile: int
) -> None:
    pixels = noise(channels, bits, (width, height))
    tiling, half = tiling_of(pixels, tile), halved(pixels)
    assert half.dtype == pixels.dtype and half.shape == (-(-height // 2), -(-width // 2), channels)
    for i, j in all_tiles(tiling, 0):
        rows, columns = tiling.part(0, i, j)
        there = half[rows.start // 2 : (rows.stop + 1) // 2, columns.start // 2 : (columns.stop + 1) // 2]
        assert np.array_equal(halved(pixels[rows, columns]), there)


def test_means_are_rounded_half_up_and_do_not_overflow() -> None:
    assert halved(np.array([[0, 1], [0, 1]], np.uint8)[..., None]).item() == 1
    assert halved(np.array([[0, 1], [0, 0]], np.uint8)[..., None]).item() == 0
    assert halved(np.full((2, 2, 4), 65535, np.uint16)).tolist() == [[[65535] * 4]]
    assert halved(np.array([[7], [8]], np.uint8)[..., None]).item() == 8


def test_transparent_pixels_do_not_darken_their_neighbours() -> None:
    pixels = np.zeros((2, 4, 4), np.uint8)
    pixels[:, 0] = (200, 100, 50, 255)
    pixels[:, 2:] = (9, 9, 9, 0)  # with no colour to prefer, colours are plain means
    assert halved(pixels).tolist() == [[[200, 100, 50, 128], [9, 9, 9, 0]]]


@pytest.mark.parametrize(
    ("size", "channels", "bits", "tile", "words"),
    [
        ((0, 5), 3, 8, 16, "width"),
        ((5, 2**31), 3, 8, 16, "height"),
        ((5, 5), 5, 8, 16, "channels"),
        ((5, 5), 3, 12, 16, "8 or 16 bits"),
        ((5, 5), 3, 8, 15, "even"),
        ((5, 5), 3, 8, 2**20, "side of a tile"),
    ],
)
def test_impossible_tilings_are_refused(size: Any, channels: int, bits: int, tile: int, words: str) -> None:
    with refused(words):
        Tiling(size, channels, bits, tile)


def test_tiles_that_are_not_there_are_refused() -> None:
    tiling = Tiling(SIZE, 3, 8, TILE)
    for address, words in (
        ((0, 3, 0), "no tile"),
        ((0, 0, -1), "no tile"),
        ((9, 0, 0), "no level"),
        ((-1, 0, 0), "no"),
    ):
        with refused(words):
            tiling.part(*address)


# Pictures of each format.


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_again(tmp_path: Path, ending: str, bits: int, channels: int) -> None:
    path = tmp_path / f"a{ending}"
    lossy, shallow = ending == ".dzi" and channels % 2 == 1, ending == ".dzi"
    pixels = ramp(channels, bits) if lossy else noise(channels, bits)
    picture = made(path, pixels)
    stored = (np.floor(pixels / 257 + 0.5)).astype(np.uint8) if shallow and bits == 16 else pixels
    assert picture.tiling == tiling_of(stored)
    assert {key: picture.text[key] for key in TEXT} == TEXT
    for level, expected in enumerate(levels_of(stored, picture.tiling)):
        found = whole(picture, level)
        assert found.dtype == expected.dtype and found.shape == expected.shape
        error = np.abs(found.astype(int) - expected)
        assert error.max() <= 6 * (level + 1) if lossy else not error.any()
    assert not Path(working_folder(path)).exists()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 1), (1, 40), (33, 32)])
def test_odd_sizes(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    pixels = noise(4, 8, size)
    picture = made(tmp_path / f"a{ending}", pixels)
    for level, expected in enumerate(levels_of(pixels, picture.tiling)):
        assert np.array_equal(whole(picture, level), expected)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_order_of_writing_cannot_be_seen(tmp_path: Path, ending: str) -> None:
    pixels = noise(3, 8)
    for name, seed in (("a", None), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        made(tmp_path / name / f"x{ending}", pixels, seed=seed)
    first, *others = (contents(tmp_path / name) for name in "abc")
    assert first and all(other == first for other in others)


@pytest.mark.parametrize("ending", [".zarr", ".tif"])
def test_processes_share_the_work(tmp_path: Path, ending: str) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    for folder in (alone, shared):
        folder.mkdir()
    pixels = noise(3, 8)
    made(alone / f"x{ending}", pixels)
    np.save(tmp_path / "pixels.npy", pixels)
    code = f"""
import sys
import numpy as np
from unica.tiled.base import Tiling
from unica.tiled.formats import writer
tiling, pixels = Tiling({SIZE}, 3, 8, {TILE}), np.load({str(tmp_path / "pixels.npy")!r})
target = writer({str(shared / f"x{ending}")!r}, tiling)
for row, column in target.missing(0):
    if (row + column) % 2 == int(sys.argv[1]):
        target.write(0, row, column, pixels[tiling.part(0, row, column)])
"""
    running = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    target = writer(shared / f"x{ending}", tiling_of(pixels))
    write_coarser(target, target.tiling)
    target.finish(TEXT)
    assert contents(shared) == contents(alone)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interrupted_picture_is_no_result_and_is_continued(tmp_path: Path, ending: str) -> None:
    pixels, path = noise(3, 8), tmp_path / f"x{ending}"
    first = writer(path, tiling_of(pixels))
    draw(first, pixels, seed=0, most=6)
    with refused("not complete: level 0 lacks 9 of 15 tiles"):
        first.finish(TEXT)
    assert [p.name for p in tmp_path.iterdir()] == [f"x{ending}.unfinished"]
    with refused("not finished"):
        open_tiled(path)
    (tmp_path / f"x{ending}.unfinished" / "tiles" / ".0123456789abcdef.unfinished").write_bytes(b"half")
    working_files(path).write("layout.bin", b"1")

    again = writer(path, tiling_of(pixels))
    assert working_files(path).read("layout.bin") == b"1"
    assert len(again.missing(0)) == 9 and not any(again.has(0, *tile) for tile in again.missing(0))
    there = [tile for tile in all_tiles(again.tiling, 0) if again.has(0, *tile)]
    for tile in again.missing(0):
        again.write(0, *tile, pixels[again.tiling.part(0, *tile)])
    assert len(there) == 6 and again.missing(0) == []
    told: list[tuple[int, int]] = []
    write_coarser_tile(again, 1, 0, 0)
    write_coarser(again, again.tiling, report=lambda done, total: told.append((done, total)))
    assert told == [(n, 9) for n in range(2, 10)]
    again.finish(TEXT)
    (tmp_path / "other").mkdir()
    made(tmp_path / "other" / f"x{ending}", pixels)
    other = contents(tmp_path / "other")
    assert other == {name: data for name, data in contents(tmp_path).items() if not name.startswith("other")}


def test_coarser_levels_start_where_it_is_said(tmp_path: Path) -> None:
    pixels = noise(3, 8)
    target = writer(tmp_path / "a.zarr", tiling_of(pixels))
    levels = levels_of(pixels, target.tiling)
    for i, j in all_tiles(target.tiling, 1):
        target.write(1, i, j, levels[1][target.tiling.part(1, i, j)])
    write_coarser(target, target.tiling, first_level=1)
    assert np.array_equal(whole(target, 3), levels[3]) and len(target.missing(0)) == 15


def test_a_deepzoom_is_continued_that_has_its_tiles_but_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, path = noise(4, 8), tmp_path / "a.dzi"
    target = writer(path, tiling_of(pixels))
    draw(target, pixels)
    write_coarser(target, target.tiling)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("unica.tiled.deepzoom.write_text", killed)
        target.finish(TEXT)
    assert (tmp_path / "a_files").exists()
    with refused("not finished"):
        open_tiled(path)
    again = writer(path, tiling_of(pixels))
    assert not any(again.missing(level) for level in range(len(again.tiling.sizes)))
    again.finish(TEXT)
    assert np.array_equal(whole(open_tiled(path), 0), pixels) and len(list(tmp_path.iterdir())) == 2


# What other programs see.


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_the_zarr_library_reads_the_same(tmp_path: Path, bits: int, channels: int) -> None:
    zarr: Any = pytest.importorskip("zarr", reason="the zarr library is not installed")
    pixels = noise(channels, bits)
    made(tmp_path / "a.zarr", pixels)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r", zarr_format=2)
    scales = group.attrs["multiscales"][0]
    assert scales["version"] == "0.4" and [axis["name"] for axis in scales["axes"]] == ["c", "y", "x"]
    assert len(group.attrs["omero"]["channels"]) == channels and group.attrs["unica"]["text"] == TEXT
    for n, expected in enumerate(levels_of(pixels, tiling_of(pixels))):
        found = group[scales["datasets"][n]["path"]]
        assert np.array_equal(found[:], expected.transpose(2, 0, 1)) and found.dtype == expected.dtype
        scale = scales["datasets"][n]["coordinateTransformations"][0]
        assert scale == {"type": "scale", "scale": [1, 2**n, 2**n]}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_tifffile_reads_the_same(tmp_path: Path, bits: int, channels: int) -> None:
    tifffile: Any = pytest.importorskip("tifffile", reason="tifffile is not installed")
    pixels = noise(channels, bits)
    made(tmp_path / "a.tif", pixels)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff and len(file.pages) == len(file.series) == 1
        page, expected = file.pages[0], levels_of(pixels, tiling_of(pixels))
        assert page.photometric == (2 if channels > 2 else 1)
        assert tuple(page.extrasamples) == ((2,) if channels % 2 == 0 else ())
        assert len(file.series[0].levels) == len(expected)
        for level, wanted in zip(file.series[0].levels, expected, strict=True):
            assert np.array_equal(level.asarray().reshape(wanted.shape), wanted)
        assert "DateTime" not in page.tags and page.software.startswith("unica 1")


def test_pillow_reads_the_tiff_and_its_text(tmp_path: Path) -> None:
    pixels = noise(3, 8)
    made(tmp_path / "a.tif", pixels)
    with Image.open(tmp_path / "a.tif") as image:
        assert np.array_equal(np.asarray(image), pixels)
    assert read_text(tmp_path / "a.tif") == TEXT


@pytest.mark.parametrize("channels", [3, 4])
def test_a_deepzoom_has_all_levels_down_to_one_pixel(tmp_path: Path, channels: int) -> None:
    made(tmp_path / "a.b.dzi", noise(channels, 8))
    kind = "jpg" if channels == 3 else "png"
    descriptor = (tmp_path / "a.b.dzi").read_text()
    assert f'Format="{kind}" Overlap="0" TileSize="16"' in descriptor and 'Width="75" Height="38"' in descriptor
    for level in range(8):
        folder, size = tmp_path / "a.b_files" / str(level), [-(-side // 2 ** (7 - level)) for side in SIZE]
        columns, rows = (-(-side // TILE) for side in size)
        assert {p.name for p in folder.iterdir()} == {f"{j}_{i}.{kind}" for j in range(columns) for i in range(rows)}
        with Image.open(folder / f"{columns - 1}_{rows - 1}.{kind}") as image:
            assert image.size == ((size[0] - 1) % TILE + 1, (size[1] - 1) % TILE + 1)
    assert {p.name for p in (tmp_path / "a.b_files").iterdir()} == {*map(str, range(8)), "unica.json"}


def test_an_unfinished_zarr_has_tiles_but_no_metadata(tmp_path: Path, memory: str) -> None:
    pixels = noise(3, 8)
    for place in (tmp_path / "a.zarr", memory):
        target = writer(place, tiling_of(pixels))
        draw(target, pixels)
        write_coarser(target, target.tiling)
    names = {*contents(tmp_path), *Remote.at(memory).names()}
    assert len(names) == 2 * (15 + 6 + 2 + 1 + 1) and not any(".z" in Path(name).name for name in names)


# URLs.


def test_a_zarr_is_written_to_a_url_and_continued_there(tmp_path: Path, memory: str) -> None:
    pixels = noise(4, 16)
    first = writer(memory, tiling_of(pixels))
    draw(first, pixels, seed=0, most=6)
    assert working_folder(memory) == f"{memory}/unfinished"
    working_files(memory).write("layout.bin", b"1")
    with refused("not finished"):
        open_tiled(memory)
    again = writer(memory, tiling_of(pixels))
    assert len(again.missing(0)) == 9 and working_files(memory).has("layout.bin")
    draw(again, pixels, seed=1)
    write_coarser(again, again.tiling)
    again.finish(TEXT)
    picture = open_tiled(memory)
    assert picture.text == TEXT and np.array_equal(whole(picture, 0), pixels)
    with refused("exists already"):
        writer(memory, tiling_of(pixels))

    made(tmp_path / "a.zarr", pixels)
    files = Remote.at(memory)
    assert {name: files.read(name) for name in files.names()} == contents(tmp_path / "a.zarr")


def test_urls_of_files_are_paths(tmp_path: Path) -> None:
    pixels, url = noise(3, 8), f"file://{tmp_path}/a.zarr"
    assert working_folder(url) == tmp_path / "a.zarr.unfinished"
    made(url, pixels)
    assert np.array_equal(whole(open_tiled(tmp_path / "a.zarr"), 0), pixels)


def test_services_may_have_true_folders(tmp_path: Path) -> None:
    fsspec: Any = pytest.importorskip("fsspec")
    files = Remote("local://", fsspec.filesystem("file"), str(tmp_path / "x"))
    files.write("0/1/2", b"a")
    assert files.names() == {"0/1/2"} and files.read("0/1/2") == b"a" and files.has("0/1/2") and not files.has("0")
    files.remove("0")
    files.remove("0")
    assert files.names() == set()


def test_urls_that_cannot_be_are_refused() -> None:
    for url, words in (("nothing://a.zarr", "nothing"), ("memory://a.tif", "only .zarr"), ("memory://a.dzi", "only")):
        with refused(words):
            writer(url, Tiling(SIZE, 3, 8, TILE))
        with refused(words):
            open_tiled(url)
    with refused("memory://no.zarr does not exist"):
        open_tiled("memory://no.zarr")


# What goes wrong.


@pytest.mark.parametrize("name", ["a.png", "a", "zarr", ".zarr"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with refused("must end in .zarr, .dzi, .tif or .tiff"):
        writer(tmp_path / name, Tiling(SIZE, 3, 8, TILE))
    with refused("must end in"):
        open_tiled(tmp_path / name)


@pytest.mark.parametrize("ending", ENDINGS)
def test_pictures_that_are_not_there_are_refused(tmp_path: Path, ending: str) -> None:
    with refused(f"a{ending} does not exist"):
        open_tiled(tmp_path / f"a{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_overwritten(tmp_path: Path, ending: str) -> None:
    pixels = noise(4, 8, (20, 20))
    made(tmp_path / f"a{ending}", pixels)
    before = contents(tmp_path)
    with refused(f"a{ending} exists already"):
        writer(tmp_path / f"a{ending}", tiling_of(pixels))
    (tmp_path / "b_files").mkdir()
    with refused("b_files exists already"):
        writer(tmp_path / "b.dzi", tiling_of(pixels))
    target = writer(tmp_path / f"c{ending}", tiling_of(pixels))
    with refused("another picture that is not finished"):
        writer(tmp_path / f"c{ending}", tiling_of(pixels, 32))
    draw(target, pixels)
    write_coarser(target, target.tiling)
    target.finish({})
    assert before.items() <= contents(tmp_path).items()


@pytest.mark.parametrize("ending", ENDINGS)
def test_places_that_cannot_be_written_are_refused(tmp_path: Path, ending: str) -> None:
    (tmp_path / "file").write_text("x")
    with refused("cannot write to the folder"):
        writer(tmp_path / "file" / f"a{ending}", Tiling(SIZE, 3, 8, TILE))
    target = writer(tmp_path / f"a{ending}", Tiling((64, 64), 4, 16, 64))
    with full_disk(), refused("cannot be written"):
        target.write(0, 0, 0, noise(4, 16, (64, 64)))
    assert not target.has(0, 0, 0)


def test_a_tiff_that_cannot_be_finished_leaves_no_result(tmp_path: Path) -> None:
    pixels = noise(3, 8)
    target = writer(tmp_path / "a.tif", tiling_of(pixels))
    draw(target, pixels)
    write_coarser(target, target.tiling)
    with full_disk(), refused("cannot be written"):
        target.finish(TEXT)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif.unfinished"]
    target.finish(TEXT)
    assert np.array_equal(whole(open_tiled(tmp_path / "a.tif"), 0), pixels)


@pytest.mark.parametrize("ending", ENDINGS)
def test_arrays_of_another_kind_are_errors(tmp_path: Path, ending: str) -> None:
    target = writer(tmp_path / f"a{ending}", Tiling(SIZE, 3, 8, TILE))
    for wrong in (np.zeros((8, 8, 3), np.uint8), np.zeros((16, 16, 3), np.float32), np.zeros((16, 16), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            target.write(0, 0, 0, wrong)
    assert len(target.missing(0)) == 15


@pytest.mark.parametrize("name", ["a.zarr/0/0/1/1", "a_files/7/1_1.png", "a.tif"])
@pytest.mark.parametrize("damage", ["cut", "other", "flipped", "gone"])
def test_damaged_tiles_are_refused(tmp_path: Path, name: str, damage: str) -> None:
    source = {"a.zarr": "a.zarr", "a_files": "a.dzi", "a.tif": "a.tif"}[name.split("/")[0]]
    picture, path = made(tmp_path / source, noise(4, 8)), tmp_path / name
    data = path.read_bytes()
    start, length = getattr(picture, "places", [[(0, len(data))] * 99])[0][6]
    tile = data[start : start + length]
    bad = {"cut": tile[:40], "other": b"x" * length, "flipped": tile[:60] + b"\xff" * 30 + tile[90:], "gone": b""}[
        damage
    ]
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:start] + bad + (data[start + length :] if len(bad) == length else b""))
    with refused("missing|damaged|no such"):
        picture.read(0, 1, 1)


JSON = st.recursive(
    st.none() | st.integers(-3, 99) | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)


@given(st.sampled_from(["shape", "chunks", "dtype", "compressor", "order", "multiscales", "unica"]), JSON)
def test_a_zarr_that_says_strange_things_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: Any
) -> None:
    path = tmp_path_factory.mktemp("zarr") / "a.zarr"
    pixels = noise(3, 8, (20, 20))
    made(path, pixels)
    file = path / (".zattrs" if key in ("multiscales", "unica") else "0/.zarray")
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    if key == "unica":
        assert open_tiled(path).text == {}
        return
    with refused("damaged|must|missing"):
        open_tiled(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<Image",
        b"<Image/>",
        b"\xff\xfe\0",
        b'<Image TileSize="16" Overlap="1" Format="png"><Size Width="20" Height="20"/></Image>',
        b'<Image TileSize="16" Overlap="0" Format="exe"><Size Width="20" Height="20"/></Image>',
        b'<Image TileSize="15" Overlap="0" Format="png"><Size Width="20" Height="20"/></Image>',
        b'<Image TileSize="16" Overlap="0" Format="png"><Size Width="-1" Height="20"/></Image>',
        b'<Image TileSize="16" Overlap="0" Format="png"><Size Width="x" Height="20"/></Image>',
    ],
)
def test_damaged_descriptors_are_refused(tmp_path: Path, content: bytes) -> None:
    made(tmp_path / "a.dzi", noise(4, 8, (20, 20)))
    (tmp_path / "a.dzi").write_bytes(content)
    with refused("damaged|must|overlap"):
        open_tiled(tmp_path / "a.dzi")


def test_tiffs_of_other_kinds_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.tif"
    for content in (b"", b"II*\0", b"no tiff at all", b"II+\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"):
        path.write_bytes(content)
        with refused("a.tif is damaged, or"):
            open_tiled(path)
    assert not caplog.records  # tifffile would print warnings
    Image.fromarray(noise(3, 8)).save(path)
    with refused("another program"):
        open_tiled(path)
    path.unlink()
    made(path, noise(3, 8))
    path.write_bytes(path.read_bytes()[:3000])
    with refused("damaged"):
        whole(open_tiled(path), 0)


def test_tiff_tiles_have_sides_of_a_multiple_of_16(tmp_path: Path) -> None:
    with refused("multiple of 16, not 24"):
        writer(tmp_path / "a.tif", Tiling(SIZE, 3, 8, 24))


def test_without_tifffile_the_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with refused(r"pip install 'unica\[large\]'"):
        writer(tmp_path / "a.tif", Tiling(SIZE, 3, 8, TILE))
    assert os.listdir(tmp_path) == []


def test_tiled_loads_nothing_heavy() -> None:
    code = "import sys, unica.tiled; print([m for m in ('torch', 'PIL', 'fsspec', 'tifffile') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
