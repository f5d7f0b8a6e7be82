"""Run what the README and the other pages tell users to type, in a new environment: `make pages`.

    python docs/run_commands.py [PAGE ...]

Each page gets a folder with the files that it names, and the commands and programs of its code blocks run there in
their order. Commands that install run in a copy of the repository. Servers are started, asked for their page, and
stopped. What needs a network, a GPU or other machines is skipped, and what would take hours is made shorter; both are
listed at the end with the reason. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
CLIP = ROOT / "tests" / "clip"  # a tiny CLIP, in place of one that would be downloaded
SKIPPED = {
    r"^make (test|test-slow|browser)\b": "is what continuous integration runs",
    r"--ray|s3://": "needs other machines",
    r"--device cuda|\"cuda\"": "needs a GPU",
    r"^unica push|push_to_hub|you/photo": "needs a network",
    r"^unica import": "needs a checkpoint of the authors",
    r"^@task\(": "is not a whole program",
}
SHORTER = {  # what is written, and what runs instead
    r"--budget 1h": "--budget 40s",
    r"--budget \d+m": "--budget 20s",
    r'budget="\d+m"': 'budget="20s"',
    r"-n (20|50|1000)\b": "-n 2",
    r"^(unica bench photos/ --.*)$": r"\1 -n 2",
    r"--size 32768x32768": "--size 1600x1600",
    r"--size 20000x(\d\d)\d\d\d?": r"--size 1600x\g<1>0",
    r"'unica\[(\w+)\]'": r"-c constraints.txt '.[\1]'",
    r"^(unica text .*)$": rf"\1 --clip {CLIP} --views 2 -n 1",
    r'clip="openai/[^"]*"': f'clip="{CLIP}"',
    r"(model\.text\(\[.*)\)  #": rf'\1, clip="{CLIP}")  #',
}
BEFORE = {  # what a page takes for granted
    "docs/evaluation.md": ["unica sample photo.jpg", "unica bench photos -n 1 -o older-results"],
    "docs/large.md": ["pip install -c constraints.txt '.[large]'"],
    "docs/maps.md": ["pip install -c constraints.txt '.[maps]'"],
    "docs/python.md": ["pip install -c constraints.txt '.[text]'"],
    "docs/text.md": ["pip install -c constraints.txt '.[text]'", "unica train photo.jpg --engine sinddm --steps 20"],
    "docs/viewing.md": [
        "make viewer",
        "unica train photo.jpg --steps 20",
        "unica sample photo.jpg --size 1100x600 -o out.zarr",
    ],
}
NAMES = {  # what the programs of a page take for granted
    "docs/python.md": "import multiprocessing, torch\nlevel, t, x = 0, 5, torch.randn(1, 3, 24, 36)",
    "docs/text.md": "import unica\nmodel = unica.open('photo.jpg')\nscore = lambda pictures: pictures.mean((1, 2, 3))",
    "docs/training.md": "import unica\nmodel = unica.load('photo.unica')",
    "docs/large.md": "import unica\nmodel = unica.open('photo.jpg')",
    "docs/extending.md": "from typing import Annotated",
}
SERVED = {"docs/studio.md": "unica studio --port 7860"}  # what runs beside the programs of a page
PROGRAM = """
import json, sys, traceback
names = {"__name__": "page"}
exec(sys.argv[1], names)
for line in sys.stdin:
    try:
        exec(json.loads(line), names)
        print("\\nran", flush=True)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        print("\\nfailed", flush=True)
