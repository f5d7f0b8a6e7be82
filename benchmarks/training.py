"""Measure training and sampling of the engines that are trained. The tables are in docs/benchmarks.md.

    python benchmarks/training.py speed IMAGE            pixels a second: a `paper` step, and the authors' way
    python benchmarks/training.py loss IMAGE             time until `fast` has the loss of the authors' way (20 min)
    python benchmarks/training.py curve IMAGE... -o DIR  quality after minutes of training with `fast`, and after none
    python benchmarks/training.py sampling MODEL         seconds a picture, and of the network's passes in it
    python benchmarks/training.py steps MODEL...         quality by sampler and number of steps (sindiffusion)
    python benchmarks/training.py ablation IMAGE... -o DIR   the paper's Tables 3 and 4, with `fast` (sindiffusion)

The authors' way is float32, channels first and batches of whole pictures (32 of one level, or 16). Images are shrunk to
128 pixels of height, unless `--height` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

import unica
from unica.devices import find_device, find_dtype
from unica.engines.base import Model, engines, find, training_engine
from unica.evaluation import Networks, Samples, evaluate, load_networks
from unica.image import Picture, contact_sheet, load, resize, save_png, to_pil
from unica.networks import UNetConfig, with_receptive_field
from unica.training.config import TrainingConfig
from unica.training.loop import Trainer

MEASURES = (
    *("lpips_diversity", "pixel_diversity", "coherence", "completeness", "structure"),
    *("sharpness", "frechet_stem", "niqe"),
)


class AuthorsWay(Trainer):
    """The same training without what makes a step of this project fast."""

    def __init__(self, picture: Picture, config: TrainingConfig) -> None:
        super().__init__(picture, config, device=DEVICE, dtype=torch.float32)
        self.layout = torch.contiguous_format
        for network in (self.network, self.average.network):
            network.to(memory_format=self.layout)  # pyright: ignore[reportCallIssue]


def speed(image: Path, images: int, rounds: int) -> None:
    """Steps on the finest level. The two ways take turns."""
    picture = load(small(image))
    config = replace(find(ENGINE).config("paper", picture), batch_images=images)
    ours, plain = Trainer(picture, config, device=DEVICE, dtype=DTYPE), AuthorsWay(picture, config)
    seconds: dict[str, list[float]] = {"the authors' way": [], "`paper` here": []}
    for turn in range(rounds + 1):
        for (_, kept), trainer in zip(seconds.items(), (plain, ours)):
            began = time.perf_counter()
            pixels = trainer.train_step(len(trainer.pairs) - 1)
            wait()
            if turn:  # the first is a warm-up
                kept.append(pixels / (time.perf_counter() - began) / 1e6)
    table = Table("", "Mpixel/s", "ratio", title=f"a step of {images} pictures, {ENGINE}, {DTYPE}")
    first = sum(seconds["the authors' way"])
    for name, kept in seconds.items():
        table.add_row(name, f"{sum(kept) / len(kept):.4f}", f"{sum(kept) / first:.2f}")
    show(table)


def loss(image: Path, minutes: float, budget: float, goal: float | None) -> None:
    """Both ways from scratch, one after the other. Only the budget includes the time of validation."""
    picture = load(small(image))
    seconds = minutes * 60
    if goal is None:
        plain = AuthorsWay(picture, find(ENGINE).config("paper", picture))
        for progress in plain.run(every=0):
            if progress.seconds >= seconds:
                break
        goal, seconds = fmean(plain.validate(20)), plain.seconds
        print(f"the authors' way: {plain.step} steps in {seconds:.0f} s, validation loss {goal:.4f}", flush=True)
    trainer = Trainer(picture, find(ENGINE).config("fast", picture), device=DEVICE, dtype=DTYPE)
    pause, reached = 0.0, None
    began = time.perf_counter()
    for progress in trainer.run(budget, every=2):
        now = time.perf_counter() - began - pause
        value = fmean(trainer.validate(20))
        pause = time.perf_counter() - began - now
        if value <= goal and reached is None:
            reached = now
            print(f"fast: {progress.step} steps in {now:.1f} s, validation loss {value:.4f}", flush=True)
            print(f"ratio: {seconds / now:.0f}", flush=True)
    print(f"fast, at its end: {trainer.step} steps, validation loss {fmean(trainer.validate(20)):.4f}")


def curve(
    images: list[Path], minutes: list[float], output: Path, count: int, weights: Path | None, height: int,
    details: list[str],
) -> None:  # fmt: skip
    """One training for each budget, because the schedule depends on it."""
    networks = load_networks(weights)
    rows = []
    for image in images:
        path = output / f"{image.stem}.png"
        save_png(small(image, height), path)
        drawn = models(path, minutes, output, details)
        rows += [measured(path, name, model, count, networks) for name, model in drawn]
    show_rows(rows)


def steps(
    paths: list[Path], output: Path, count: int, weights: Path | None, numbers: list[int], samplers: list[str]
) -> None:
    """Samplers with several numbers of steps, on each of the trained models."""
    networks = load_networks(weights)
    rows = []
    for path in paths:
        source = output / f"{path.stem}.png"
        save_png(to_pil(unica.load(path).picture.pixels), source)
        for number in numbers:
            for sampler in samplers:
                model = unica.load(path, device=DEVICE.type, steps=number, sampler=sampler)
                rows.append(measured(source, f"{sampler}-{number}", model, count, networks))
    show_rows(rows)


FIELDS = (0.07, 0.17, 0.36, 0.74)


def ablation(images: list[Path], minutes: float, output: Path, count: int, weights: Path | None, height: int) -> None:
    """Four receptive fields, and several scales. All are trained for the same time."""
    networks = load_networks(weights)
    rows = []
    base = UNetConfig(width=32, norm=False)  # without folding, so that the smallest field is 17
    for image in images:
        path = output / f"{image.stem}.png"
        save_png(small(image, height), path)
        picture = load(path)
        side = (picture.size[0] * picture.size[1]) ** 0.5
        config: Any = replace(find("sindiffusion").config("fast", picture), batch_pixels=25_000)
        variants = {
            f"field {share}": replace(config, network=with_receptive_field(base, share * side)) for share in FIELDS
        }
        variants["multi-scale"] = replace(variants["field 0.36"], multiscale=True)  # its single scale is that field
        for name, variant in variants.items():
            trainer = Trainer(picture, variant, device=DEVICE, dtype=DTYPE)
            for _ in trainer.run(minutes * 60, every=10):
                pass
            rows.append(measured(path, name, trainer.model(), count, networks))
            print(f"{name}: field {trainer.process.network.receptive_field / side:.2f}", flush=True)
    show_rows(rows)


def measured(source: Path, name: str, model: Model, count: int, networks: Networks) -> dict:
    """The scores of some pictures. They are kept beside the source, so that a run that was stopped can go on."""
    row = source.parent / f"{source.stem}-{name}.json"
    if not row.exists():
        began = time.perf_counter()
        pictures = [unica.sample(model, seed=seed)[0] for seed in range(count)]
        took = (time.perf_counter() - began) / count
        paths = [source.parent / f"{source.stem}-{name}" / f"{seed}.png" for seed in range(count)]
        for picture, place in zip(pictures, paths):
            save_png(picture, place)
        sheet = contact_sheet([to_pil(load(source).pixels), *pictures[:5]], columns=3)
        save_png(sheet, source.parent / f"{source.stem}-{name}-sheet.png")
        seen = evaluate(source, Samples(paths), networks)
        trained = getattr(model, "training", {}).get("steps")
        numbers = {name: seen.mean(name) for name in MEASURES}
        row.write_text(json.dumps({"image": source.stem, "name": name, "steps": trained, "seconds": took, **numbers}))
    print(row.read_text(), flush=True)
    return json.loads(row.read_text())


def show_rows(rows: list[dict]) -> None:
    table = Table("image", "what", "steps", "s a picture", *MEASURES)
    for row in rows:
        numbers = ["-" if row[m] is None else f"{row[m]:.3f}" for m in MEASURES]
        table.add_row(row["image"], row["name"], str(row["steps"] or "-"), f"{row['seconds']:.1f}", *numbers)
    show(table)


def models(path: Path, minutes: list[float], output: Path, details: list[str]) -> Iterator[tuple[str, Model]]:
    for name, engine in engines().items():
        if engine.opens_pictures:
            yield name, unica.open(path, engine=name)
    for budget in minutes:
        file = output / f"{path.stem}-{budget:g}m.unica"
        if not file.exists():
            began = time.perf_counter()
            model: Any = unica.train(path, engine=ENGINE, budget=budget * 60, device=DEVICE.type)
            print(f"{file.stem}: {model.training} in {time.perf_counter() - began:.1f} s", flush=True)
            model.save(file)
        for detail in details:
            yield f"{budget:g}m-{detail}", unica.load(file, device=DEVICE.type, detail=detail)


def sampling(path: Path, rounds: int) -> None:
    """The time of whole runs, and of the network's passes in them."""
    table = Table("batch", "s a picture", "in passes", "ratio", title=f"{path.stem}, {DEVICE.type}, {DTYPE}")
    model: Any = unica.load(path, device=DEVICE.type)
    clock = [0.0]

    def begin(*_) -> None:
        wait()
        clock[0] -= time.perf_counter()

    def end(*_) -> None:
        wait()
        clock[0] += time.perf_counter()

    model.network.register_forward_pre_hook(begin)
    model.network.register_forward_hook(end)
    for batch in (1, 16):
        runs = []
        for _ in range(rounds + 1):
            clock[0], began = 0.0, time.perf_counter()
            unica.sample(model, count=batch, batch=batch)
            runs.append((time.perf_counter() - began, clock[0]))
        whole, passes = min(runs[1:])
        table.add_row(str(batch), f"{whole / batch:.2f}", f"{passes / batch:.2f}", f"{whole / passes:.2f}")
    show(table)


