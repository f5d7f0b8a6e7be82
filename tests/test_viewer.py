"""The page with a picture of any size: its tiles, what its server refuses, and what is seen in a browser."""

from __future__ import annotations

import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from conftest import scenery
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from studio_tools import browser, needs_openseadragon

import unica
from unica.cli.view import run
from unica.errors import UnicaError
from unica.image import load, resize, to_array, to_pil
from unica.tiled.base import Tiling
from unica.tiled.coarser import halved, write_coarser
from unica.tiled.formats import writer
from unica.viewer import library
from unica.viewer.levels import Levels
from unica.viewer.page import Page
from unica.viewer.reading import read_pixels
from unica.viewer.safety import HEADERS
from unica.viewer.serve import HOST, Server
from unica.viewer.sources import Drawn, InMemory, Stored, TileSource, source_of
from unica.viewer.tiles import Desk, Gone, Tiles

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 60), (40, 60, 200)


def painting(height: int = 700, width: int = 1100, channels: int = 3) -> np.ndarray:
    """Red; a green square from (100, 300) to (164, 364), with one blue pixel at (132, 332)."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = RED
    pixels[100:164, 300:364] = GREEN
    pixels[132:133, 332:333] = BLUE
    if channels == 4:
        alpha = np.full((height, width, 1), 255, np.uint8)
        alpha[:, width // 2 :] = 0
        pixels = np.concatenate([pixels, alpha], -1)
    return pixels


class FakeGrid:
    def __init__(self, pixels: np.ndarray, asked: list[tuple[int, int]], wait: float) -> None:
        self._pixels, self._asked, self._wait = pixels, asked, wait
        self.shape = pixels.shape

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        time.sleep(self._wait)
        part = self._pixels[key]
        self._asked.append(part.shape[:2])
        return part


class FakeCanvas:
    """A canvas whose levels shrink by about two, and that remembers what it was asked for."""

    def __init__(self, pixels: np.ndarray, factors: tuple[float, ...] = (1, 2.2, 4.9), wait: float = 0) -> None:
        self.asked: list[list[tuple[int, int]]] = [[] for _ in factors]
        x, self._grids = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1, []
        for factor, asked in zip(factors, self.asked):
            size = (round(pixels.shape[0] / factor), round(pixels.shape[1] / factor))
            smaller = to_array(resize(x, size, "bilinear")[0]) if factor > 1 else pixels
            self._grids.append(FakeGrid(smaller, asked, wait))
        self.levels, self.begun = len(factors), False

    def layout(self, report: Any) -> None:
        self.begun = True

    def level(self, coarser: int) -> FakeGrid:
        return self._grids[coarser]


def tiled(path: Any, pixels: np.ndarray, tile: int = 256) -> Any:
    """A picture in the format that the name says."""
    height, width, channels = pixels.shape
    tiling = Tiling((width, height), channels, 8 * pixels.itemsize, tile)
    made = writer(path, tiling)
    rows, columns = tiling.grid(0)
    for i in range(rows):
        for j in range(columns):
            made.write(0, i, j, pixels[tiling.part(0, i, j)])
    write_coarser(made, tiling)
    made.finish({})
    return path


def whole(source: TileSource, level: int) -> np.ndarray:
    """A level, put together from its tiles."""
    rows, columns = source.levels.grid(level)
    return np.concatenate(
        [np.concatenate([source.pixels(level, i, j) for j in range(columns)], axis=1) for i in range(rows)]
    )


@contextmanager
def served(source: TileSource, name: str = "a picture.zarr") -> Iterator[Server]:
    page = Page(source, name)
    server = Server(page)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        page.close()


# Levels and tiles


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(16, 1024))
def test_every_pixel_of_every_level_is_in_one_tile(width: int, height: int, tile: int) -> None:
    levels = Levels((width, height), tile)
    assert levels.size_of(levels.last) == (width, height) and levels.size_of(0) == (1, 1)
    for level in range(levels.last + 1):
        (wide, high), (rows, columns) = levels.size_of(level), levels.grid(level)
        if level:
            assert levels.size_of(level - 1) == (-(-wide // 2), -(-high // 2))
        for count, length, axis in ((rows, high, 0), (columns, wide, 1)):
            parts = [levels.part(level, *((n, 0), (0, n))[axis])[axis] for n in range(count)]
            assert [i for part in parts for i in range(length)[part]] == list(range(length))
            assert all(0 < part.stop - part.start <= tile for part in parts)
        assert levels.has(level, rows - 1, columns - 1)
        assert not levels.has(level, rows, 0) and not levels.has(level, 0, columns)
    assert max(levels.size_of(levels.first)) <= tile and not levels.has(levels.last + 1, 0, 0)


@pytest.mark.parametrize("ending", ["zarr", "dzi", "tif"])
def test_a_stored_picture_is_shown_tile_by_tile(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("tifffile")
    pixels = painting(channels=4)
    source = source_of(tiled(tmp_path / f"a.{ending}", pixels))
    for level in range(source.levels.last, -1, -1):
        assert (whole(source, level) == pixels).all()
        pixels = halved(pixels)


def test_a_picture_at_a_url_is_shown(there, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    url, pages = tiled("memory://viewer/far.zarr", painting()), []
    monkeypatch.setattr("unica.cli.view.serve", lambda page, *rest: pages.append(page))
    run(url, None, 0, 0, False, True, USUAL)
    source = pages[0].source
    assert (whole(source, source.levels.last) == painting()).all() and pages[0].name == "far.zarr"


@pytest.mark.parametrize("tile", [64, 2048])
def test_tiles_of_an_unhandy_size_are_cut_or_put_together(tile: int, tmp_path: Path) -> None:
    pixels = painting()
    source = source_of(tiled(tmp_path / "a.zarr", pixels, tile))
    assert source.levels.tile == 512 and (whole(source, source.levels.last) == pixels).all()
    assert (whole(source, source.levels.last - 1) == halved(pixels)).all()


def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path) -> None:
    pixels = np.arange(300 * 300 * 3, dtype=np.uint16).reshape(300, 300, 3)
    source = source_of(tiled(tmp_path / "a.zarr", pixels))
    assert (whole(source, source.levels.last) == np.round(pixels / 257)).all()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_any_picture_is_shown(ending: str, tmp_path: Path) -> None:
    Image.fromarray(painting(channels=4)).save(tmp_path / f"a.{ending}")
    source = source_of(tmp_path / f"a.{ending}")
    assert (whole(source, source.levels.last) == painting(channels=4)).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16", "turned"])
def test_a_png_is_read_as_every_picture_is(mode: str, tmp_path: Path) -> None:
    """Some of them some rows at a time, and the others whole."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (2500, 900, 4), np.uint8))
    image = Image.fromarray(np.arange(2500 * 900, dtype=np.uint16).reshape(2500, 900)) if mode == "I;16" else image
    exif = Image.Exif()
    exif[274] = 6 if mode == "turned" else 1
    image.convert(mode if mode in ("L", "LA", "RGB", "P") else None).save(
        tmp_path / "a.png", exif=exif, compress_level=1
    )
    picture = load(tmp_path / "a.png")
    assert (read_pixels(tmp_path / "a.png") == to_array(picture.pixels, picture.alpha)).all()


