"""`unica text`: what was typed, what it will cost, and what guided a picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import unica
from unica.cli.drawing import run
from unica.cli.options import Drawing, Opening, Where
from unica.cli.progress import reporter
from unica.cli.tasks import region_of, size_of, typed_of
from unica.cli.words import prompts as parsed
from unica.devices import find_device
from unica.evaluation.plot import Point, scatter
from unica.files import write_text
from unica.guides.clip import Clip, Prompt
from unica.guides.clip import load as load_clip
from unica.guides.score import slope
from unica.image import resize, save_png, to_pil
from unica.model import Model
from unica.regions import shown
from unica.tasks.text import plan, scores_of


def text(opening: Opening, drawing: Drawing, where: Where, show: bool, **words: Any) -> None:
    typed = _Typed(opening, drawing, where, show, words)
    run("text", unica.text, opening, drawing, typed.arrange, note=typed.note, foreword=typed.foreword)


@dataclass(frozen=True)
class _Typed:
    opening: Opening
    drawing: Drawing
    where: Where
    show: bool
    words: dict[str, Any]

    @cached_property
    def prompts(self) -> list[Prompt]:
        return parsed(self.words["prompts"])

    @cached_property
    def clip(self) -> Clip:
        name = self.words["clip"]
        with reporter(self.drawing.quiet) as progress:
            progress.say(f"reading {name}" + ("" if Path(name).is_dir() else ", which is downloaded the first time"))
        return load_clip(name, find_device(self.opening.device))

    def arrange(self, model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
        size, where = self.words["size"], typed_of(self.where)
        given = {**self.words, "prompts": self.prompts, "clip": self.clip, "size": size_of(size)}
        if any(where.values()):
            given["where"] = region_of(self.where, model)
        return given, {**self.words, **where, "show": self.show}

    def foreword(self, model: Model) -> str:
        """What the run will cost, by one look that is timed."""
        words, views = self.words, self.words["views"]
        through = words["scale"] is not None
        planned = plan(model, words["mode"], words["from_level"], size_of(words["size"]), through)
        score = scores_of(model, self.prompts, words["mode"], self.clip, views)([self.drawing.seed])
        began = time.perf_counter()
        slope(score, torch.zeros(1, 3, *planned.levels[-1].size, device=model.device))
        seconds = time.perf_counter() - began
        total = planned.looks * seconds * self.drawing.count
        span = f"{total / 60:.0f} minutes" if total > 90 else f"{total:.0f} s"
        return (
            f"{planned.looks} guided steps a picture, each of {views} views and about {seconds:.2g} s:"
            f" some {span}, and the drawing"
        )

    def note(self, model: Model, frame: unica.Frame, path: Path) -> dict[str, Any]:
        """The score of each guided step; with --show also as a plot, and where the picture was guided."""
        (guide,) = (led for led in frame.leading if hasattr(led, "scores"))
        scores = [round(score[frame.row].item(), 4) for score in guide.scores]
        report: dict[str, Any] = {"first_score": scores[0], "last_score": scores[-1], "scores": scores}
        if self.show:
            curve = path.with_suffix(".scores.svg")
            points = [Point(float(step), score, f"step {step}") for step, score in enumerate(scores)]
            write_text(scatter({"score": points}, "guided step", "score"), curve)
            report["curve"] = str(curve)
        mask = getattr(guide, "mask", None)
        if self.show and mask is not None:
            height, width = frame.pixels.shape[-2:]
            marked = resize(mask[frame.row : frame.row + 1].cpu(), (height, width), "bilinear")[0] > 0.5
            where = path.with_suffix(".mask.png")
            save_png(to_pil(shown(marked, frame.pixels)), where)
            report["mask"] = str(where)
        return report
