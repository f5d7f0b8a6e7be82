"""Score the published pictures of other methods beside those of engines, and print the table of docs/benchmarks.md.

    python benchmarks/peers.py --peers FOLDER --weights FOLDER --engine NAME... -o DIR

--peers has a folder `sources`, and one folder for each method, with one picture of each source: gpnn/7.png is made from
sources/7.jpg. Each engine draws --count pictures (seeds 0, 1, ...) of each source with its default settings; one that
must be trained is first trained for --budget. Finished pictures and scores are kept in -o, so another engine can be
added later.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from unica.evaluation import load_networks
from unica.evaluation.bench import Benchmark, Method, Row, find_images, run
from unica.evaluation.report import number

SOURCES = "sources"
COLUMNS = {
    "coherence": "coherence",
    "completeness": "completeness",
    "structure": "structure",
    "layout": "layout",
    "layout_p95": "layout, 95 %",
    "worst_window": "worst window",
    "sharpness": "sharpness",
    "lpips_source": "LPIPS to the source",
    "largest_copy": "largest copy",
    "frechet_stem": "Fréchet",
    "lpips_diversity": "LPIPS of pairs",
}


def published(folder: Path, sources: Sequence[Path], output: Path) -> Method:
    """The method whose pictures are FOLDER/<source>.*; copied to a folder for each source, as a benchmark has them."""
    for picture in find_images(folder):
        if picture.stem in {source.stem for source in sources}:
            target = output / "published" / folder.name / picture.stem / picture.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(picture, target)  # with its time, so that it counts as the same file next time
    return Method(folder.name, output / "published" / folder.name)


def table(rows: Sequence[Row]) -> str:
    """A Markdown row for each method: means over the sources, of each source's mean over its pictures."""
    lines = ["| | pictures | " + " | ".join(COLUMNS.values()) + " | near-copies |"]
    lines.append("| --- " * (len(COLUMNS) + 3) + "|")
    for method in dict.fromkeys(row.method for row in rows):
        results = [row.evaluation for row in rows if row.method == method]
        pictures = sum(len(result.names) for result in results)
        cells = []
        for name in COLUMNS:
            means = [mean for result in results if (mean := result.mean(name)) is not None]
            cells.append(number(fmean(means)) if len(means) == len(results) else "")
        copies = f"{sum(result.near_copies for result in results)} of {pictures}"
        lines.append(f"| {method} | {pictures} | {' | '.join(cells)} | {copies} |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, required=True, help="folder of the sources and of each method's pictures")
    parser.add_argument("--weights", type=Path, required=True, help="folder of the feature weights")
    parser.add_argument("--engine", nargs="*", default=[], help="engines that draw pictures, too")
    parser.add_argument("--count", type=int, default=8, help="how many pictures an engine draws of each source")
    parser.add_argument("--budget", default="10m", help="time to train on each source, for engines that are trained")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of pictures and scores")
    args = parser.parse_args(words)
    sources = find_images(args.peers / SOURCES)
    folders = sorted(path for path in args.peers.iterdir() if path.is_dir() and path.name != SOURCES)
    methods = [published(folder, sources, args.output) for folder in folders]
    methods += [Method(name) for name in args.engine]
    benchmark = Benchmark(sources, methods, args.count, args.output, args.budget)
    print(table(run(benchmark, load_networks(args.weights), print)))


if __name__ == "__main__":
    main()
