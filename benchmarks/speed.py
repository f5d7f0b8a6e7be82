"""Time and memory of the default engine, which needs no training: the tables of docs/benchmarks.md.

    python benchmarks/speed.py exact      one picture, compared with the exact denoiser as published
    python benchmarks/speed.py process    the whole command, import, first preview
    python benchmarks/speed.py tasks      a whole process for each command that draws
    python benchmarks/speed.py outputs    seconds a megapixel for growing outputs of one 250-pixel source
    python benchmarks/speed.py sources    seconds a megapixel for growing sources at their own size

IMAGE (--image) is any picture; it is resized to what a row needs. Ratios are of times taken in one run.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

import unica
from unica.engines.base import Model
from unica.machine import peak_memory_mb
from unica.patches import Edges, posterior
from unica.pyramid import Scale, pyramid

EXACT_STEPS, EXACT_LEVELS, EXACT_PATCH = 10, 4, 15


def timed(model: Model, **words: object) -> tuple[float, float, float]:
    """Seconds of one picture: to the first state, on the coarsest level, on the others."""
    began = time.perf_counter()
    first, coarse = 0.0, 0.0
    for frame in unica.stream(unica.sample, model, **words):
        now = time.perf_counter() - began
        first = first or now
        if frame.state.level == 0:
            coarse = now
    return first, coarse, time.perf_counter() - began - coarse


def exact(image: Image.Image) -> Table:
    """The published method, extrapolated from one step on a part of each level's canvas."""
    picture = image.resize((248, 186))
    model = unica.open(picture)
    unica.sample(model)  # warm
    _, coarse, fine = timed(model)
    table = Table("engine", "seconds a picture", "ratio", title="248x186, warm")
    table.add_row(f"{model.engine}, defaults", f"{coarse + fine:.2f}", "1")
    for name, step in (
        ("exact, matrix products, bf16", partial(_published, dtype=torch.bfloat16)),
        ("exact, matrix products, float32", partial(_published, dtype=torch.float32)),
        ("exact, this project's diagonal sums", _diagonal),
    ):
        seconds = sum(_exact_step(model, shrink, step) for shrink in (8, 4, 2, 1)) * EXACT_STEPS
        table.add_row(name, f"{seconds:.1f}", f"{seconds / (coarse + fine):.0f}")
    return table


def _exact_step(model: Model, shrink: int, step: Callable[[Tensor, Scale], Tensor]) -> float:
    """Seconds of a step on a level, measured on 8 rows of the canvas after a warm-up on one row."""
    height, width = 186 // shrink, 248 // shrink
    (scale,) = pyramid(model.picture.pixels, None, [(height, width)])
    x = scale.pixels[:, :8] + torch.randn(3, 8, width, generator=torch.Generator().manual_seed(0))
    step(x[:, :1], scale)
    began = time.perf_counter()
    step(x, scale)
    return (time.perf_counter() - began) * height / 8


def _published(x: Tensor, scale: Scale, dtype: torch.dtype) -> Tensor:
    """Distances and means of whole patches as two matrix products, in chunks of the canvas."""
    pad = [EXACT_PATCH // 2] * 4
    queries = F.unfold(F.pad(x[None], pad), EXACT_PATCH)[0].T
    keys = F.unfold(F.pad(scale.pixels[None], pad), EXACT_PATCH)[0]
    low, norms, means = keys.to(dtype), keys.square().sum(0), []
    for chunk in queries.split(512):
        weights = ((chunk.to(dtype) @ low).float() - norms / 2).softmax(-1)  # sigma = 1; |x|^2 cancels
        means.append((weights.to(dtype) @ low.T).float())
    return F.fold(torch.cat(means).T[None], x.shape[1:], EXACT_PATCH, padding=pad[0]) / EXACT_PATCH**2


def _diagonal(x: Tensor, scale: Scale) -> Tensor:
    return posterior(x, scale, 1.0, EXACT_PATCH, Edges(0.0, 0.0, 0.0)).x0


def process(image: Image.Image) -> Table:
    table = Table("what", "seconds", title="whole processes, 250x188")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.png"
        image.resize((250, 188)).save(source)
        for what, words in (
            ("import unica", ["-c", "import unica"]),
            ("import unica and all that sampling needs", ["-c", "import unica; unica.sample"]),
            ("unica sample -n 1", ["-m", "unica", "sample", str(source), "-n", "1", "-o", folder, "--json", "--quiet"]),
        ):
            began = time.perf_counter()
            done = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True)
            table.add_row(what, f"{time.perf_counter() - began:.2f}")
        report = json.loads(done.stdout)
        table.add_row("  first preview, after the command's start-up", f"{report['first_preview_seconds']:.2f}")
        table.add_row("  peak memory, MB", f"{report['peak_memory_mb']:.0f}")
    return table


