"""How a loop moves: the table of docs/benchmarks.md.

    python benchmarks/motion.py IMAGES [--engine NAME] [--strength S] [--frames N]

For each of the first ten images of a folder: how far things move from one picture of the loop to the next (in pixels,
by least squares in blocks of 16, B. Lucas and T. Kanade 1981), how even that is over time (its largest mean over its
smallest), the difference of the worst pair of neighbours as a multiple of the median pair's (the last and the first
are neighbours), and how sharp the pictures are beside the source.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import fmean

import torch
from torch.nn.functional import avg_pool2d

import unica
from unica.evaluation.bench import find_images
from unica.metrics import sharpness

BLOCK = 16
IMAGES = 10


def flow(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """How far each block moves from one picture to another, where it has enough texture to tell."""
    mean = (a + b) / 2
    down, right = (torch.gradient(mean, dim=axis)[0] for axis in (1, 2))
    change = b - a
    sums = [
        avg_pool2d(product.sum(0)[None], BLOCK)
        for product in (right * right, down * down, right * down, right * change, down * change)
    ]
    xx, yy, xy, xt, yt = torch.cat(sums)
    determinant = xx * yy - xy * xy
    clear = determinant > 0.05 * determinant.mean()
    across, along = (xy * yt - yy * xt)[clear], (xy * xt - xx * yt)[clear]
    return torch.stack([across, along]).norm(dim=0) / determinant[clear]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path)
    parser.add_argument("--engine", default="instant")
    parser.add_argument("--strength", type=float)
    parser.add_argument("--frames", type=int, default=24)
    given = parser.parse_args()
    words = {} if given.strength is None else {"strength": given.strength}
    print("| image | pixels a picture | most over least | worst pair | sharpness | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    rows = []
    for image in find_images(given.images)[:IMAGES]:
        model = unica.open(image, engine=given.engine)
        began = time.perf_counter()
        pixels = unica.animate(model, frames=given.frames, output="pt", **words)[:, :3] * 2 - 1
        seconds = time.perf_counter() - began
        pairs = list(zip(pixels, pixels.roll(-1, 0)))
        moved = [flow(a, b).mean().item() for a, b in pairs]
        steps = torch.stack([(a - b).abs().mean() for a, b in pairs])
        sharp = fmean(sharpness(one[None], model.picture.pixels[None]) for one in pixels)
        rows.append(
            (fmean(moved), max(moved) / max(min(moved), 1e-9), (steps.max() / steps.median()).item(), sharp, seconds)
        )
        print(f"| {image.stem} | " + " | ".join(f"{value:.2f}" for value in rows[-1]) + " |", flush=True)
    print(f"| mean of {len(rows)} | " + " | ".join(f"{fmean(column):.2f}" for column in zip(*rows)) + " |")


if __name__ == "__main__":
    main()
