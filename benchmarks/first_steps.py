"""The first steps of a new user, timed: from a clone to pictures, a mask filled in the studio, and a trained model.

    python benchmarks/first_steps.py [PHOTO]

Everything is new: the clone, the environment, the caches. It needs Chromium (`make browser`), and runs in the
environment of `make test`. A line is the time of a step, and the time since the clone began.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shlex import quote

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]


class Steps:
    """Runs commands in a new environment, and prints how long each took."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.began = folder, time.perf_counter()
        path = f"{folder / 'environment' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(folder / "cache")}
        print("| step | seconds | since the clone |\n| --- | --- | --- |")

    def run(self, command: str, cwd: str = "", shown: str = "") -> None:
        began = time.perf_counter()
        subprocess.run(
            ["bash", "-c", command], cwd=self.folder / cwd, env=self.environment, check=True, stdout=subprocess.DEVNULL
        )
        self.say(shown or f"`{command}`", began)

    def say(self, step: str, began: float) -> None:
        now = time.perf_counter()
        print(f"| {step} | {now - began:.1f} | {now - self.began:.1f} |", flush=True)

    def studio(self, photo: str) -> None:
        """Start it, load the photo, brush over a part of it, and wait for the result."""
        began = time.perf_counter()
        server = subprocess.Popen(
            ["unica", "studio", "--port", "0", photo], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            address = next(filter(None, (re.search(r"http://\S+", line) for line in server.stdout)))[0]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1360, "height": 860})
                page.goto(address)
                page.wait_for_selector("#stage .sheet img")
                self.say("`unica studio`, until its page shows the photo", began)
                began = time.perf_counter()
                page.select_option("#task", "inpaint")
                page.click("#tools >> text=Brush")
                box = page.locator("#stage .sheet").bounding_box()
                assert box is not None
                page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"])
                page.mouse.down()
                page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.65 * box["height"], steps=6)
                page.mouse.up()
                page.click("#go")
                page.wait_for_selector("#details .facts", timeout=600_000)
                self.say("there: a mask with the brush, until it is filled", began)
                browser.close()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?", default=ROOT / "examples" / "images" / "dandelions.png")
    photo = parser.parse_args().photo
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(photo, folder / photo.name)
        steps = Steps(folder)
        steps.run(f"git clone -q {quote(str(ROOT))} unica", shown="`git clone`")
        steps.run(f"{quote(sys.executable)} -m venv environment", shown="`python -m venv environment`")
        steps.run("pip install -q -c constraints.txt .", "unica")
        sample = f"unica sample {quote(photo.name)} -n 1"
        steps.run(sample, shown=f"`{sample}`, which compiles")
        steps.run(f"{sample} --seed 1")
        steps.run("pip install -q -c constraints.txt '.[studio]'", "unica")
        steps.studio(photo.name)
        steps.run(f"unica train {quote(photo.name)}")
        steps.run(f"unica sample {quote(photo.stem)}.unica")


if __name__ == "__main__":
    main()
