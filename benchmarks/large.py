"""Large canvases: seconds a megapixel, memory, steps at tile borders, and how evenly the source is used.

    python benchmarks/large.py PICTURE --engine hybrid --sides 2048 4096 8192 16384 -o large/

Each size is a command of its own. Use is measured at places that are evenly spaced over the canvas.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

import unica
from unica.metrics import repetition
from unica.tasks.large import LargeCanvas
from unica.tiled.base import TiledPicture
from unica.tiled.formats import open_tiled
from unica.window import Window

PLACES, SIDE = 8, 256  # squares along each axis at which use is measured, and their side


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("picture")
    parser.add_argument("--engine", default="hybrid")
    parser.add_argument("--sides", type=int, nargs="+", default=[2048, 4096, 8192, 16384])
    parser.add_argument("--ending", default=".zarr")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path("large"))
    asked = parser.parse_args()
    model = unica.open(asked.picture, engine=asked.engine)  # also learns what the engine keeps for later
    width, height = model.picture.size
    small = np.mean([use(unica.canvas(model, (width, height), seed)) for seed in range(4)])
    print(f"{asked.picture}, {width}x{height}, {asked.engine}: repetition at its own size {small:.2f}", flush=True)
    for side in asked.sides:
        path = asked.output / f"{asked.engine}-{side}{asked.ending}"
        began = time.perf_counter()
        command = [
            sys.executable, "-m", "unica", "sample", asked.picture, "--engine", asked.engine,
            "--size", f"{side}x{side}", "-o", str(path), "--json", "--quiet", "--yes", "--overwrite",
            "--workers", str(asked.workers),
        ]  # fmt: skip
        report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        seconds, pixels = time.perf_counter() - began, side * side / 1e6
        large = use(unica.canvas(model, (side, side)))
        print(
            f"{side:6} {pixels:7.0f} megapixels  {seconds:7.0f} s  {seconds / pixels:5.2f} s a megapixel"
            f" ({report['seconds'] / pixels:.2f} without Python's start)  {report['peak_memory_mb']:6.0f} MB"
            f"  border {border(open_tiled(path)):.3f}  repetition {large:.2f} ({large / small:.2f} times)",
            flush=True,
        )


def use(canvas: LargeCanvas) -> float:
    """The repetition of a canvas, at places that are evenly spaced."""
    height, width = canvas.shape[:2]
    source = canvas.model.picture.pixels.shape[-2:]
    found = []
    for top in places(height):
        for left in places(width):
            window = Window(top, left, min(SIDE, height), min(SIDE, width))
            _, origins, drawn = canvas.part(len(canvas.run) - 1, window)
            assert origins is not None
            found.append(window.of(origins.movedim(-1, 0), drawn).flatten(1).T)
    return repetition(torch.cat(found)[None], (source[0], source[1]))


def places(length: int) -> list[int]:
    count = min(PLACES, max(length // SIDE, 1))
    return [round((n + 0.5) * length / count - min(SIDE, length) / 2) for n in range(count)]


def border(picture: TiledPicture) -> float:
    """The mean step over the borders of tiles, as a multiple of the mean step just beside them."""
    rows, columns = picture.tiling.grid(0)
    over, beside = [], []
    for row in range(0, rows, max(rows // 8, 1)):
        for column in range(max(columns - 1, 0)):
            left, right = (picture.read(0, row, at).astype(np.float32) for at in (column, column + 1))
            if right.shape[1] < 3:
                continue
            strip = np.concatenate([left[:, -3:], right[:, :3]], 1)
            steps = np.abs(np.diff(strip, axis=1)).mean((0, 2))
            over.append(steps[2])
            beside.append((steps[1] + steps[3]) / 2)
    return float(np.mean(over) / np.mean(beside)) if over else float("nan")


if __name__ == "__main__":
    main()
