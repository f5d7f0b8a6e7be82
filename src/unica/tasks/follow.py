"""Pictures that climb a score: any differentiable function of pictures (SinDDM, Sec. 3.3 and App. E; SinDiffusion,
Eq. 5). `text` is the score of a CLIP."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import Anything, Choice, Group, Number, Param, Whole
from unica.engines.base import Model, Run
from unica.errors import UnicaError
from unica.regions import Region
from unica.tasks.declare import BY_ENGINE, CanvasSize, Count, Seed, task

if TYPE_CHECKING:
    from unica.diffusion import Denoiser, Guide, Level
    from unica.guides.score import Score, Step
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import Frame

    Scores = Callable[[Sequence[int], Run], Score]  # makes a fresh score for the pictures of these seeds

_FREE_STEPS = 3  # the last ones, which make one picture of it
_HOLD = 3.0  # pixels
_SKIPPED = {"content": 1 / 2, "style": 2 / 3, "restyle": 2 / 3}  # of the coarsest level's steps, where it is guided
_SEAM = 4  # pixels around a region that are drawn anew with it
_FILL = {"content": 0.3, "style": 1.0, "restyle": 1.0, "region": 1.0}
_ETA = {"content": 0.3, "style": 0.3, "restyle": 0.3, "region": 0.1}
_ETA_OF_PATCHES = _ETA | {"style": 0.1, "restyle": 0.1}  # where patches draw the detail, more makes it garish
_MOMENTUM = {"content": 0.2, "style": 0.05, "restyle": 0.05, "region": 1.0}
_REGION_STEPS = 100

Mode = Annotated[
    str,
    Param(
        "content and style draw new pictures; restyle and region change this one.",
        Choice("content", "style", "restyle", "region"),
    ),
]
Place = Annotated[Region | None, Param("In mode region, where to act.", Group(Region))]
Eta = Annotated[
    float | None, Param("How far each step follows the guidance (default: by the mode).", Number(0, 1), advanced=True)
]
Fill = Annotated[
    float | None,
    Param("Share of the picture that is guided (default: 0.3 for content, else all).", Number(0, 1, above=True)),
]
Momentum = Annotated[
    float | None,
    Param("How much of the engine's answer each step takes; less keeps more of what was gained (default: by the mode).",
          Number(0, 1), advanced=True),
]  # fmt: skip
FromLevel = Annotated[
    int,
    Param(
        "In mode content, the first level that is guided; 0 is the coarsest (default: 1).",
        Whole(0, 100),
        fallback=1,
        advanced=True,
    ),
]
Prefer = Annotated[
    float,
    Param(
        "In mode content, how firmly the parts of the source that fit are preferred; 0 is not at all, 4 is firmly.",
        Number(0, 10),
        fallback=0.0,
    ),
]
Scale = Annotated[
    float | None,
    Param("Guide through the network instead, as SinDiffusion does: try 10000.", Number(0, 1e9), advanced=True),
]


@task(None)
def follow(
    model: Model,
    score: Annotated[
        Any, Param("A differentiable function from pictures in [0, 1] to one number each; more is better.", Anything())
    ],
    mode: Mode = "content",
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
    """Draw pictures that climb a score.

    - content: new pictures with something in them, on a share `fill` of their pixels, from the level `from_level` on.
    - style: new pictures in another style; restyle: the source itself.
    - region: a part of the source, `where`; the rest stays.
    """
    guidance = Guidance(model, lambda seeds, run: score, mode, eta, fill, momentum)
    return guided(model, guidance, where, from_level, prefer, scale, size, count, seed)


@dataclass(frozen=True)
class GuidedSteps:
    """Which levels a guided run has, and which of their steps are guided."""

    run: Run
    steps: "frozenset[Step]"
    looks: int  # how often the score is evaluated


class Guidance:
    """A score and how it is climbed; what is not given follows from the mode, as in SinDDM's authors' code."""

    def __init__(
        self,
        model: Model,
        scores: "Scores",
        mode: str,
        eta: float | None,
        fill: float | None,
        momentum: float | None,
        glance: "Score | None" = None,
    ) -> None:
        self.scores, self.mode = scores, mode
        self.glance = glance  # a cheaper score, for the many windows of the source; None: the score itself
        usual = _ETA if model.differentiable else _ETA_OF_PATCHES
        self.eta = usual[mode] if eta is None else eta
        self.fill = _FILL[mode] if fill is None else fill
        self.momentum = _MOMENTUM[mode] if momentum is None else momentum


def guided_steps(
    model: Model, mode: str, from_level: int = 1, size: tuple[int, int] | None = None, through: bool = False
) -> GuidedSteps:
    """The steps that are guided.

    Content is guided from a level on, and on the coarsest one after half of its steps; style is guided on the finest
    level. The last three steps are free. Guidance `through` a network takes all other steps of content.
    """
    from unica.tasks.run import canvas_size

    run = model.for_guidance().run(canvas_size(model, size))
    levels = list(run.levels)
    if from_level > max(len(levels) - 1, 1):
        raise UnicaError(f"from-level must lie between 0 and {len(levels) - 1} here, not {from_level}")
    if mode == "region":
        return GuidedSteps(Run([_last_steps(levels[-1], _FREE_STEPS)]), frozenset(), _REGION_STEPS)
    first = len(levels) - 1 if mode != "content" else 0 if through else min(from_level, len(levels) - 1)
    whole = first > 0 or (through and mode == "content")
    skipped = 0 if whole else round(_SKIPPED[mode] * (len(levels[0].times) - 1))
    if mode == "restyle":
        levels, first, skipped = [_last_steps(levels[-1], len(levels[-1].times) - 1 - skipped)], 0, 0
    steps = [(level.part, level.index, t) for level in levels[first:] for t in level.times[:-1]][skipped:-_FREE_STEPS]
    if not steps:
        raise UnicaError(f"nothing would be guided: mode {mode} has no more than its {_FREE_STEPS} free steps here")
    return GuidedSteps(run._replace(levels=levels), frozenset(steps), len(steps))


def _last_steps(level: "Level", steps: int) -> "Level":
    """A level's last steps, for a picture that enters there."""
    return replace(level, times=level.times[-1 - steps :], entry=None)


