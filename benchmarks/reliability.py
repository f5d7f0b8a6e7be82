"""Kill unica at random moments, fill its disk, let it run for long: the table of docs/reliability.md.

    python benchmarks/reliability.py kills [--times 50]     SIGKILL during sample, bench and train; then a fresh run
    python benchmarks/reliability.py disk                   a full disk during each
    python benchmarks/reliability.py day [--pictures 1000]  memory of one process: pictures, and every task in turn

Each line is a row of the table. A fresh run after a kill must give the files that a run without one gives.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

import unica
from unica.declare import UNSET
from unica.tasks import tasks

PHOTO = Path(__file__).parents[1] / "examples" / "images" / "harvest.jpg"
COMMANDS = {
    "sample": ("sample", "photo.jpg", "-n", "6", "-o", "out", "-q"),
    "bench": ("bench", "images", "-n", "4", "-o", "out", "-q", "--weights", "none"),
    "train": ("train", "photo.jpg", "--steps", "60", "-o", "out/x.unica", "-q", "--no-preview"),
}
FULL = 30_000  # bytes of a file: smaller than a picture, larger than a note


def place(folder: Path) -> Path:
    """A folder with what the commands read."""
    (folder / "images").mkdir(parents=True)
    (folder / "none").mkdir()
    for name in ("photo.jpg", "images/photo.jpg"):
        shutil.copy(PHOTO, folder / name)
    return folder


def started(words: tuple[str, ...], folder: Path, largest: int | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own; with `largest`, files cannot grow beyond so many bytes."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    line = [sys.executable, "-m", "unica", *words]
    return subprocess.Popen(
        line, cwd=folder, preexec_fn=limit, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finished(words: tuple[str, ...], folder: Path) -> float:
    """Run the command to its end; return its seconds. A training that was begun is gone on with."""
    more = ("--resume",) if (folder / "out" / "x.unica.training").exists() else ()
    began = time.perf_counter()
    process = started((*words, *more), folder)
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: {said}")
    return time.perf_counter() - began


def made(folder: Path) -> dict[str, str]:
    """What a run left: a digest of each picture, and of each model's weights. Notes hold times, which differ."""
    found = {}
    for path in sorted((folder / "out").rglob("*")):
        if path.suffix == ".unica":
            weights = sorted(load_file(path).items())
            found[str(path.relative_to(folder))] = sha256(b"".join(w.numpy().tobytes() for _, w in weights)).hexdigest()
        elif path.is_file():
            data = path.read_bytes() if path.suffix == ".png" else b""
            found[str(path.relative_to(folder))] = sha256(data).hexdigest()
    return found


def kills(times: int) -> None:
    chance = random.Random(0)
    for name, words in COMMANDS.items():
        with tempfile.TemporaryDirectory() as parent:
            whole = place(Path(parent) / "whole")
            seconds = finished(words, whole)
            wanted, same, halves = made(whole), 0, 0
            for number in range(times):
                folder = place(Path(parent) / str(number))
                process = started(words, folder)
                time.sleep(chance.uniform(0, seconds))
                process.kill()
                process.communicate()
                halves += len(list((folder / "out").rglob(".*"))) if (folder / "out").exists() else 0
                finished(words, folder)
                same += made(folder) == wanted
                shutil.rmtree(folder)
        print(
            f"| SIGKILL during `{name}` | {times} | {same} fresh runs gave the same files | {halves} leftovers |",
            flush=True,
        )


def disk() -> None:
    for name, words in COMMANDS.items():
        with tempfile.TemporaryDirectory() as parent:
            folder = place(Path(parent) / "full")
            process = started(words, folder, FULL)
            _, said = process.communicate()
            left = [path.name for path in (folder / "out").rglob("*") if path.is_file()]
            finished(words, folder)
        print(
            f"| a full disk during `{name}` | exit {process.returncode} | {said.strip()} | left: {left} |", flush=True
        )


def day(pictures: int) -> None:
    """Resident memory after a warm-up, and at the end."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from conftest import scenery
    from task_arguments import ARGUMENTS

    from unica.image import to_pil

    model = unica.open(to_pil(scenery()))
    every: list[Callable[[int], Any]] = [lambda seed: unica.sample(model, seed=seed)]
    for declared in tasks().values():
        needed = {p.name for p in declared.parameters if p.default is UNSET}
        if declared.group is not None and declared.name != "text" and needed <= set(ARGUMENTS.get(declared.name, {})):
            every.append(lambda seed, name=declared.name: getattr(unica, name)(model, **ARGUMENTS[name], seed=seed))
    sizes = []
    for number in range(pictures):
        every[number % len(every)](number)
        if number % max(pictures // 20, 1) == 0:
            sizes.append(resident())
    warm, last = sizes[len(sizes) // 4], sizes[-1]
    memory = f"{warm:.0f} MB after a quarter, {last:.0f} MB at the end"
    print(f"| {pictures} runs of {len(every)} tasks in one process | {memory} |")


def resident() -> float:
    """Memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("kills", "disk", "day"))
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=1000)
    args = parser.parse_args()
    if args.what == "kills":
        kills(args.times)
    elif args.what == "disk":
        disk()
    else:
        day(args.pictures)


if __name__ == "__main__":
    main()
