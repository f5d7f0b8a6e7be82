"""The studio in a real browser: what a user does, from the first picture to the last download."""

from __future__ import annotations

import base64
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import scenery
from PIL import Image

from unica.image import read_text, to_pil

pytest.importorskip("gradio")
pytest.importorskip("playwright")

from studio_tools import browser, needs_openseadragon, studio

from unica.studio.guard import COOKIE
from unica.studio.launch import Running
from unica.studio.seen import copies_of_result

STONES = Path(__file__).parents[1] / "examples" / "maps" / "stones"
SOON, LATER = 15_000, 60_000  # milliseconds


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    with studio(tmp_path_factory.mktemp("studio"), workers=2) as served:
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture
def page(chromium: Any, running: Running) -> Iterator[Any]:
    """A page of a new user. Nothing may go to another machine, and the console must stay free of errors."""
    context = chromium.new_context(viewport={"width": 1360, "height": 860}, accept_downloads=True)
    opened, wrong = context.new_page(), []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on(
        "response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
    )
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda request: wrong.append(request.url) if not _ours(request.url, running) else None)
    opened.allowed = []
    opened.goto(running.url)
    opened.wait_for_selector("body[data-ready]")
    yield opened
    context.close()
    assert [text for text in wrong if not any(re.search(allowed, text) for allowed in opened.allowed)] == []