def guided(
    model: Model,
    guidance: Guidance,
    where: Region | None,
    from_level: int,
    prefer: float,
    scale: float | None,
    size: tuple[int, int] | None,
    count: int,
    seed: int,
) -> "Iterator[Frame]":
    """Draw pictures that climb a score."""
    from unica.guides.relevance import relevance
    from unica.guides.score import Ascent, Steered
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import draw

    mode = guidance.mode
    planned = guided_steps(model, mode, from_level, size, scale is not None)
    if (where is not None) != (mode == "region"):
        raise UnicaError("a box, polygon or mask says where a region is, and mode region needs one; no other mode does")
    if mode in ("restyle", "region"):
        if not model.has_source:
            raise UnicaError("this model was saved without its source: there is no picture to work on")
        if size is not None:
            raise UnicaError(f"mode {mode} works on the source as it is: size is not for it")
    if scale is not None and mode == "region":
        raise UnicaError("scale is for the modes content, style and restyle, not for region")
    if scale is not None and not model.differentiable:
        raise UnicaError(
            "scale guides through a network, and patches draw the detail of this model: if its network can draw all of"
            " it, the setting detail=network lets it"
        )
    # An engine that only copies patches would undo what was gained in the free steps.
    model, hold = model.for_guidance(), None if model.differentiable else _HOLD
    if where is not None:
        return _region(model, guidance, planned, where, hold, count, seed)
    run = planned.run
    if prefer and mode == "content" and model.knows_origins:
        glance = guidance.glance or guidance.scores([0], run)  # seed 0 in every run
        fits = relevance(glance, model.picture.pixels.to(model.device))
        model = model.preferring(prefer * fits)
    if mode == "restyle":
        source = Canvas.of_source(model.picture).tensor(model.channels).to(model.device)
        run = run._replace(start=source)

    def steered(denoiser: "Denoiser", seeds: Sequence[int]) -> "Denoiser":
        return Steered(denoiser, guidance.scores(seeds, run), scale or 0.0, planned.steps)

    def ascent(seeds: Sequence[int]) -> "Sequence[Guide]":
        score = guidance.scores(seeds, run)
        return [Ascent(score, planned.steps, guidance.fill, guidance.eta, guidance.momentum, hold)]

    if scale is None:
        return draw(model, run, count, seed, guides=ascent)
    return draw(model, run, count, seed, around=steered)


def region_canvas(model: Model, where: Region | None, **_: Any) -> "Canvas":
    """The source, of which the region is drawn, and what joins it with the rest; without a region, all of it."""
    from unica.masks import feathered
    from unica.tasks.canvas import Canvas

    source = Canvas.of_source(model.picture)
    return source.all_new() if where is None else replace(source, new=feathered(where.on(model.picture), _SEAM))


def _region(
    model: Model,
    guidance: Guidance,
    planned: GuidedSteps,
    where: Region,
    hold: float | None,
    count: int,
    seed: int,
) -> "Iterator[Frame]":
    """Climb on the region's box alone, by plain steps; then a few steps of denoising join it with the rest."""
    import torch

    from unica.guides.score import Held, climb
    from unica.tasks.run import draw

    marked, source = where.on(model.picture), region_canvas(model, where)
    rows, columns = (torch.nonzero(marked[0].any(axis))[:, 0] for axis in (1, 0))
    box = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside = marked[None].to(model.device).float()
    origins = source.origins.where(source.new.movedim(0, -1) == 0, -1)
    for index in range(count):
        crop = source.pixels[box][None].to(model.device)
        climbed, values = climb(guidance.scores([seed + index], planned.run), crop, planned.looks, guidance.eta)
        pixels = source.pixels.clone()
        pixels[box] = climbed[0].cpu().where(marked[box], pixels[box])
        canvas = replace(source, pixels=pixels, origins=origins)
        start = canvas.tensor(model.channels).to(model.device)
        guides = _always(Held(start, inside, values, hold))
        run = planned.run._replace(start=start)
        for frame in draw(model, run, 1, seed + index, guides=guides, canvas=canvas):
            yield replace(frame, index=index, done=(index + frame.fraction) / count)


def _always(guide: "Guide") -> "Callable[[Sequence[int]], Sequence[Guide]]":
    return lambda seeds: [guide]
