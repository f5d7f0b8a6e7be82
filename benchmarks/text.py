"""Time and memory of text guidance: the tables of docs/benchmarks.md.

    python benchmarks/text.py step      a score and its gradient, by how many views
    python benchmarks/text.py run       a whole picture with content, and CLIP's share of it
    python benchmarks/text.py memory    the peak memory of such a step, by the picture's size
    python benchmarks/text.py parts     16 views at once, or in parts that are computed twice

CLIP is a ViT-B/32 with random weights, which take as long as trained ones. To try the commands, --small takes the CLIP
of the tests. IMAGE (--image) is any picture; it is resized. The seconds of a step are the median of five, after one to
warm up.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

import unica
from unica.guides.clip import MEAN, STD, Clip, load
from unica.guides.score import slope
from unica.machine import peak_memory_mb
from unica.prompts import Prompt
from unica.tasks.follow import guided_steps

SMALL = Path(__file__).parents[1] / "tests" / "clip"
PROMPT = "a red picture"
SIZE, LARGE = (250, 188), (1000, 1000)
VIEWS, ROUNDS = 16, 5


def clip(small: bool) -> Clip:
    trained = load(str(SMALL))
    if small:
        return trained
    from transformers import CLIPConfig, CLIPModel

    network: Any = CLIPModel(CLIPConfig()).eval().requires_grad_(False)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return Clip(network, trained.tokenizer, mean, std)


def seconds(network: Clip, views: int, together: int = 64, size: tuple[int, int] = SIZE, rounds: int = ROUNDS) -> float:
    """Time of the score and the gradient in one guided step."""
    score = network.score([Prompt(PROMPT)], views=views, together=together)
    picture, taken = torch.rand(1, 3, size[1], size[0]) * 2 - 1, []
    for _ in range(1 + rounds):
        began = time.perf_counter()
        slope(score, picture)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def peak(small: bool, width: int, height: int, views: int, together: int) -> float:
    """Peak memory of this process in megabytes after one step; without views, of the network alone."""
    network = clip(small)
    if views:
        seconds(network, views, together, (width, height), rounds=1)
    return peak_memory_mb() or 0.0


def peak_apart(small: bool, size: tuple[int, int], views: int, together: int = 64) -> float:
    """The same in a process of its own, because a peak never falls.

    On Linux a process begins with the peak of its parent: call this while that is small.
    """
    code = f"import text; print(text.peak({small}, {size[0]}, {size[1]}, {views}, {together}))"
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, cwd=Path(__file__).parent, check=True, capture_output=True, text=True).stdout)


def step(image: Image.Image, small: bool) -> Table:
    network = clip(small)
    table = Table("views", "seconds a step", "seconds a view", title=f"score and gradient, {_by(SIZE)}, float32")
    for views in (1, 4, 16, 64):
        taken = seconds(network, views)
        table.add_row(str(views), f"{taken:.2f}", f"{taken / views:.3f}")
    return table


def run(image: Image.Image, small: bool) -> Table:
    network, model = clip(small), unica.open(image.resize(SIZE))
    unica.sample(model)  # warm
    table = Table("what", "steps guided", "seconds", title=f"instant, {_by(SIZE)}, {VIEWS} views")
    plain = _timed(lambda: unica.sample(model))
    free = _timed(lambda: unica.follow(model, _brightness))
    whole = _timed(lambda: unica.text(model, PROMPT, clip=network, views=VIEWS))
    guided = str(guided_steps(model, "content").looks)
    table.add_row("sample", "0", f"{plain:.1f}")
    table.add_row("content, by a score that costs nothing", guided, f"{free:.1f}")
    table.add_row("content, by CLIP", guided, f"{whole:.1f}")
    table.add_row("  of which is CLIP", "", f"{1 - free / whole:.0%}")
    return table


def memory(image: Image.Image, small: bool) -> Table:
    table = Table("picture", "views", "peak MB", "above the network's", title="one step, each in a process of its own")
    network = peak_apart(small, SIZE, 0)
    table.add_row("none: the network alone", "0", f"{network:.0f}", "0")
    for size, views in ((SIZE, VIEWS), (LARGE, VIEWS), (SIZE, 64), (LARGE, 64)):
        held = peak_apart(small, size, views)
        table.add_row(_by(size), str(views), f"{held:.0f}", f"{held - network:.0f}")
    return table


def parts(image: Image.Image, small: bool) -> Table:
    several = (16, 8, 4, 2, 1)
    held = [peak_apart(small, SIZE, VIEWS, together) for together in several]
    network = clip(small)
    taken = [seconds(network, VIEWS, together) for together in several]
    table = Table("views held together", "seconds a step", "ratio", "peak MB", title=f"{VIEWS} views, {_by(SIZE)}")
    for together, each, most in zip(several, taken, held):
        table.add_row(str(together), f"{each:.2f}", f"{each / taken[0]:.2f}", f"{most:.0f}")
    return table


def _brightness(pictures: Tensor) -> Tensor:
    return (pictures**2).mean((1, 2, 3))


def _timed(draw: Callable[[], object]) -> float:
    began = time.perf_counter()
    draw()
    return time.perf_counter() - began


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


TABLES = {"step": step, "run": run, "memory": memory, "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=list(TABLES))
    default = Path(__file__).parents[1] / "examples" / "images" / "dandelions.png"
    parser.add_argument("--image", type=Path, default=default)
    parser.add_argument("--small", action="store_true", help="the CLIP of the tests")
    args = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, unica {unica.__version__}"
    )
    image = Image.open(args.image).convert("RGB")
    Console().print(TABLES[args.what](image, args.small))


if __name__ == "__main__":
    main()
