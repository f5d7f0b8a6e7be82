"""Steps over the border of what is kept: the table of docs/benchmarks.md.

    python benchmarks/borders.py IMAGES [--engine NAME] [--out DIR]
    python benchmarks/borders.py MODEL.unica ... [--out DIR]

Each of the first ten images of a folder is extended by a quarter on two sides, and a model's picture on all four; a
model draws with its network (--detail network). A step is the mean difference of two rows (or columns) that lie side by
side: over the border, and for each of the four neighbours on both sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import torch

import unica
from unica.engines.base import Model
from unica.evaluation.bench import find_images
from unica.image import save_png, to_pil

SIDES = ("right", "down", "left", "up")
NEAR = 4
IMAGES = 10


def steps(pixels: torch.Tensor, side: str, added: int) -> tuple[float, float]:
    """The step over the border and the mean of its neighbours, in gray levels."""
    axis = -1 if side in ("left", "right") else -2
    length = pixels.shape[axis]
    border = added if side in ("left", "up") else length - added  # the first row or column beyond the border
    each = pixels.mul(255).diff(dim=axis).abs().mean(dim=(0, -2 if axis == -1 else -1))
    around = [each[border - 1 + k].item() for k in range(-NEAR, NEAR + 1) if k != 0]
    return each[border - 1].item(), fmean(around)


def measured(model: Model, side: str, seed: int, out: Path | None) -> float:
    """The step over the border as a multiple of those beside it; a line of the table says more."""
    added = model.picture.size[0 if side in ("left", "right") else 1] // 4
    (drawn,) = model.outpaint(**{side: added}, seed=seed, output="pt")
    over, near = steps(drawn[:3], side, added)
    name = model.picture.name
    print(f"| {model.engine} | {name} | {side} | {over:.1f} | {near:.1f} | {over / near:.2f} |", flush=True)
    if out is not None:
        save_png(to_pil(drawn[:3] * 2 - 1), out / f"{model.engine}-{name}-{side}.png")
    return over / near


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path, nargs="+")
    parser.add_argument("--engine", default="instant")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
    print("| engine | image | side | over the border | beside it | ratio |\n| --- | --- | --- | --- | --- | --- |")
    ratios = []
    for source in given.source:
        if source.suffix == ".unica":
            model = unica.load(source, detail="network")
            ratios += [measured(model, side, 1, given.out) for side in SIDES]
            continue
        for number, image in enumerate(find_images(source)[:IMAGES]):
            model = unica.open(image, engine=given.engine, max_side=250)
            ratios += [measured(model, SIDES[(number + turn) % 4], turn, given.out) for turn in (0, 1)]
    print(f"| mean of {len(ratios)} | | | | | {fmean(ratios):.2f} |")


if __name__ == "__main__":
    main()
