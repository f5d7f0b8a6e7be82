"""Score samples of the benchmark images and print the table that the docs quote.

    python benchmarks/quality.py --images DIR --weights DIR [--count 8] [--patches 3000] [--json FILE] [--save DIR]
    python benchmarks/quality.py --images DIR --weights DIR --samples DIR ...

For every IMAGE.png in --images, the default engine draws --count pictures (seeds 0, 1, ...) with its default settings.
With --samples, the pictures SAMPLES/IMAGE/*.png are scored instead; those of one image must have one size. The table
has patch distances by two definitions, because papers differ: the root of the mean square over all patches, and (with
"mean") the mean over patches of the RMSE of each.

Eight samples of 248x186 take 3 to 5 s on two cores with --patches 3000. If other programs use the cores, set
OMP_WAIT_POLICY=passive; otherwise waiting threads spin, and the run can take ten times as long.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor, nn

import unica
from unica.image import save_png
from unica.metrics import (
    InceptionStem,
    Lpips,
    frechet_distance,
    frechet_features,
    mean_patch_distance,
    patch_distance,
    pixel_diversity,
    sharpness,
)

Scores = dict[str, float]
Sampler = Callable[[Path], Tensor]  # from an image's path to its samples, "b c h w" in [-1, 1]


class Mark(NamedTuple):
    """The range that a score should reach."""

    low: float = -math.inf
    high: float = math.inf

    def reached(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f">= {self.low:g}"
        return f"<= {self.high:g}" if self.low == -math.inf else f"{self.low:g}..{self.high:g}"


MARKS = {
    "lpips": Mark(low=0.44),
    "pixel_diversity": Mark(low=0.50),
    "faithfulness": Mark(high=0.045),
    "faithfulness_mean": Mark(high=0.045),
    "coverage": Mark(high=0.08),
    "coverage_mean": Mark(high=0.08),
    "sharpness": Mark(0.92, 1.08),
    "frechet": Mark(high=2.5),
}


def score(source: Tensor, samples: Tensor, lpips: Lpips, stem: nn.Module, limit: int | None = None) -> Scores:
    """All scores of `samples` ("b c h w") of one `source` ("1 c h w"). Scores of single samples are averaged.

    `limit` is the number of patches of each sample and scale that are compared; None compares all.
    """
    reference = frechet_features(source, stem)
    outputs = samples.split(1)
    return {
        "lpips": lpips.mean_pairwise(outputs),
        "pixel_diversity": pixel_diversity(outputs, source),
        "faithfulness": fmean(patch_distance(output, source, limit=limit) for output in outputs),
        "faithfulness_mean": fmean(mean_patch_distance(output, source, limit=limit) for output in outputs),
        "coverage": fmean(patch_distance(source, output, limit=limit) for output in outputs),
        "coverage_mean": fmean(mean_patch_distance(source, output, limit=limit) for output in outputs),
        "sharpness": fmean(sharpness(output, source) for output in outputs),
        "frechet": fmean(frechet_distance(*frechet_features(output, stem), *reference) for output in outputs),
    }


def mean_scores(rows: Mapping[str, Scores]) -> Scores:
    return {name: fmean(row[name] for row in rows.values()) for name in MARKS}


def table(rows: Mapping[str, Scores]) -> Table:
    """A row for each image, then their mean, then the ranges to reach."""
    result = Table("image", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in MARKS:
        result.add_column(name.replace("_", "\n"), justify="right")
    for image, scores in rows.items():
        result.add_row(image, *_cells(scores))
    result.add_section()
    result.add_row("mean", *_cells(mean_scores(rows)), style="bold")
    result.add_row("to reach", *map(str, MARKS.values()), style="dim")
    return result


def _cells(scores: Scores) -> list[Text]:
    return [
        Text(f"{scores[name]:.3f}", "green" if mark.reached(scores[name]) else "red") for name, mark in MARKS.items()
    ]


def read_image(path: Path) -> Tensor:
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def read_samples(directory: Path, image: Path) -> Tensor:
    paths = sorted((directory / image.stem).glob("*.png"))
    if len(paths) < 2:
        raise SystemExit(f"{directory / image.stem} needs two samples or more (*.png)")
    samples = [read_image(path) for path in paths]
    if len({sample.shape for sample in samples}) > 1:
        raise SystemExit(f"the samples in {directory / image.stem} are not all of one size")
    return torch.cat(samples)


def draw_samples(count: int, keep: Path | None, image: Path) -> Tensor:
    pictures = unica.sample(unica.open(Image.open(image).convert("RGB")), count=count)
    for seed, picture in enumerate(pictures):
        if keep is not None:
            save_png(picture, keep / image.stem / f"{seed}.png")
    return torch.stack([torch.from_numpy(np.array(p)).permute(2, 0, 1) for p in pictures]).float() / 127.5 - 1


def evaluate(images: list[Path], sampler: Sampler, weights: Path, limit: int | None) -> dict[str, Scores]:
    lpips = Lpips.load(weights / "lpips_alex_v0.1.pt")
    stem = InceptionStem.load(weights / "inception_stem_relative.pt")
    return {path.stem: score(read_image(path), sampler(path), lpips, stem, limit) for path in images}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of source images (*.png)")
    parser.add_argument("--weights", type=Path, required=True, help="folder of the feature weights")
    parser.add_argument("--samples", type=Path, help="score the pictures here instead; a folder for each image")
    parser.add_argument("--count", type=int, default=8, help="how many pictures to draw from each image")
    parser.add_argument("--save", type=Path, help="save the pictures in this folder")
    parser.add_argument("--patches", type=int, help="patches to compare, of each sample and scale (default: all)")
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    images = sorted(args.images.glob("*.png"))
    if not images:
        raise SystemExit(f"no *.png in {args.images}")
    drawer = partial(draw_samples, args.count, args.save)
    sampler = partial(read_samples, args.samples) if args.samples else drawer
    rows = evaluate(images, sampler, args.weights, args.patches)
    Console(width=112).print(table(rows))  # a narrower one cuts the numbers
    if args.json:
        args.json.write_text(json.dumps({"images": rows, "mean": mean_scores(rows)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
