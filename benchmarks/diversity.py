"""An engine's pictures at several diversities: how they differ, and how well they hold together.

    OMP_WAIT_POLICY=passive python benchmarks/diversity.py IMAGES --weights FOLDER --engine NAME --diversity D... -o DIR

Each row has --count pictures (seeds 0, 1, ...) of each image. Finished pictures and scores are kept in -o.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from peers import table

import unica
from unica.evaluation import load_networks
from unica.evaluation.bench import Benchmark, Method, find_images, run
from unica.image import save_png


def drawn(engine: str, diversity: float, images: Sequence[Path], count: int, output: Path) -> Method:
    """Pictures of each image, as a method that the benchmark can measure."""
    method = Method(f"{engine} at {diversity:g}", output / engine / f"{diversity:g}")
    for image in images:
        folder = output / engine / f"{diversity:g}" / image.stem
        paths = {seed: folder / f"{seed}.png" for seed in range(count)}
        missing = [seed for seed, path in paths.items() if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        model = unica.open(image, engine, diversity=diversity) if missing else None
        for seed in missing:
            save_png(unica.sample(model, seed=seed)[0], paths[seed])
    return method


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--engine", default="hybrid")
    parser.add_argument("--diversity", type=float, nargs="+", required=True)
    parser.add_argument("-n", "--count", type=int, default=4)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    images = find_images(args.images)
    methods = [drawn(args.engine, diversity, images, args.count, args.output) for diversity in args.diversity]
    rows = run(Benchmark(images, methods, args.count, args.output / "scores"), load_networks(args.weights))
    print(table(rows))


if __name__ == "__main__":
    main()
