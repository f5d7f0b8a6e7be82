"""Build docs/gallery.md: every task but `text` on every engine, with commands and times.

    python examples/gallery.py docs --models MODELS [--budget 5m] [--source IMAGE] [--content IMAGE]

The folder MODELS has one model of each engine that is trained; those that are missing are trained first. Everything is
made from two images, by default two of the examples. Pass names of tasks to draw only their rows.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageSequence

from unica.engines.base import engines, picture_engine

SIZE = (192, 128)
HEIGHT = 160  # of pictures on the page
TASKS = {  # what is shown beside the results, and the options
    "sample": ("source", ""),
    "outpaint": ("source", "--left 40 --right 40 --feather 4"),
    "inpaint": ("source", "--box 148,82,42,36 --feather 2"),
    "region": ("source", "--put 10,6,80,110@102,10 --put 150,84,40,32@20,80"),
    "harmonize": ("pasted", "--content pasted.png --mask pasted-mask.png"),
    "style": ("content", "--content content.png"),
    "analogy": ("content", "--content content.png"),
    "paint": ("painting", "--content painting.png"),
    "edit": ("source", "--move 150,84,38,32@96,84 --copy 150,84,38,32@120,44,57,48"),
    "objects": ("source", "--size-factor 0.6"),
    "retarget": ("source", "--size 120x128"),
    "tile": ("source", "--axis x"),
    "tiles": ("source", "--side 128"),
    "mirror": ("source", ""),
    "upscale": ("source", "--factor 2"),
    "animate": ("source", "--frames 12 --format gif"),
}


def inputs(folder: Path, *images: Path) -> None:
    """The pictures that the commands name, from a source and a content."""
    source, content = (Image.open(path).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS) for path in images)
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).polygon(((108, 112), (112, 82), (128, 66), (144, 84), (150, 112)), fill=255)
    pasted = Image.composite(ImageChops.offset(content, 108, 40), source, mask)
    flipped = source.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((16, 11), Image.Resampling.BOX)
    painting = flipped.quantize(6).convert("RGB").resize(SIZE, Image.Resampling.NEAREST)
    for name, image in (
        ("source", source), ("content", content), ("pasted", pasted), ("pasted-mask", mask), ("painting", painting),
    ):  # fmt: skip
        image.save(folder / f"{name}.png")


def rows(task: str, folder: Path, models: dict[str, Path]) -> Iterator[tuple[str, str, float, Image.Image]]:
    """For each engine: its name, the command, the seconds that it took as a process, and the picture."""
    for engine, model in models.items():
        words = [task, str(model), *shlex.split(TASKS[task][1]), "-n", "1"]
        if model.suffix != ".unica" and engine != picture_engine().name:
            words += ["--engine", engine]
        began = time.perf_counter()
        report = json.loads(unica(*words, "-o", "out", "--json", "--quiet", cwd=folder))
        seconds = time.perf_counter() - began
        yield engine, shlex.join(["unica", *words]), seconds, shown(Image.open(folder / report["pictures"][0]["path"]))


def shown(picture: Image.Image) -> Image.Image:
    """The picture as it is; of a loop, four of its pictures."""
    frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]
    if len(frames) == 1:
        return frames[0]
    width, height = picture.size
    sheet = Image.new("RGB", (2 * width, 2 * height))
    for n in range(4):
        sheet.paste(frames[n * len(frames) // 4], (n % 2 * width, n // 2 * height))
    return sheet


def beside(pictures: list[Image.Image]) -> Image.Image:
    """All pictures side by side at one height, on white."""
    scaled = [p.resize((round(p.width * HEIGHT / p.height), HEIGHT), Image.Resampling.LANCZOS) for p in pictures]
    gap = 6
    sheet = Image.new("RGB", (sum(p.width + gap for p in scaled) - gap, HEIGHT), "white")
    left = 0
    for picture in scaled:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


def unica(*words: str, cwd: Path) -> str:
    return subprocess.run(
        [sys.executable, "-m", "unica", *words], check=True, stdout=subprocess.PIPE, text=True, cwd=cwd
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--budget", default="5m")
    images = Path(__file__).parent / "images"
    parser.add_argument("--source", type=Path, default=images / "dandelions.png")
    parser.add_argument("--content", type=Path, default=images / "harvest.jpg")
    args = parser.parse_args()
    pictures = args.docs / "images" / "gallery"
    for folder in (pictures, args.models):
        folder.mkdir(parents=True, exist_ok=True)
    page = [(Path(__file__).parent / "gallery.head.md").read_text()]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        inputs(folder, args.source, args.content)
        models = {}
        for name, engine in engines().items():
            if engine.opens_pictures:
                models[name] = Path("source.png")
                continue
            models[name], kept = Path(f"{name}.unica"), (args.models / f"{name}.unica").resolve()
            if not kept.exists():
                words = ["train", "source.png", "--engine", name, "--budget", args.budget, "-o", str(kept)]
                unica(*words, cwd=folder)
            (folder / models[name]).symlink_to(kept)
        for task in args.tasks:
            drawn = list(rows(task, folder, models))
            with Image.open(folder / f"{TASKS[task][0]}.png") as given:
                beside([given.convert("RGB"), *(picture for *_, picture in drawn)]).save(
                    pictures / f"{task}.jpg", quality=85
                )
            page += [
                f"## {task}",
                "",
                f"![{task}](images/gallery/{task}.jpg)",
                "",
                "| engine | command | seconds |",
                "| --- | --- | --- |",
            ]
            page += [f"| {engine} | `{command}` | {seconds:.1f} |" for engine, command, seconds, _ in drawn]
            page += [""]
    (args.docs / "gallery.md").write_text("\n".join(page))


if __name__ == "__main__":
    main()
