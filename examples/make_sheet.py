"""Draw the README's picture: each row is an example image and four pictures made of it, by one engine and by another.

python examples/make_sheet.py docs/images/demo.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

import unica

HEIGHT = 130
ENGINES = ("instant", "hybrid")


def row(path: Path, engine: str) -> list[Image.Image]:
    source = Image.open(path).convert("RGB")
    pictures = [source, *unica.sample(unica.open(source, engine), count=4)]
    return [p.resize((round(p.width * HEIGHT / p.height), HEIGHT), Image.Resampling.LANCZOS) for p in pictures]


def main() -> None:
    folder = Path(__file__).parent / "images"
    paths = sorted([*folder.glob("*.png"), *folder.glob("*.jpg")])
    rows = [row(path, engine) for path in paths for engine in ENGINES]
    gap = 4
    width = max(sum(p.width + gap for p in pictures) + 2 * gap for pictures in rows)
    sheet = Image.new("RGB", (width, len(rows) * (HEIGHT + gap)), "white")
    for i, pictures in enumerate(rows):
        left = 0
        for n, picture in enumerate(pictures):
            sheet.paste(picture, (left, i * (HEIGHT + gap)))
            left += picture.width + gap * (3 if n == 0 else 1)
    sheet.save(sys.argv[1], quality=85)


if __name__ == "__main__":
    main()
