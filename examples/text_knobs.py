"""Draw the pictures of docs/text.md: what each option of `unica text` does, the four modes, and classes of ImageNet.

    PYTHONPATH=tests/clip_tools python examples/text_knobs.py docs/images/text --clip tests/clip --models MODELS

MODELS is the folder of `examples/gallery.py`, with one model of each engine that is trained. The classes need the extra
`dev`.
"""

from __future__ import annotations

import argparse
from math import exp
from pathlib import Path
from statistics import fmean
from typing import Any

from classes import LABELS, network, score_of, seen
from gallery import SIZE, beside
from PIL import Image

import unica
from unica.engines.base import Model, engines
from unica.guides.clip import Clip, load
from unica.image import load as read

ROWS: dict[str, list[dict[str, Any]]] = {  # supplement, Fig. S12 and S13
    "from-level": [{"from_level": level} for level in (0, 1, 2, 3)],
    "eta": [{"eta": eta} for eta in (0.02, 0.1, 0.3, 0.6)],
    "fill": [{"fill": fill} for fill in (0.1, 0.3, 0.6, 1.0)],
    "momentum": [{"momentum": momentum} for momentum in (0.05, 0.2, 0.5, 1.0)],
    "scale": [{"scale": scale} for scale in (3e3, 1e4, 3e4, 1e5)],
}
PROMPT = "vertical stripes"
BOX = unica.Region(box=[(100, 20, 64, 64)])
MODES: list[tuple[str, dict[str, Any]]] = [
    ("vertical stripes", {}),
    ("a red picture", {"mode": "style"}),
    ("a red picture", {"mode": "restyle"}),
    ("vertical stripes", {"mode": "region", "where": BOX}),
]


def drawn(model: Model, clip: Clip, prompt: str, words: dict[str, Any]) -> Image.Image:
    return unica.text(model, prompt, clip=clip, **words)[0].convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--clip", default="tests/clip")
    parser.add_argument("--models", type=Path, required=True)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    clip = load(args.clip)
    source = Image.open(Path(__file__).parent / "images" / "dandelions.png").convert("RGB")
    source = source.resize(SIZE, Image.Resampling.LANCZOS)
    models: dict[str, Model] = {
        name: unica.open(source, name) if engine.opens_pictures else unica.load(args.models / f"{name}.unica")
        for name, engine in engines().items()
    }
    first = models["sinddm"]
    for name, knob in ROWS.items():
        pictures = [drawn(first, clip, PROMPT, words) for words in knob]
        beside(pictures).save(args.output / f"{name}.jpg", quality=85)
    for engine, model in models.items():
        pictures = [drawn(model, clip, prompt, words) for prompt, words in MODES]
        beside([source, *pictures]).save(args.output / f"{engine}.jpg", quality=85)
    classifier = network()
    plain, pictures = unica.sample(first)[0].convert("RGB"), []
    for name, label in LABELS.items():
        pictures += unica.follow(first, score_of(classifier, label), from_level=0, fill=0.5)
        chances = [
            fmean(map(exp, seen(classifier, read(picture).pixels * 0.5 + 0.5, label).values()))
            for picture in (plain, pictures[-1])
        ]
        print(f"{name}: {chances[0]:.4f} -> {chances[1]:.4f}")
    beside([plain, *(picture.convert("RGB") for picture in pictures)]).save(args.output / "classes.jpg", quality=85)


if __name__ == "__main__":
    main()