def test_a_damaged_png_is_one_sentence(tmp_path: Path) -> None:
    Image.fromarray(painting()).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    for broken in (data[:200], data[:20], b"", data[:60] + b"x" * 30 + data[90:]):
        (tmp_path / "a.png").write_bytes(broken)
        with pytest.raises(UnicaError, match=r"a\.png"):
            source_of(tmp_path / "a.png")


def test_a_canvas_is_seamless_at_every_size() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (333, 517, 3), np.uint8)
    canvas = FakeCanvas(pixels)
    tiles, at_once = Drawn(canvas, tile=64), Drawn(canvas, tile=1024)
    for level in range(tiles.levels.last + 1):
        assert (whole(tiles, level) == whole(at_once, level)).all()
    assert (whole(tiles, tiles.levels.last) == pixels).all()


def test_an_overview_of_a_canvas_draws_nothing_finer() -> None:
    canvas = FakeCanvas(painting())  # levels of 1100, 500 and 224 pixels
    source = Drawn(canvas, tile=256)
    whole(source, source.levels.last - 3)  # 138 pixels
    assert canvas.asked[0] == canvas.asked[1] == [] and canvas.asked[2] != []
    whole(source, source.levels.last - 1)  # 550 pixels
    assert canvas.asked[0] == [] and canvas.asked[1] != []
    source.pixels(source.levels.last, 0, 0)
    assert canvas.asked[0] == [(256, 256)]


