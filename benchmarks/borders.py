"""Steps over the border of what is kept: the table of docs/benchmarks.md.

    python benchmarks/borders.py FOLDER [--engine NAME ...] [--sides 2] [--out DIR]

Each picture is extended on one side after the other by a quarter of its length. A step is the mean difference of two
rows (or columns) that lie side by side: over the border, and for each of the four neighbours on both sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import torch

import unica
from unica.image import SUFFIXES, save_png, to_pil

SIDES = ("right", "down", "left", "up")
NEAR = 4


def steps(pixels: torch.Tensor, side: str, added: int) -> tuple[float, float]:
    """The step over the border and the mean of its neighbours, in gray levels."""
    axis = -1 if side in ("left", "right") else -2
    length = pixels.shape[axis]
    border = added if side in ("left", "up") else length - added  # the first row or column beyond the border
    each = pixels.mul(255).diff(dim=axis).abs().mean(dim=(0, -2 if axis == -1 else -1))
    around = [each[border - 1 + k].item() for k in range(-NEAR, NEAR + 1) if k != 0]
    return each[border - 1].item(), fmean(around)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", action="append")
    parser.add_argument("--sides", type=int, default=2)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    images = sorted(path for path in given.folder.iterdir() if path.suffix in SUFFIXES)[: given.images]
    print("| engine | image | side | over the border | neighbours | ratio |\n| --- | --- | --- | --- | --- | --- |")
    for engine in given.engine or ["instant"]:
        ratios = []
        for number, image in enumerate(images):
            model = unica.open(image, engine=engine, max_side=250)
            for turn in range(given.sides):
                side = SIDES[(number + turn) % 4]
                length = model.picture.size[0 if side in ("left", "right") else 1]
                (drawn,) = model.outpaint(**{side: length // 4}, seed=turn, output="pt")
                over, near = steps(drawn[:3], side, length // 4)
                ratios.append(over / near)
                print(f"| {engine} | {image.stem} | {side} | {over:.1f} | {near:.1f} | {ratios[-1]:.2f} |", flush=True)
                if given.out is not None:
                    given.out.mkdir(parents=True, exist_ok=True)
                    save_png(to_pil(drawn[:3] * 2 - 1), given.out / f"{image.stem}-{side}.png")
        print(f"| {engine} | mean of {len(ratios)} | | | | {fmean(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
