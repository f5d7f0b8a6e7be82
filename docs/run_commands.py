"""Run what the README and the other pages tell users to type, in a new environment: `make pages`.

    python docs/run_commands.py [PAGE ...]

The pages and the code are those of the last commit. Each page gets a folder with the files that it names, and the
commands and programs of its code blocks run there in their order. Commands that install run in a copy of the
repository. Servers are started, asked for their page, and stopped. What needs a network, a GPU or other machines is
skipped, and what would take hours is made shorter; both are listed at the end with the reason. The exit code is 1 if
anything failed.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from new_place import ROOT, Failed, Place, served
from PIL import Image

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
CLIP = ROOT / "tests" / "clip"  # a tiny CLIP, in place of one that would be downloaded
SKIPPED = {
    r"^make (test|test-slow|browser|pages)\b": "is run by itself",
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
    r"size=\(100_000, 100_000\)": "size=(4_000, 4_000)",
    r"\[40_000:40_512, 70_000:70_512\]": "[1_000:1_200, 3_000:3_200]",
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
    "docs/large.md": ["make viewer", "pip install -c constraints.txt '.[large]'"],
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
    python: bool = False
    outcome: str = ""  # ran, shorter, skipped, failed
    why: str = ""
    seconds: float = 0.0

    @property
    def title(self) -> str:
        return self.text.splitlines()[0]


def pieces(page: str, text: str) -> Iterator[Piece]:
    for found in re.finditer(r"(?ms)^```(sh|bash|python)\n(.*?)^```$", text):
        if found[1] == "python":
            yield Piece(page, found[2], True)
        else:
            for line in found[2].replace("\\\n", " ").splitlines():
                command = re.sub(r"\s{2,}# .*", "", line).strip()
                if command:
                    yield Piece(page, command)


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
    found = list(pieces(page, (place.clone / page).read_text()))
    try:
        for command in BEFORE.get(page, []):
            run_command(command, folder, place)
        if page == "docs/maps.md":
            place.shell(f"python -c {shlex.quote(program_of_maps())}", folder)
    except Failed as error:
        yield Piece(page, "what the page takes for granted", outcome="failed", why=str(error))
        return
    for piece in found:
        if not piece.python:
            yield finished(piece, lambda text: run_command(text, folder, place))
    programs = [piece for piece in found if piece.python]
    if programs:
        yield from run_programs(page, programs, folder, place)


def run_programs(page: str, programs: list[Piece], folder: Path, place: Place) -> Iterator[Piece]:
    """The programs of a page share their names, as on a reader's screen."""

    def run(text: str) -> None:
        if "__main__" in text:  # its processes import it
            (folder / "program.py").write_text(f"import multiprocessing\nimport unica\n\n{text}")
            place.shell("python program.py", folder)
        else:
            reader.tell(json.dumps(text))
            outcome, said = reader.until(r"^(ran|failed)$")
            if outcome == "failed":
                raise Failed(said[-2000:])

    reader = place.start(["python", "-c", PROGRAM, NAMES.get(page, "")], folder)
    try:
        with served(place, SERVED[page], folder) if page in SERVED else nullcontext():
            for piece in programs:
                yield finished(piece, run)
    except Failed as error:
        yield Piece(page, SERVED[page], outcome="failed", why=str(error))
    finally:
        reader.stop()


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


def finished(piece: Piece, run: Callable[[str], None]) -> Piece:
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
    except (Failed, OSError) as error:
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
                print(f"{piece.outcome:8} {piece.seconds:6.1f} s  {page}: {piece.title}", flush=True)
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
                print(f"- {piece.page}: `{piece.title}`: {piece.why.splitlines()[0]}")
    return int(any(piece.outcome == "failed" for piece in done))


if __name__ == "__main__":
    sys.exit(main())
