"""A studio that is served, and a browser that looks at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from unica.errors import UnicaError
from unica.studio.launch import Running, start
from unica.viewer.library import openseadragon

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CLIP = Path(__file__).parent / "clip"
SHOTS = os.environ.get("UNICA_SCREENSHOTS")  # a folder, where the tour's screenshots go


@contextmanager
def studio(folder: Path, **settings: Any) -> Iterator[Running]:
    """A studio on a port that is free."""
    running = start(folder=folder, port=0, clips={"test-clip": CLIP}, **settings)
    try:
        assert running.studio.pool.wait_ready(120)
        yield running
    finally:
        running.close()


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: make browser installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield opened
        finally:
            opened.close()


def needs_openseadragon() -> None:
    """Skip where the program of the viewer's page is not here."""
    try:
        openseadragon(fetch=False)
    except UnicaError as error:
        pytest.skip(f"make viewer gets OpenSeadragon: {error}")


def shoot(page: Any, name: str) -> None:
    """A screenshot for the documentation, if they are wanted."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.jpg", type="jpeg", quality=80)
