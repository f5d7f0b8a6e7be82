"""Which parts of the source words choose: the table of docs/text.md.

    PYTHONPATH=tests/clip_tools python benchmarks/words.py IMAGES [-n 4] [--engine instant]

IMAGES is the folder of SinDDM's test images. Each picture is drawn twice with the same seed and the same guidance, with
`--prefer 0` and with the engine's default. The relevant pixels are the fifth of the source that the score likes best.
How many of a picture's pixels come from there is known from their origins. For colours there is a second count, which
needs no model: of the fifth of the source's pixels that are nearest to the colour. *Sharp* is the mean gradient of the
pictures, over that of the source's pixels that they are made of: parts that are plain in the source may be plain.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from captions import COLOURS
from classes import network, score_of
from jaxtyping import Bool, Float
from torch import Tensor

import unica
from unica.engines.base import Model
from unica.guides.clip import SHARP, load
from unica.guides.relevance import relevance
from unica.image import save_png
from unica.prompts import Prompt

Mask = Bool[Tensor, "h w"]

CLIP = Path(__file__).parents[1] / "tests" / "clip"
SHARE = 0.2  # of the source, which counts as relevant


class Case(NamedTuple):
    image: str
    words: str
    label: int | None = None  # of ImageNet; without one, the CLIP of the tests is the score
    colour: str | None = None


CASES = (
    Case("field_poppies", "a red picture", colour="red"),
    Case("seascape", "a blue picture", colour="blue"),
    Case("forest", "a green picture", colour="green"),
    Case("starry_night", "a yellow picture", colour="yellow"),
    Case("balloons", "a white picture", colour="white"),
    Case("elephants", "African elephant", 386),
    Case("balloons", "balloon", 417),
    Case("mountains", "alp", 970),
    Case("aqueduct", "viaduct", 888),
    Case("seascape", "seashore", 978),
)


def best(values: Float[Tensor, "h w"]) -> Mask:
    """The fifth of the pixels with the largest values."""
    return values > values.flatten().quantile(1 - SHARE)


def nearness(pixels: Float[Tensor, "3 h w"], colour: str) -> Float[Tensor, "h w"]:
    """How near each pixel is to any shade of a colour."""
    steps = torch.linspace(0, 1, 5).tolist()
    shades = torch.stack([COLOURS[colour].rgb(h, s, v) for h in steps for s in steps for v in steps])
    return -(pixels[None] * 0.5 + 0.5 - shades[:, :, None, None]).square().sum(1).amin(0)


class Drawn(NamedTuple):
    """What is measured on some pictures."""

    relevant: float  # share of their pixels that come from a part of the source which the score likes
    coloured: float | None  # the same for parts of the colour that the words name
    sharp: float  # over the same pixels of the source


def drawn(case: Case, prefer: Any, model: Model, score: Any, likes: Mask, coloured: Mask | None, args: Any) -> Drawn:
    """Pictures drawn with this preference."""
    more = {} if prefer is None else {"prefer": prefer}
    if case.label is None:
        frames = unica.stream(unica.text, model, case.words, clip=score, count=args.count, **more)
    else:
        frames = unica.stream(unica.follow, model, score, count=args.count, **more)
    last = [frame for frame in frames if frame.last]
    if args.output:
        for frame in last:
            save_png(frame.image(), args.output / f"{case.image}-{case.words}-{prefer}-{frame.seed}.png")

    def share(mask: Mask) -> float:
        return fmean(mask[indices(frame)].float().mean().item() for frame in last)

    there = gradient(model.picture.pixels)
    sharp = sum(gradient(frame.pixels).sum() for frame in last) / sum(there[indices(frame)].sum() for frame in last)
    return Drawn(share(likes), None if coloured is None else share(coloured), float(sharp))


def indices(frame: Any) -> tuple[Tensor, Tensor]:
    """Where each pixel of a picture comes from, as an index."""
    rows, columns = frame.origins.long().unbind(-1)
    return rows, columns


def gradient(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "h w"]:
    """How much the gray picture changes from each pixel to its neighbours below and at the right."""
    gray = F.pad(pixels.mean(0)[None], (0, 1, 0, 1), mode="replicate")[0]
    return torch.hypot(gray[1:, :-1] - gray[:-1, :-1], gray[:-1, 1:] - gray[:-1, :-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("-n", "--count", type=int, default=4)
    parser.add_argument("--engine", default="instant")
    parser.add_argument("-o", "--output", type=Path, help="folder for the pictures")
    args = parser.parse_args()
    clip, classifier = load(str(CLIP)), network()
    print("| image | words | relevant | preferred | times | of the colour | preferred | times | sharp | preferred |")
    print("| --- " * 10 + "|")
    for case in CASES:
        model = unica.open(args.images / f"{case.image}.png", engine=args.engine)
        source = model.picture.pixels
        if case.label is None:
            score: Any = clip
            glance = clip.score([Prompt(case.words)], SHARP, views=1)
        else:
            score = glance = score_of(classifier, case.label)
        likes = best(relevance(glance, source))
        coloured = None if case.colour is None else best(nearness(source, case.colour))
        before, after = (drawn(case, prefer, model, score, likes, coloured, args) for prefer in (0, None))
        cells = [case.image, case.words, *compared(before.relevant, after.relevant)]
        cells += compared(before.coloured, after.coloured)
        cells += [f"{before.sharp:.2f}", f"{after.sharp:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def compared(before: float | None, after: float | None) -> list[str]:
    if before is None or after is None:
        return ["", "", ""]
    return [f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f}"]


if __name__ == "__main__":
    main()