def test_hidden_colours_of_a_canvas_do_not_show() -> None:
    pixels = painting(channels=4)
    pixels[:, 550:, :3] = 255
    source = Drawn(FakeCanvas(pixels, factors=(1,)))
    smaller = whole(source, source.levels.last - 1)
    seen = smaller[..., 3] > 0
    assert (np.abs(smaller[20][seen[20], :3].astype(int) - RED) <= 1).all() and not seen[:, 280:].any()


# What is made first


def test_coarse_comes_first_then_the_newest_and_nothing_for_who_is_gone() -> None:
    desk, order, started, go = Desk(1), [], threading.Event(), threading.Event()

    def first() -> bytes:
        started.set()
        go.wait(10)
        return b"first"

    def ask(name: str, rank: int, wanted: bool) -> None:
        with nullcontext() if wanted else pytest.raises(Gone):
            desk.do(lambda: order.append(name) or b"", lambda: wanted, rank)

    threads = [threading.Thread(target=desk.do, args=(first, lambda: True))]
    threads[0].start()
    started.wait(10)
    for asked in (("coarse", 1, True), ("old", 2, True), ("gone", 2, False), ("new", 2, True)):
        threads.append(threading.Thread(target=ask, args=asked))
        threads[-1].start()
        while desk._waiting.qsize() < len(threads) - 1:
            time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join(10)
    desk.close()
    assert order == ["coarse", "new", "old"]


def test_a_tile_is_made_once() -> None:
    canvas = FakeCanvas(painting(), wait=0.05)
    tiles = Tiles(Drawn(canvas, tile=256))
    asking = [threading.Thread(target=tiles.get, args=(tiles.source.levels.last, 0, 0)) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(10)
    assert canvas.asked[0] == [(256, 256)]


def test_full_size_and_transparent_tiles_show_exact_pixels() -> None:
    opaque, clear = (Tiles(Stored(InMemory(painting(channels=channels)))) for channels in (3, 4))
    last = opaque.source.levels.last
    assert [opaque.kind(last), opaque.kind(last - 1), clear.kind(last - 1)] == ["png", "jpg", "png"]
    shown = np.asarray(Image.open(io.BytesIO(opaque.get(last, 0, 0))))
    assert (shown == painting()[:512, :512]).all()


# The server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served(Stored(InMemory(painting()))) as running:
        yield running


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host="host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path",
    ["/page.py", "/../page.py", "/%2e%2e/page.py", "//etc/passwd", "/viewer.css/", "/tiles/", "/tiles/11/9_9.png",
     "/tiles/11/0_0.jpg", "/tiles/12/0_0.png", "/tiles/-1/0_0.png", "/tiles/11/0_0.png/..", "/tiles/11/0_0.webp",
     "/tiles/11/99999999999_0.png", "http://example.org/viewer.css", "*"],
)  # fmt: skip
def test_other_paths_are_not_there(path: str, server: Server) -> None:
    status, headers, body = ask(server, path)
    assert status == (403 if path.startswith("http") else 404)
    assert HEADERS.items() <= headers.items()
    assert b"import" not in body and b"root:" not in body


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "", "localhost.", "0.0.0.0", "10.0.0.1:80"])
def test_a_name_that_a_stranger_made_up_is_refused(host: str, server: Server) -> None:
    status, headers, body = ask(server, "/tiles/0/0_0.jpg", host=host)
    assert status == 403 and b"localhost only" in body and HEADERS.items() <= headers.items()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:80"])