def _ours(url: str, running: Running) -> bool:
    return url.startswith((running.url, "data:", "blob:"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture that is drawn in a moment."""
    path = tmp_path / "meadow.png"
    to_pil(scenery(72, 96)).save(path)
    return path


def bring(page: Any, path: Path) -> None:
    page.set_input_files("#file", path)
    page.wait_for_selector(f"#shelf .card[aria-pressed=true]:has-text('{path.name}')")
    page.wait_for_selector("#stage .sheet img")


def choose(page: Any, task: str, **settings: Any) -> None:
    page.select_option("#task", task)
    for name, value in settings.items():
        page.fill(f"#f-{name}", str(value))


def draw(page: Any, wait: int = LATER) -> None:
    """Draw, and wait until everything is done."""
    page.click("#go")
    page.wait_for_selector("#details .facts", timeout=wait)
    page.wait_for_selector("#progress", state="hidden", timeout=wait)


def drag(page: Any, *places: tuple[float, float]) -> None:
    """Press at the first place on the picture, move over the others, and let go. Places are shares of its sides."""
    box = page.locator("#stage .sheet").bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()


def result(page: Any, folder: Path) -> Path:
    """The result on the stage, downloaded."""
    with page.expect_download() as download:
        page.click("#details >> text=Download")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_a_brush_marks_what_is_drawn_anew_and_all_else_stays(page: Any, photo: Path, tmp_path: Path) -> None:
    page.allowed = ["422"]
    bring(page, photo)
    choose(page, "inpaint")
    page.click("#go")  # nothing is marked yet
    page.wait_for_selector("#problem:has-text('No pixel is marked')")
    page.click("#tools >> text=Brush")
    drag(page, (0.3, 0.75), (0.5, 0.85), (0.6, 0.85))
    draw(page)
    made = pixels(result(page, tmp_path))
    changed = (made != pixels(photo)).any(-1)
    assert changed.any() and not changed[:, 72:].any() and not changed[:44].any() and not changed[:, :16].any()


def test_a_run_shows_previews_and_ends_within_two_seconds(page: Any, photo: Path) -> None:
    bring(page, photo)
    choose(page, "sample", count=200)
    page.click("#go")
    page.wait_for_selector("#stage img[src^='data:image/webp']", timeout=SOON)
    page.wait_for_selector("#standing:has-text('left')", timeout=SOON)
    began = time.monotonic()
    page.click("#stop")
    page.wait_for_selector("#strip .job:has-text('cancelled')", timeout=5000)
    assert time.monotonic() - began < 2
    choose(page, "sample", count=1)
    draw(page)
    assert page.locator("#strip > li").count() == 2


def test_a_result_is_looked_at_and_goes_on(page: Any, photo: Path) -> None:
    bring(page, photo)
    choose(page, "sample", count=2, seed=5)
    draw(page)
    for view in ("Compare", "Where from", "Seams", "Result"):
        page.click(f"#views >> text={view}")
    page.keyboard.press("Escape")
    page.click("#details >> text=Command")
    assert "--seed 5" in page.inner_text("#dialog-body") and "unica.sample(model" in page.inner_text("#dialog-body")
    page.click("#dialog [aria-label=Close]")
    page.click("#details >> text=More like this")
    page.wait_for_selector("#strip >> text=seed 8", timeout=LATER)  # 7 and 8 follow 5 and 6
    page.click("#strip >> text=seed 7")
    page.click("#details >> text=Use as source")
    page.wait_for_selector("#shelf .card[aria-pressed=true]:has-text('meadow-7.png')")


def test_margins_are_dragged(page: Any, photo: Path, tmp_path: Path) -> None:
    bring(page, photo)
    choose(page, "outpaint")
    drag(page, (1.0, 0.5), (1.25, 0.5))
    assert 20 <= int(page.input_value("#f-right")) <= 28
    choose(page, "outpaint", right=24)
    draw(page)
    made = pixels(result(page, tmp_path))
    assert made.shape == (72, 120, 3) and (made[:, :96] == pixels(photo)).all()


def test_words_act_where_a_box_is(page: Any, photo: Path, tmp_path: Path) -> None:
    bring(page, photo)
    choose(page, "text")
    page.select_option("#f-mode", "region")
    page.fill("input[aria-label='What the picture should show']", "a red circle")
    page.click("summary:has-text('More settings')")
    page.fill("#f-views", "1")
    page.click("#tools >> text=Box")
    drag(page, (0.1, 0.1), (0.5, 0.6))
    draw(page)
    changed = (pixels(result(page, tmp_path)) != pixels(photo)).any(-1)
    assert changed[:40, :48].any() and not changed[:, 56:].any()
    page.click("#details >> text=What guided it")
    page.wait_for_selector("#dialog .plot path")


def test_a_training_shows_its_losses_and_is_kept(page: Any, photo: Path) -> None:
    bring(page, photo)
    choose(page, "train", budget="60s")
    page.select_option("#f-engine", "sinddm")
    page.click("#go")
    page.wait_for_selector("#stage .plot path", timeout=LATER)
    page.wait_for_selector("#stage .samples img", timeout=LATER)
    page.click("#strip >> text=Stop and keep")
    page.click("#stage >> text=Draw with this model", timeout=LATER)
    page.wait_for_selector("#shelf .card[aria-pressed=true]:has-text('meadow.unica')", timeout=SOON)
    choose(page, "sample", count=1)
    draw(page)


def test_a_large_result_is_looked_at_closely(page: Any, running: Running, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("unica.studio.seen.LARGE", 10**6)
    needs_openseadragon()
    secret = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == COOKIE)
    session = running.studio.store.session(secret)
    job = session.new("job", {"job": "draw", "task": "sample", "state": "done", "source_name": "x", "seconds": 1})
    large = np.random.default_rng(0).integers(0, 256, (1100, 1300, 3), np.uint8)
    Image.fromarray(large).save(job.folder / "x-1.png")
    facts = {"path": "x-1.png", "seed": 1, "size": [1300, 1100], "bytes": 1, "seconds": 1, "command": "", "python": ""}
    job.about["pictures"] = [{**facts, **copies_of_result(job.folder / "x-1.png")}]
    job.save()
    page.reload()
    page.click("#strip >> text=seed 1")
    page.wait_for_selector("#stage img[src$='x-1.preview.webp']")
    with page.expect_popup() as opening:
        page.click("#details >> text=Look closely")
    closer, wrong = opening.value, []
    closer.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    closer.wait_for_selector("body[data-loaded=true]")
    assert closer.inner_text("#name") == "x-1.png" and wrong == []
    closer.keyboard.press("1")
    closer.wait_for_selector("#zoom:text-is('100 %')")
    assert (pixels(result(page, tmp_path)) == large).all()
    place, ask = f"{running.url}studio/look/{job.id}", page.context.request.get
    assert ask(f"{place}/x-1.png/picture.json").json()["width"] == 1300
    for path in ("record.json/", "x-2.png/", "%2e%2e/", "x-1.png/tiles/11/9_9.png", "x-1.png/%2e%2e/record.json"):
        assert ask(f"{place}/{path}").status == 404
    stranger = page.context.browser.new_context()
    assert stranger.request.get(f"{place}/x-1.png/tiles/11/0_0.png").status == 404
    stranger.close()


def test_a_reload_keeps_the_session(page: Any, photo: Path) -> None:
    bring(page, photo)
    choose(page, "inpaint", seed=11)
    page.click("#tools >> text=Box")
    drag(page, (0.2, 0.2), (0.5, 0.6))
    draw(page)
    page.reload()
    page.wait_for_selector("#details .facts:has-text('seed 11')")
    assert page.input_value("#task") == "inpaint" and page.input_value("#f-seed") == "11"
    page.click("#views >> text=Source")
    page.wait_for_selector("#stage rect.shape")


def test_a_picture_brings_its_settings_back(page: Any, photo: Path, tmp_path: Path) -> None:
    bring(page, photo)
    choose(page, "sample", count=1, seed=3, diversity=0.3)
    draw(page)
    made = result(page, tmp_path)
    assert read_text(made)["unica:seed"] == "3"
    page.reload()
    page.wait_for_selector("#shelf .card:has-text('meadow.png')")
    page.click("#shelf [aria-label='Remove meadow.png']")
    choose(page, "mirror", seed=0)
    bring(page, made)
    page.click("#shelf >> text=Restore how it was made")
    page.wait_for_selector("#source-problem:has-text('bring meadow.png too')")
    bring(page, photo)
    page.click("#shelf >> text=Restore how it was made")
    page.wait_for_selector("#details .facts:has-text('seed 3')", timeout=LATER)
    page.wait_for_selector("#progress", state="hidden", timeout=LATER)
    assert page.input_value("#task") == "sample" and page.input_value("#f-diversity") == "0.3"
    again = result(page, tmp_path / "again")
    assert again.read_bytes() == made.read_bytes()


def test_what_is_wrong_is_said_beside_it_and_nothing_is_lost(page: Any, photo: Path, tmp_path: Path) -> None:
    page.allowed = ["422"]  # Chromium logs every answer that is refused
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"this is not a picture")
    page.set_input_files("#file", broken)
    page.wait_for_selector("#source-problem:has-text('is not an image')")
    bring(page, photo)
    choose(page, "sample", seed=4, size="20")
    page.click("#go")
    page.wait_for_selector("#p-size:has-text('width first')")
    choose(page, "sample", size="8x8")
    page.click("#go")
    page.wait_for_selector("#p-size:has-text('too small'), #problem:has-text('too small')", timeout=SOON)
    assert page.input_value("#f-seed") == "4"
    choose(page, "harmonize")
    page.click("#go")
    page.wait_for_selector(".problem:visible:has-text('content')")


@pytest.mark.parametrize(("width", "height", "scheme"), [(400, 800, "light"), (400, 800, "dark"), (3840, 2160, "dark")])
def test_it_fits_and_is_accessible(page: Any, photo: Path, width: int, height: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no button is on its way to another colour
    bring(page, photo)
    for task in ("sample", "inpaint", "text", "train"):
        choose(page, task)
        for summary in page.locator("#form summary").all():
            summary.click()
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    choose(page, "sample", count=1)
    draw(page)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(way: str, page: Any, photo: Path) -> None:
    data = base64.b64encode(photo.read_bytes()).decode()
    page.evaluate(
        """([way, data]) => {
            const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            transfer.items.add(new File([bytes], "meadow.png", { type: "image/png" }));
            const event = way === "drop"
                ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }""",
        [way, data],
    )
    page.wait_for_selector("#shelf .card[aria-pressed=true]:has-text('meadow.png')")


def test_the_keyboard_is_enough(page: Any, photo: Path) -> None:
    bring(page, photo)
    page.focus("#task")
    page.keyboard.type("Inp")
    page.keyboard.press("Tab")
    assert page.input_value("#task") == "inpaint"
    page.focus("summary:has-text('Marks as numbers')")
    page.keyboard.press("Enter")
    page.focus("#f-box")
    page.keyboard.type("10,44,20,16")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#details .facts", timeout=LATER)
    page.focus("#stage")
    before = page.inner_text("#zoom")
    page.keyboard.press("+")
    assert page.inner_text("#zoom") != before
    page.keyboard.press("0")
    assert page.inner_text("#zoom") == before


def test_maps_come_together_and_are_seen_in_light(page: Any) -> None:
    page.set_input_files("#file", sorted(STONES.glob("*.png")))
    page.wait_for_selector("#maps li:nth-child(4)", timeout=LATER)
    assert page.locator("#shelf .card[aria-pressed=true]:has-text('4 maps')").count() == 1
    choose(page, "sample", count=1, size="96x64")
    draw(page)
    seen = []
    for name in ("color", "normal", "plane", "sphere"):
        page.select_option("#map", name)
        page.wait_for_selector("#stage canvas.lit[data-drawn]" if name in ("plane", "sphere") else "#stage img")
        seen.append(page.locator("#stage .sheet").screenshot())
    assert len(set(seen)) == 4
    page.mouse.move(*(page.locator("canvas.lit").bounding_box()[side] + 60 for side in ("x", "y")))
    page.wait_for_timeout(300)
    assert page.locator("#stage .sheet").screenshot() != seen[-1]  # the lamp is elsewhere
    with page.expect_download() as download:
        page.click("#details >> text=Download all 4 maps")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 4
    page.click("#maps [aria-label='Leave normal out']")
    page.wait_for_selector("#maps li:nth-child(4)", state="detached")
    assert page.locator("#maps li").count() == 3 and page.locator(".problem:visible").count() == 0


def test_a_map_that_does_not_fit_is_said_and_a_good_one_is_added(page: Any, photo: Path) -> None:
    page.allowed = ["422"]
    bring(page, STONES / "stones_color.png")
    page.set_input_files("#maps input", photo)
    page.wait_for_selector("#source-problem:has-text('same size')")
    page.set_input_files("#maps input", STONES / "stones_height.png")
    page.wait_for_selector("#maps li:nth-child(2)")
    page.select_option("#maps li:nth-child(2) select", "roughness")
    page.wait_for_selector("#maps li:nth-child(2) select >> text=roughness", state="attached")
    assert page.locator("#maps li").count() == 2


def test_a_video_plays_and_is_downloaded(page: Any, photo: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    bring(page, photo)
    choose(page, "animate", frames=4)
    page.select_option("#f-format", "webm")
    draw(page)
    page.wait_for_function("document.querySelector('#stage video')?.readyState >= 2")
    assert page.locator("#strip img").count() >= 1
    assert result(page, tmp_path).suffix == ".webm"