TASKS = {  # at 250x188
    "sample": [],
    "outpaint": ["--right", "60"],
    "inpaint": ["--box", "20,20,80,100"],
    "region": ["--put", "20,20,80,100@150,40"],
    "harmonize": ["--content", "OTHER", "--box", "20,20,80,100"],
    "style": ["--content", "OTHER"],
    "analogy": ["--content", "OTHER"],
    "paint": ["--content", "OTHER"],
    "edit": ["--move", "20,20,80,100@150,40"],
    "objects": ["--size-factor", "0.5"],
    "retarget": ["--size", "150x188"],
    "tile": [],
    "tiles": [],
    "mirror": [],
    "upscale": [],
    "animate": ["--frames", "24"],
}


def tasks(image: Image.Image) -> Table:
    table = Table("command", "options", "seconds", title="whole processes, 250x188, one result")
    with tempfile.TemporaryDirectory() as folder:
        source, other = Path(folder) / "source.png", Path(folder) / "other.png"
        image.resize((250, 188)).save(source)
        image.resize((250, 188)).transpose(Image.Transpose.ROTATE_180).save(other)
        for name, options in TASKS.items():
            words = [str(other) if option == "OTHER" else option for option in options]
            began = time.perf_counter()
            command = [sys.executable, "-m", "unica", name, str(source), *words, "-n", "1", "-o", folder, "--quiet"]
            subprocess.run(command, check=True)
            table.add_row(name, " ".join(options), f"{time.perf_counter() - began:.1f}")
    return table


def _row(table: Table, name: str, model: Model, pixels: int, **words: object) -> None:
    _, coarse, fine = timed(model, **words)
    mega = pixels / 1e6
    total = coarse + fine
    cells = [
        f"{v:.{d}f}"
        for v, d in (
            (mega, 2),
            (coarse, 1),
            (fine, 1),
            (total / mega, 1),
            (fine / mega, 2),
            (peak_memory_mb() or 0.0, 0),
        )
    ]
    Console(stderr=True).print(name, *cells)  # large rows take minutes
    table.add_row(name, *cells)


def _columns(title: str) -> Table:
    return Table(
        "size",
        "Mpixel",
        "coarsest, s",
        "above, s",
        "s/Mpixel",
        "s/Mpixel above the coarsest",
        "peak MB so far",
        title=title,
    )


def outputs(image: Image.Image) -> Table:
    model = unica.open(image.resize((250, 200)))
    unica.sample(model)
    table = _columns("outputs of a 250x200 source")
    for factor in (1, 2, 4, 8, 16):
        size = (250 * factor, 200 * factor)
        _row(table, f"{size[0]}x{size[1]}", model, size[0] * size[1], size=size)
    return table


def sources(image: Image.Image) -> Table:
    table = _columns("sources at their own size")
    for side in (250, 500, 1000, 2000):
        model = unica.open(image.resize((side, side * 4 // 5), Image.Resampling.LANCZOS), max_side=side)
        if side == 250:
            unica.sample(model)
        _row(table, f"{side}x{side * 4 // 5}", model, side * (side * 4 // 5))
    return table


TABLES = {"exact": exact, "process": process, "tasks": tasks, "outputs": outputs, "sources": sources}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=list(TABLES))
    default = Path(__file__).parents[1] / "examples" / "images" / "dandelions.png"
    parser.add_argument("--image", type=Path, default=default)
    args = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, unica {unica.__version__}"
    )
    image = Image.open(args.image).convert("RGB")
    Console().print(TABLES[args.what](image))


if __name__ == "__main__":
    main()