def test_this_machine_is_known_by_its_names(host: str, server: Server) -> None:
    assert ask(server, "/picture.json", host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PROPFIND"])
def test_only_get_is_answered(method: str, server: Server) -> None:
    status, headers, _ = ask(server, "/picture.json", method)
    assert status == 405 and HEADERS.items() <= headers.items() and headers["connection"] == "close"


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n\r\n", b"GET /picture.json HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_is_refused(raw: bytes, server: Server) -> None:
    with socket.create_connection((HOST, server.server_port), timeout=10) as connection:
        connection.sendall(raw)
        answer = connection.recv(4096)
    assert b" 4" in answer[:13] or b" 505 " in answer[:13]
    assert b"nonsense" not in answer


def test_a_body_is_not_taken_for_a_request(server: Server) -> None:
    inner = b"GET /viewer.css HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.create_connection((HOST, server.server_port), timeout=10) as connection:
        head = b"GET /picture.json HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(inner)
        connection.sendall(head + inner)
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.count(b"HTTP/1.1 ") == 1


def test_files_have_their_kinds_and_are_not_stored(server: Server) -> None:
    kinds = {"/": "text/html", "/viewer.js": "text/javascript", "/viewer.css": "text/css", "/icon.svg": "image/svg+xml",
             "/picture.json": "application/json", "/tiles/11/0_0.png": "image/png",
             "/tiles/3/0_0.jpg": "image/jpeg"}  # fmt: skip
    for path, kind in kinds.items():
        status, headers, _ = ask(server, path)
        assert status == 200 and headers["content-type"].startswith(kind) and headers["cache-control"] == "no-store"
        assert HEADERS.items() <= headers.items() and "python" not in headers["server"].lower()
    facts = json.loads(ask(server, "/picture.json")[2])
    assert (facts["width"], facts["height"], facts["name"]) == (1100, 700, "a picture.zarr")


def test_who_leaves_is_not_drawn_for() -> None:
    canvas = FakeCanvas(painting(), wait=0.3)
    with served(Drawn(canvas, tile=256)) as server:

        def leave(path: str) -> None:
            with socket.create_connection((HOST, server.server_port)) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                time.sleep(0.1)

        for column in range(4):
            leave(f"/tiles/11/{column}_0.png")
        assert ask(server, "/tiles/11/0_1.png")[0] == 200
    assert len(canvas.asked[0]) <= 3  # the first, maybe the one that began when it ended, and that of who stayed


def test_a_part_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = tiled(tmp_path / "a.zarr", painting())
    source = source_of(path)
    (path / "0" / "0" / "1" / "1").write_bytes(b"broken")
    with served(source) as server:
        status, _, body = ask(server, "/tiles/11/1_1.png")
        assert status == 500 and "damaged" in json.loads(body)["error"]
        assert ask(server, "/tiles/11/0_0.png")[0] == 200


def test_a_port_that_is_taken_is_one_sentence(server: Server) -> None:
    with pytest.raises(UnicaError, match="name another with --port"):
        Server(server.page, server.server_port)


# The program that shows it


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A folder of $UNICA_WEIGHTS and a cache, both empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UNICA_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights", tmp_path / "cache" / "unica"


def archive(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as files:
        for name, content in (("x/LICENSE.txt", b"BSD"), ("x/openseadragon.min.js", program)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


PROGRAM = b"//! openseadragon\n//! Built on 2026-09-09\n\n\nfunction OpenSeadragon(){}"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    from hashlib import sha256

    monkeypatch.setattr(library, "SHA256", sha256(b"function OpenSeadragon(){}").hexdigest())


def reply(monkeypatch: pytest.MonkeyPatch, content: bytes | Exception) -> list[str]:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Any:
        asked.append(url)
        if isinstance(content, Exception):
            raise content
        return io.BytesIO(content)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_the_program_is_fetched_once(places, toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNICA_WEIGHTS")
    asked = reply(monkeypatch, archive(PROGRAM))
    assert library.openseadragon() == library.openseadragon() == PROGRAM
    assert asked == [library.URL] and library.openseadragon(fetch=False) == PROGRAM
    assert library.URL.startswith("https://github.com/openseadragon/")


def test_where_weights_are_nothing_is_fetched(places, toy, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = reply(monkeypatch, archive(PROGRAM))
    with pytest.raises(UnicaError, match=r"needs .*; take openseadragon\.min\.js out of https.*\$UNICA_WEIGHTS under"):
        library.openseadragon()
    (places[0] / library.FILE).write_bytes(PROGRAM)
    assert library.openseadragon() == PROGRAM and asked == []


def test_the_day_of_a_build_does_not_matter_and_the_rest_does(places, toy) -> None:
    places[1].mkdir(parents=True)
    (places[1] / library.FILE).write_bytes(PROGRAM.replace(b"09-09", b"09-10"))
    library.openseadragon()
    for wrong in (PROGRAM + b" ", PROGRAM.replace(b"\n\n\n", b"\nsteal();\n"), b""):
        (places[1] / library.FILE).write_bytes(wrong)
        with pytest.raises(UnicaError, match="not the published OpenSeadragon"):
            library.openseadragon()


@pytest.mark.parametrize(
    "content",
    [b"an error page", archive(b"other"), archive(PROGRAM)[:40], b""],
    ids=["a page", "another archive", "a part of it", "nothing"],  # archives hold the time, and names must not
)
def test_a_wrong_download_is_not_kept(content: bytes, places, toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNICA_WEIGHTS")
    reply(monkeypatch, content)
    with pytest.raises(UnicaError, match="not the published OpenSeadragon"):
        library.openseadragon()
    assert not places[1].exists()


def test_without_a_network_one_is_told_what_to_do(places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNICA_WEIGHTS")
    reply(monkeypatch, URLError("no route to host"))
    with pytest.raises(UnicaError, match=r"no route to host\); take openseadragon\.min\.js out of .* under that name"):
        library.openseadragon()


def test_the_studio_downloads_nothing(places, toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNICA_WEIGHTS")
    asked = reply(monkeypatch, archive(PROGRAM))
    page = Page(Stored(InMemory(painting())), "a.png", fetch=False)
    answer = page.answer("openseadragon.js")
    page.close()
    assert answer.status == 500 and b"`unica view PICTURE` downloads it, once" in answer.body and asked == []


def test_make_viewer_gets_the_version_that_is_used() -> None:
    made = (Path(__file__).parents[1] / "Makefile").read_text()
    assert f"OPENSEADRAGON := {library.VERSION}\n" in made and library.LICENCE == "BSD-3-Clause"


# The command


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program, found."""
    monkeypatch.setattr("unica.cli.view.openseadragon", lambda: b"")


USUAL: dict[str, Any] = {"engine": None, "device": "auto", "precision": "auto", "diversity": None}


def test_options_of_drawing_are_refused_where_nothing_is_drawn(there, tmp_path: Path) -> None:
    path = tiled(tmp_path / "a.zarr", painting(32, 32))
    with pytest.raises(UnicaError, match="--size is for drawing"):
        run(str(path), (64, 64), 0, 0, False, True, USUAL)
    Image.fromarray(painting(32, 32)).save(tmp_path / "a.png")
    for typed, name in (({"diversity": 0.3}, "--diversity"), ({"device": "cpu"}, "--device")):
        with pytest.raises(UnicaError, match=f"{name} is for drawing"):
            run(str(tmp_path / "a.png"), None, 0, 0, False, True, USUAL | typed)


def test_a_canvas_of_a_picture_is_drawn(there, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_pil(scenery(40, 48)).save(tmp_path / "a.png")
    drawn, pages = FakeCanvas(painting()), []

    def canvas(model: Any, size: tuple[int, int], seed: int) -> FakeCanvas:
        assert (model.settings["diversity"], size, seed) == (0.3, (1100, 700), 3)
        return drawn

    monkeypatch.setattr(unica, "canvas", canvas)
    monkeypatch.setattr("unica.cli.view.serve", lambda page, *rest: pages.append(page))
    run(str(tmp_path / "a.png"), (1100, 700), 3, 0, False, True, USUAL | {"diversity": 0.3})
    source = pages[0].source
    assert source.drawn and drawn.begun and (whole(source, source.levels.last) == painting()).all()


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    needs_openseadragon()
    path = tiled(tmp_path / "a.zarr", painting(300, 300))
    command = [sys.executable, "-m", "unica", "view", str(path), "--no-open"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    url = running.stdout.readline().split(" is at ")[1].split()[0]
    assert json.loads(urllib.request.urlopen(f"{url}picture.json", timeout=10).read())["width"] == 300
    running.send_signal(signal.SIGINT)
    _, complaint = running.communicate(timeout=10)
    assert running.returncode == 130 and complaint == "unica: interrupted.\n"


# In a browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    pytest.importorskip("playwright")
    needs_openseadragon()
    with browser() as opened:
        yield opened


@contextmanager
def opened(chromium: Any, server: Server, allowed: tuple[str, ...] = (), **settings: Any) -> Iterator[Any]:
    """The page of a server. Nothing may go to another machine, and the console must stay free of errors."""
    context = chromium.new_context(**{"viewport": {"width": 1000, "height": 700}, **settings})
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(server.url) else None)
    page.goto(server.url)
    try:
        yield page
    finally:
        context.close()
    assert [text for text in wrong if not any(words in text for words in allowed)] == []


def loaded(page: Any) -> None:
    page.wait_for_selector("body[data-loaded=true]", timeout=15_000)
    page.wait_for_timeout(300)  # tiles fade in


def seen(page: Any) -> np.ndarray:
    """What is on the screen."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def near(pixels: np.ndarray, colour: tuple[int, int, int], most: int = 3) -> np.ndarray:
    return np.all(np.abs(pixels - colour) <= most, axis=-1)


def place(page: Any, x: int, y: int) -> tuple[int, int]:
    """Point at a place of the screen, and read which pixel of the picture is there."""
    page.mouse.move(x - 1, y)
    page.mouse.move(x, y)
    page.wait_for_selector("#place:not(:empty)")
    across, down = page.inner_text("#place").removeprefix("x ").split(", y ")
    return int(across), int(down)


def test_each_pixel_is_seen_as_it_is(chromium: Any, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1400, 2200, 3), np.uint8)
    source = source_of(tiled(tmp_path / "a.zarr", pixels))
    with served(source) as server, opened(chromium, server) as page:
        loaded(page)
        assert page.title().startswith("a picture.zarr")
        assert page.inner_text("#size").replace("\u202f", "") == "2200 \u00d7 1400 pixels"
        page.keyboard.press("1")
        page.wait_for_selector("#zoom:text-is('100 %')")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
        page.wait_for_timeout(900)
        loaded(page)
        x, y = place(page, 500, 350)
        left, top = x - 500, y - 350
        shown = seen(page)[60:640]  # between the header and what is written at the bottom
        assert (shown == pixels[top + 60 : top + 640, left : left + 1000]).all()
        for _ in range(4):
            page.click("#in")
        page.wait_for_selector("#zoom:text-is('1600 %')")
        page.wait_for_timeout(300)
        loaded(page)
        x, y = place(page, 500, 350)
        shown = seen(page)
        square = (shown[330:370, 480:520] == pixels[y, x]).all(-1)
        assert square.sum() == 16 * 16 and square.any(0).sum() == 16  # one pixel, with no colour between
        page.click("#whole")
        page.wait_for_timeout(900)
        assert page.inner_text("#zoom") == "45 %" and page.is_hidden("#problem")


def test_a_canvas_tells_that_it_draws_and_shows_what_is_looked_at(chromium: Any) -> None:
    canvas = FakeCanvas(painting(1400, 2200), wait=0.15)
    with served(Drawn(canvas), "landscape") as server, opened(chromium, server) as page:
        page.wait_for_selector("#busy:text-is('drawing')", timeout=5000)
        loaded(page)
        page.wait_for_selector("#busy", state="hidden")
        assert canvas.asked[0] == []
        page.click("#full")
        page.wait_for_timeout(700)
        page.wait_for_selector("#busy:text-is('drawing')", timeout=5000)
        loaded(page)
        assert near(seen(page)[350, 500], RED)
        assert 4 <= len(canvas.asked[0]) <= 12  # of 15 tiles; none of them twice


def test_a_transparent_picture_lies_on_squares(chromium: Any) -> None:
    with served(Stored(InMemory(painting(channels=4)))) as server, opened(chromium, server) as page:
        loaded(page)
        shown = seen(page)
        assert near(shown[350, 250], RED) and not near(shown[330:370, 700:780], RED).any()
        assert len(np.unique(shown[330:370, 700:780].reshape(-1, 3), axis=0)) == 2


def test_what_cannot_be_read_is_said_on_the_page(chromium: Any, tmp_path: Path) -> None:
    path = tiled(tmp_path / "a.zarr", painting(1400, 2200))
    source = source_of(path)
    for tile in (path / "0" / "0" / "2").iterdir():
        tile.write_bytes(b"broken")
    with served(source) as server, opened(chromium, server, allowed=("status of 500", "failed to load")) as page:
        loaded(page)
        assert page.is_hidden("#problem")
        page.click("#full")
        page.wait_for_selector("#problem:has-text('damaged')", timeout=10_000)


@pytest.mark.parametrize(("width", "height", "scheme"), [(400, 800, "dark"), (1400, 900, "light")])
def test_the_page_fits_and_is_accessible(chromium: Any, server: Server, width: int, height: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    screen = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "device_scale_factor": 2}
    with opened(chromium, server, **screen) as page:
        loaded(page)
        assert [(one["id"], one["nodes"][0]["html"]) for one in Axe().run(page).response["violations"]] == []
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        order = []
        for _ in range(5):
            page.keyboard.press("Tab")
            order.append(page.evaluate("() => document.activeElement.id || document.activeElement.className"))
        assert order == ["out", "in", "whole", "full", "openseadragon-canvas"]
        page.keyboard.press("1")
        page.wait_for_selector("#zoom:text-is('100 %')")
        assert page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
