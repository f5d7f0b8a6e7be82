"""Pictures that show what a text says, by a CLIP (SinDDM, Sec. 3.3 and App. E; SinDiffusion, Eq. 5)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Param, Text, Whole
from unica.engines.base import Model, Run
from unica.errors import UnicaError, span
from unica.prompts import DEFAULT_CLIP, Prompt, Prompts
from unica.tasks.declare import BY_ENGINE, NEW, CanvasSize, Count, Figures, Seed, task
from unica.tasks.follow import (
    Eta,
    Fill,
    FromLevel,
    Guidance,
    Mode,
    Momentum,
    Place,
    Prefer,
    Scale,
    guided,
    guided_steps,
    region_canvas,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from unica.guides import Scored
    from unica.guides.clip import Clip
    from unica.guides.score import Score
    from unica.tasks.follow import Scores
    from unica.tasks.run import Frame


class ClipName(Text):
    """The name or the folder of a CLIP; in Python, also one that is loaded."""

    def check(self, name: str, value: Any) -> Any:
        if value == "":
            raise UnicaError(f"{name} must be a name or a folder, not an empty text")
        return super().check(name, value) if isinstance(value, bool | int | float) or value is None else value

    def parse(self, name: str, text: str) -> str:
        return self.check(name, text)

    def without_folder(self, value: Any) -> Any:
        return Path(value).name if Path(value).is_dir() else value


def _prepare(model: Model, values: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Load the CLIP, and time one look at a picture to say what the run will cost."""
    import time

    import torch

    from unica.guides.clip import transformers_classes
    from unica.guides.score import slope

    transformers_classes()  # before anything is said of a download
    name, mode, views = values["clip"], values["mode"], values["views"]
    say(f"reading {name}" + ("" if Path(name).is_dir() else ", which is downloaded the first time"))
    values = {**values, "clip": _loaded(name, model)}
    planned = guided_steps(model, mode, values["from_level"], values["size"], values["scale"] is not None)
    score = _scores(values["prompts"], mode, values["clip"], views)([values["seed"]], planned.run)
    began = time.perf_counter()
    slope(score, torch.zeros(1, 3, *planned.run.levels[-1].size, device=model.device))
    seconds = time.perf_counter() - began
    total = planned.looks * seconds * values["count"]
    say(
        f"{planned.looks} guided steps a picture, each of {views} views and about {seconds:.2g} s:"
        f" some {span(total)}, and the drawing"
    )
    return values


def _record(frame: "Frame") -> "Scored":
    """What guided the frame's run."""
    from unica.guides import Scored

    return next(guide for guide in frame.guides if isinstance(guide, Scored))


def _notes(frame: "Frame", **_: Any) -> Mapping[str, Any]:
    """The score of each guided step."""
    scores = [round(score[frame.row].item(), 4) for score in _record(frame).scores]
    return {"first_score": scores[0], "last_score": scores[-1], "scores": scores}


def _figures(frame: "Frame") -> "Mapping[str, tuple[str, str | Float[Tensor, '3 h w']]]":
    """The scores as a curve, and where the picture was guided."""
    from unica.image import resize
    from unica.masks import shown
    from unica.plot import Point, scatter

    scores = [round(score[frame.row].item(), 4) for score in _record(frame).scores]
    points = [Point(float(step), score, f"step {step}") for step, score in enumerate(scores)]
    figures: dict[str, Any] = {"curve": (".scores.svg", scatter({"score": points}, "guided step", "score"))}
    mask = _record(frame).mask
    if mask is not None:
        height, width = frame.pixels.shape[-2:]
        marked = resize(mask[frame.row : frame.row + 1].cpu(), (height, width), "bilinear")[0] > 0.5
        figures["mask"] = (".mask.png", shown(marked, frame.pixels))
    return figures


@task(
    NEW,
    preview=region_canvas,
    prepare=_prepare,
    notes=_notes,
    figures=Figures("Also write where it was guided, and the scores.", _figures),
    local=lambda values: "path" if values["mode"] == "region" else None,
)
def text(
    model: Model,
    prompts: Annotated[
        str | Prompt | Sequence[str | Prompt],
        Param("What the picture should show; TEXT:W gives a weight, below 0 it pushes away.", Prompts(), argument=True),
    ],
    mode: Mode = "content",
    clip: Annotated[
        Any,
        Param(
            "A CLIP of the transformers library: its name on the hub, or its folder.",
            ClipName("NAME|DIR"),
            advanced=True,
        ),
    ] = DEFAULT_CLIP,
    views: Annotated[int, Param("How many views of the picture a step looks at.", Whole(1, 1024), advanced=True)] = 16,
    where: Place = None,
    eta: Eta = None,
    fill: Fill = None,
    momentum: Momentum = None,
    from_level: FromLevel = BY_ENGINE,
    prefer: Prefer = BY_ENGINE,
    scale: Scale = None,
    size: CanvasSize = None,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw pictures that show what a text says, by CLIP."""
    from unica.guides.clip import SHARP

    known, seeing = Prompts().check("prompts", prompts), _loaded(clip, model)
    scores = _scores(known, mode, seeing, views)
    guidance = Guidance(model, scores, mode, eta, fill, momentum, glance=seeing.score(known, SHARP, views=1))
    return guided(model, guidance, where, from_level, prefer, scale, size, count, seed)


def _loaded(clip: "str | Clip", model: Model) -> "Clip":
    from unica.guides.clip import load

    return load(clip, model.device) if isinstance(clip, str) else clip


def _scores(prompts: Sequence[Prompt], mode: str, clip: "Clip", views: int) -> "Scores":
    """Fresh scores of how well pictures fit the prompts.

    CLIP sees regions, and pictures of the coarsest of several levels, blurry, because they are small: their templates
    say so. Styles are named as such.
    """
    from unica.guides.clip import BLURRY, SHARP

    if mode in ("style", "restyle"):
        prompts = [prompt.as_style() for prompt in prompts]
    clip.score(prompts, BLURRY, views)  # finds out now what is wrong with the prompts

    def fresh(seeds: Sequence[int], run: Run) -> "Score":
        def fit(templates: Sequence[str]) -> "Score":
            return clip.score(prompts, templates, views, seeds)

        if mode == "region":
            return fit(BLURRY)
        sharp, smallest = fit(SHARP), min(level.size for level in run.levels)
        if smallest == run.levels[-1].size:
            return sharp
        blurry = fit(BLURRY)
        return lambda pictures: (blurry if pictures.shape[-2:] == smallest else sharp)(pictures)

    return fresh