def small(image: Path, height: int = 128) -> Image.Image:
    """The picture, no higher than this many pixels."""
    pixels = load(image).pixels
    if pixels.shape[1] > height:
        width = round(pixels.shape[2] * height / pixels.shape[1])
        pixels = resize(pixels[None], (height, width), "lanczos")[0].clamp(-1, 1)
    return to_pil(pixels)


def wait() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def show(table: Table) -> None:
    Console(width=160).print(table)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=("speed", "loss", "curve", "sampling", "steps", "ablation"))
parser.add_argument("paths", type=Path, nargs="+")
parser.add_argument("-o", "--output", type=Path, default=Path("results/training"))
parser.add_argument("--minutes", type=float, nargs="+")
parser.add_argument("--budget", type=float, default=24, help="seconds of `fast` in `loss`")
parser.add_argument("--goal", type=float, help="of `loss`: the loss of the authors' way, if it was measured before")
parser.add_argument("--images", type=int, default=32, help="pictures in a step of `speed`")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("-n", "--count", type=int, default=8)
parser.add_argument("--weights", type=Path)
parser.add_argument("--engine", default=training_engine().name)
parser.add_argument("--steps", type=int, nargs="+", default=[1000, 100, 50, 25, 10])
parser.add_argument("--samplers", nargs="+", default=["ddpm", "ddim", "dpm++", "sde-dpm++"])
parser.add_argument("--height", type=int, default=128, help="of images in `curve` and `ablation`")
parser.add_argument("--details", nargs="+", default=["network"], help="of `curve`: what draws finer levels")
parser.add_argument("--device", default="auto")
DEVICE, DTYPE, ENGINE = torch.device("cpu"), torch.float32, training_engine().name

if __name__ == "__main__":
    words = parser.parse_args()
    DEVICE = find_device(words.device)
    DTYPE, ENGINE = find_dtype("auto", DEVICE), words.engine
    if words.what == "speed":
        speed(words.paths[0], words.images, words.rounds)
    elif words.what == "loss":
        loss(words.paths[0], (words.minutes or [20])[0], words.budget, words.goal)
    elif words.what == "curve":
        budgets: list[float] = words.minutes or [2, 5, 15, 60]
        curve(words.paths, budgets, words.output, words.count, words.weights, words.height, words.details)
    elif words.what == "sampling":
        sampling(words.paths[0], words.rounds)
    elif words.what == "steps":
        steps(words.paths, words.output, words.count, words.weights, words.steps, words.samplers)
    else:
        minutes = (words.minutes or [5])[0]
        ablation(words.paths, minutes, words.output, words.count, words.weights, words.height)
