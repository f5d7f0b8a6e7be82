"""How far pictures move from the one that enters, by strength: the table of docs/benchmarks.md.

    python benchmarks/strength.py SOURCE CONTENT [MODEL.unica ...] [--seed 0]

The engines that draw from a picture as it is draw from SOURCE; models draw with their networks (--detail network).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import unica
from unica.engines.base import engines
from unica.tasks.canvas import Canvas
from unica.tasks.run import canvas_size
from unica.tasks.strength import draw_from, noise_of, read_content

STRENGTHS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("content", type=Path)
    parser.add_argument("model", type=Path, nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    models = [
        unica.open(given.source, engine=name, max_side=250)
        for name, engine in engines().items()
        if engine.opens_pictures
    ]
    models += [unica.load(path, detail="network") for path in given.model]
    print("| engine |", " | ".join(f"{strength:g}" for strength in STRENGTHS), "|")
    print("| --- |", " --- |" * len(STRENGTHS))
    print("| noise |", " | ".join(f"{noise_of(strength):.2g}" for strength in STRENGTHS), "|")
    for model in models:
        picture = read_content(model, given.content)
        canvas = Canvas.of_other(picture, model)
        levels = model.run(canvas_size(model, picture.size)).levels
        found = []
        for strength in STRENGTHS:
            frames = draw_from(model, canvas, levels, strength, 1, given.seed)
            pixels = next(frame.pixels for frame in frames if frame.last)
            found.append((pixels - canvas.pixels).square().mean().sqrt().item())
        print(f"| `{model.engine}` |", " | ".join(f"{distance:.3f}" for distance in found), "|", flush=True)


if __name__ == "__main__":
    main()
