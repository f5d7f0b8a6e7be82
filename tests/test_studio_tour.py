"""The long tour: every task, on the page, with the pictures that everybody has. It takes the screenshots of the docs:

UNICA_SCREENSHOTS=docs/images/studio .venv/bin/pytest -m slow tests/test_studio_tour.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")

from studio_tools import browser, shoot, studio
from test_studio_page import LATER, choose, drag, draw

from unica.studio.launch import Running
from unica.tasks import tasks

pytestmark = pytest.mark.slow

LONG = 180_000  # milliseconds


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    with studio(tmp_path_factory.mktemp("studio"), workers=2) as served:
        yield served


@pytest.fixture(scope="module")
def page(running: Running) -> Iterator[Any]:
    """One page for all of it, as one user has it."""
    with browser() as chromium:
        opened, wrong = chromium.new_page(viewport={"width": 1360, "height": 860}, color_scheme="light"), []
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.goto(running.url)
        opened.wait_for_selector("body[data-ready]")
        example(opened, "harvest.jpg")
        yield opened
        assert wrong == []


def example(page: Any, name: str) -> None:
    page.click(f"#shelf .card:has-text('{name}')", timeout=LATER)
    page.wait_for_selector("#stage .sheet img")


def other(page: Any, name: str) -> None:
    """Choose the second picture of a task."""
    page.click(f".thumbs [aria-label='{name}']")


SETTINGS: dict[str, dict[str, Any]] = {
    "sample": {"count": 4},
    "objects": {"size_factor": 0.7},
    "retarget": {"size": "240x230"},
    "animate": {"frames": 8},
    "upscale": {"factor": 1.5},
}


def mark(page: Any, task: str) -> None:
    """What a user does on the picture before this task."""
    if task == "outpaint":
        drag(page, (1, 0.5), (1.2, 0.5))
    elif task == "inpaint":
        page.click("#tools >> text=Brush")
        drag(page, (0.5, 0.55), (0.56, 0.6), (0.6, 0.6))
        page.click("#tools >> text=Outline")
        drag(page, (0.82, 0.28), (0.98, 0.28), (0.98, 0.48), (0.82, 0.48))
    elif task == "region":
        drag(page, (0.84, 0.26), (0.99, 0.5))
    elif task == "edit":
        page.click("#tools >> text=Move a part")
        drag(page, (0.45, 0.5), (0.58, 0.64))
    elif task == "text":
        page.fill("input[aria-label='What the picture should show']", "a red circle")
        page.click("summary:has-text('More settings')")
        page.fill("#f-views", "2")
    elif task == "paint":
        page.wait_for_selector(".swatches button:nth-child(8)")
        for number, y in enumerate((0.15, 0.35, 0.55, 0.75)):
            page.locator(".swatches button").nth([6, 2, 5, 4][number]).click()
            drag(page, (0.0, y), (0.5, y + 0.06 * (number % 2)), (1.0, y))
    elif task in ("style", "analogy"):
        other(page, "dandelions.png")
    elif task == "harmonize":
        other(page, "dandelions.png")
        page.wait_for_selector("#stage img[alt='dandelions.png']")
        page.click("#tools >> text=Box")
        drag(page, (0.6, 0.5), (0.8, 0.75))


@pytest.mark.parametrize("task", [task.name for task in tasks().values() if task.group is not None])
def test_every_task_is_done_on_the_page(task: str, page: Any) -> None:
    if page.locator("#views >> text=Source").count():
        page.click("#views >> text=Source")
    choose(page, task, **SETTINGS.get(task, {}))
    mark(page, task)
    if task in ("inpaint", "paint"):
        shoot(page, task)
    draw(page, LONG)
    assert page.locator(".problem:visible").count() == 0
    if task == "sample":
        page.click("#views >> text=Compare")
        shoot(page, "sample")


def test_hybrid_learns_and_draws(page: Any) -> None:
    choose(page, "sample", count=2)
    page.select_option("#f-engine", "hybrid")
    draw(page, LONG)


def test_a_material_is_drawn_and_lit(page: Any) -> None:
    example(page, "stones_color.png")
    choose(page, "sample", count=2, size="256x256")
    page.select_option("#f-engine", "hybrid")
    draw(page, LONG)
    page.select_option("#map", "sphere")
    page.wait_for_selector("canvas.lit[data-drawn]")
    shoot(page, "material")
    page.select_option("#map", "color")
    example(page, "harvest.jpg")


def test_a_training_to_its_end(page: Any) -> None:
    choose(page, "train", budget="45s")
    page.select_option("#f-engine", "sinddm")
    page.click("#go")
    page.wait_for_selector("#stage .samples img >> nth=2", timeout=LONG)
    shoot(page, "train")
    page.wait_for_selector("#stage >> text=Draw with this model", timeout=LONG)


def test_results_are_measured(page: Any) -> None:
    page.select_option("#task", "measure")
    for box in page.locator("#strip li:has-text('sample') .pick").all()[:4]:
        box.check()
    page.click("#go")
    page.wait_for_selector("#stage table td", timeout=LONG)
    with page.context.expect_page() as opened:
        page.click("#stage >> text=Open the report")
    opened.value.wait_for_selector("table")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_looked_at_on_a_phone(scheme: str, page: Any) -> None:
    page.set_viewport_size({"width": 400, "height": 820})
    page.emulate_media(color_scheme=scheme)
    choose(page, "sample")
    page.click("#strip .shot >> nth=-1")
    page.evaluate("() => scrollTo(0, 0)")
    shoot(page, f"400-{scheme}")