"""


@dataclass(frozen=True)
class Piece:
    """A command of a page, or a program."""

    page: str
    text: str
    python: bool
    outcome: str = ""  # ran, shorter, skipped, failed
    why: str = ""
    seconds: float = 0.0


def pieces(page: str) -> Iterator[Piece]:
    text = (ROOT / page).read_text()
    for found in re.finditer(r"(?ms)^```(sh|bash|python)\n(.*?)^```$", text):
        if found[1] == "python":
            yield Piece(page, found[2], True)
        else:
            for line in found[2].splitlines():
                command = re.sub(r"\s{2,}# .*", "", line).strip()
                yield Piece(page, command, False)


class Place:
    """A folder to work in, a new environment, and a copy of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clone = folder, folder / "clone"
        bin = folder / "environment" / "bin"
        subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
        subprocess.run(["git", "clone", "-q", ROOT, self.clone], check=True)
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        self.environment = kept | {
            "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}", "XDG_CACHE_HOME": str(folder / "cache"),
            "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        self.shell("pip install -q -c constraints.txt .", self.clone)

    def shell(self, command: str, cwd: Path) -> None:
        done = subprocess.run(
            ["bash", "-c", command], cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=1200
        )
        if done.returncode:
            raise Failed((done.stdout + done.stderr)[-2000:])

    def start(self, command: str, cwd: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            shlex.split(command), cwd=cwd, env=self.environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


class Failed(Exception):
    pass


@contextmanager
def served(place: Place, command: str, cwd: Path) -> Iterator[None]:
    """A server that has answered once, and that must end well when it is stopped."""
    server = place.start(command, cwd)
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        address = re.search(r"http://[\w.:]+\S*", line)
        if address:
            with urllib.request.urlopen(address[0], timeout=60) as answer:
                assert b"<html" in answer.read(10**6).lower()
            break
    else:
        raise Failed(said[-2000:])
    try:
        yield
    finally:
        server.send_signal(signal.SIGINT)
        if server.wait(60) not in (0, 128 + signal.SIGINT):
            raise Failed(f"{said}it ended with {server.returncode}")


def inputs(folder: Path) -> None:
    """The files that pages name."""
    images, maps = ROOT / "examples" / "images", ROOT / "examples" / "maps"
    opened = {name: Image.open(next(images.glob(f"{name}.*"))) for name in ("harvest", "dandelions", "gravel")}
    photo, river, gravel = (image.convert("RGB").resize((256, 176)) for image in opened.values())
    for name in (
        "photo.jpg",
        "x.png",
        "photos/lake.png",
        "images/one.png",
        "a.png",
        "pasted.png",
        "singan-out/lake/0.png",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(folder / name)
    for name in ("river.jpg", "b.png"):
        river.save(folder / name)
    (folder / "textures").mkdir()
    for side in range(2):
        gravel.crop((0, 88 * side, 88, 88 * side + 88)).save(folder / "textures" / f"{side}.png")
    mask = Image.new("L", photo.size)
    mask.paste(255, (40, 20, 104, 84))
    mask.save(folder / "mask.png")
    (folder / "masks").mkdir()
    shutil.copy(folder / "mask.png", folder / "masks" / "one.png")
    shutil.copytree(maps / "stones", folder / "stones")
    for kind, name in {"color": "albedo.png", "normal": "normal.png"}.items():
        shutil.copy(maps / "stones" / f"stones_{kind}.png", folder / name)


def program_of_maps() -> str:
    """Files that need the extra `maps` to be written."""
    return (
        "import numpy as np, tifffile, OpenEXR; from PIL import Image\n"
        "height = np.asarray(Image.open('stones/stones_height.png')).astype('f4') / 65535\n"
        "for name in ('h.exr', 'height.exr'):\n"
        "    OpenEXR.File({'compression': OpenEXR.ZIP_COMPRESSION}, {'Y': height}).write(name)\n"
        "cells = np.asarray(Image.open('photo.jpg').convert('L'))\n"
        "tifffile.imwrite('cells.tif', cells); Image.open('mask.png').save('t.png')\n"
        "tifffile.imwrite('scan.tif', np.stack([cells] * 5), photometric='minisblack')\n"
    )


def run_page(page: str, place: Place) -> Iterator[Piece]:
    folder = place.folder / page.replace("/", "-")
    folder.mkdir()
    inputs(folder)
    for command in BEFORE.get(page, []):
        run_command(command, folder, place)
    if page == "docs/maps.md":
        place.shell(f"python -c {shlex.quote(program_of_maps())}", folder)
    found = list(pieces(page))
    for piece in found:
        if not piece.python:
            yield finished(piece, lambda text: run_command(text, folder, place))
    programs = [piece for piece in found if piece.python]
    if programs:
        yield from run_programs(page, programs, folder, place)


def run_programs(page: str, programs: list[Piece], folder: Path, place: Place) -> Iterator[Piece]:
    """The programs of a page share their names, as on a reader's screen."""
    if page in SERVED:
        with served(place, SERVED[page], folder):
            yield from run_programs("", programs, folder, place)
        return
    running = place.start(f"python -c {shlex.quote(PROGRAM)} {shlex.quote(NAMES.get(page, ''))}", folder)

    def run(text: str) -> None:
        if "__main__" in text:  # its processes import it
            (folder / "program.py").write_text(f"import multiprocessing\nimport unica\n\n{text}")
            return place.shell("python program.py", folder)
        assert running.stdin is not None and running.stdout is not None
        running.stdin.write(json.dumps(text) + "\n")
        running.stdin.flush()
        said = ""
        for line in running.stdout:
            if line == "ran\n":
                return None
            if line == "failed\n":
                break
            said += line
        raise Failed(said[-2000:])

    for piece in programs:
        yield finished(piece, run)
    assert running.stdin is not None
    running.stdin.close()
    running.wait(60)


def run_command(command: str, folder: Path, place: Place) -> None:
    if command.startswith(("make ", "pip install")):
        place.shell(command, place.clone)
    elif command.startswith("unica studio"):
        with served(place, command.replace(" --open", "") + " --port 0", folder):
            pass
    elif command.startswith("unica view"):
        with served(place, f"{command} --no-open", folder):
            pass
    else:
        place.shell(command, folder)


def finished(piece: Piece, run) -> Piece:
    """The piece with what came of it."""
    for pattern, why in SKIPPED.items():
        if re.search(pattern, piece.text):
            return replace(piece, outcome="skipped", why=why)
    text = piece.text
    for pattern, other in SHORTER.items():
        text = re.sub(pattern, other, text, flags=re.MULTILINE)
    began = time.perf_counter()
    try:
        run(text)
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        return replace(piece, outcome="failed", why=str(error), seconds=time.perf_counter() - began)
    outcome, why = ("ran", "") if text == piece.text else ("shorter", text)
    return replace(piece, outcome=outcome, why=why, seconds=time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", default=PAGES, metavar="PAGE")
    chosen = parser.parse_args().pages
    done: list[Piece] = []
    with tempfile.TemporaryDirectory() as temporary:
        place = Place(Path(temporary))
        for page in chosen:
            for piece in run_page(page, place):
                print(f"{piece.outcome:8} {piece.seconds:6.1f} s  {page}: {piece.text.splitlines()[0]}", flush=True)
                if piece.outcome == "failed":
                    print(piece.why, flush=True)
                done.append(piece)
    print("\n| page | ran | made shorter | skipped | failed | seconds |\n| --- | --- | --- | --- | --- | --- |")
    for page in dict.fromkeys(piece.page for piece in done):
        of_page = [piece for piece in done if piece.page == page]
        counts = Counter(piece.outcome for piece in of_page)
        numbers = [counts[outcome] for outcome in ("ran", "shorter", "skipped", "failed")]
        print(f"| {page} | {' | '.join(map(str, numbers))} | {sum(piece.seconds for piece in of_page):.0f} |")
    for outcome in ("skipped", "shorter"):
        print(f"\n{outcome}:")
        for piece in done:
            if piece.outcome == outcome:
                print(f"- {piece.page}: `{piece.text.splitlines()[0]}`: {piece.why.splitlines()[0]}")
    return int(any(piece.outcome == "failed" for piece in done))


if __name__ == "__main__":
    sys.exit(main())
