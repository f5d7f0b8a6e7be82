"""Pictures that follow words, or any other score (SinDDM §3.3 and App. E; SinDiffusion, Eq. 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from unica.diffusion import Denoiser, Guide, Level
from unica.errors import UnicaError
from unica.guides.clip import DEFAULT, GENERAL, REGION, Clip, Prompt
from unica.guides.clip import load as load_clip
from unica.guides.score import Ascent, Held, Score, Steered, Step, climb
from unica.model import Model
from unica.regions import Region, feathered
from unica.tasks.given import given
from unica.tasks.task import Frame, Task, canvas, check_run, check_source, draw

MODES = ("content", "style", "restyle", "region")
Words = str | Prompt | Sequence[str | Prompt]
Scores = Callable[[Sequence[int]], Score]  # a fresh one for a run of these seeds

LARGEST_VIEWS = 1024
_FREE = 3  # last steps, which make one picture of it
_HOLD = 3.0  # pixels
_SKIPPED = {"content": 1 / 2, "style": 2 / 3, "restyle": 2 / 3}  # of the coarsest level's steps, where it is guided
_SEAM = 4  # pixels around a region that are drawn anew with it
_FILL = {"content": 0.3, "style": 1.0, "restyle": 1.0, "region": 1.0}
_ETA = {"content": 0.3, "style": 0.1, "restyle": 0.1, "region": 0.1}
_MOMENTUM = {"content": 0.2, "style": 0.05, "restyle": 0.05, "region": 1.0}
_ASCENT = 100  # steps of a region


@dataclass(frozen=True)
class Plan:
    """What a guided run does."""

    levels: Sequence[Level]
    steps: frozenset[Step]  # those that are guided
    looks: int  # how often the score is looked at


def plan(
    model: Model, mode: str, from_level: int = 1, size: tuple[int, int] | None = None, through: bool = False
) -> Plan:
    """Content is guided from a level on, from the coarsest one after half of its steps; style on the finest level. The
    last three steps are free. Guidance `through` a network has all others of content."""
    if mode not in MODES:
        raise UnicaError(f"mode must be {', '.join(MODES[:-1])} or {MODES[-1]}, not {mode}")
    levels = model.pliant().levels(canvas(model, size))
    if from_level < 0 or from_level > max(len(levels) - 1, 1):
        raise UnicaError(f"from-level must lie between 0 and {len(levels) - 1} here, not {from_level}")
    if mode == "region":
        return Plan([_end(levels[-1], _FREE)], frozenset(), _ASCENT)
    first = len(levels) - 1 if mode != "content" else 0 if through else min(from_level, len(levels) - 1)
    whole = first > 0 or (through and mode == "content")
    skipped = 0 if whole else round(_SKIPPED[mode] * (len(levels[0].times) - 1))
    if mode == "restyle":
        levels, first, skipped = [_end(levels[-1], len(levels[-1].times) - 1 - skipped)], 0, 0
    steps = [(level.index, t) for level in levels[first:] for t in level.times[:-1]][skipped:-_FREE]
    if not steps:
        raise UnicaError(f"nothing would be guided: mode {mode} has no more than {_FREE} steps here, which are free")
    return Plan(levels, frozenset(steps), len(steps))


def _end(level: Level, steps: int) -> Level:
    """Its last steps, for a picture that enters there."""
    return replace(level, times=level.times[-1 - steps :], entry=None)


def _text(
    model: Model,
    prompts: Words,
    mode: str = "content",
    clip: str | Clip = DEFAULT,
    views: int = 16,
    **words: Any,
) -> Iterator[Frame]:
    """Prompts may have weights; one below zero pushes away. `clip` is a model of the transformers library, by its name
    on the hub or its folder, that looks at `views` of a picture at each step. The other words are those of `follow`."""
    score = scores_of(model, prompts, mode, clip, views)
    return _guided(model, score, mode, **words)


def _follow(model: Model, score: Score, mode: str = "content", **words: Any) -> Iterator[Frame]:
    """`score` is any differentiable function from pictures in [0, 1] to one number each; more is better.

    - content: new pictures with something in them, on a share `fill` of their pixels, from the level `from_level` on.
    - style: new pictures in another style; restyle: the source itself.
    - region: a part of the source, `where`; the rest stays.

    `eta` is how strongly, and `momentum` how much of the engine's answer is taken at each step. With `scale`, for
    models with a network, the gradient goes through that, as SinDiffusion's. `size`, `count` and `seed` are as ever.
    """
    return _guided(model, lambda seeds: score, mode, **words)


def scores_of(
    model: Model, prompts: Words, mode: str = "content", clip: str | Clip = DEFAULT, views: int = 16
) -> Scores:
    """Fresh scores of how well pictures fit the prompts."""
    if not 1 <= views <= LARGEST_VIEWS:
        raise UnicaError(f"views must lie between 1 and {LARGEST_VIEWS}, not {views}")
    several = [prompts] if isinstance(prompts, str | Prompt) else prompts
    known = [Prompt(prompt) if isinstance(prompt, str) else prompt for prompt in several]
    network = load_clip(clip, model.device) if isinstance(clip, str) else clip
    templates = REGION if mode == "region" else GENERAL
    network.score(known, templates, views)  # what is wrong with the words is said now
    return lambda seeds: network.score(known, templates, views, seeds)


def _guided(
    model: Model,
    scores: Scores,
    mode: str,
    where: Region | None = None,
    eta: float | None = None,
    fill: float | None = None,
    momentum: float | None = None,
    from_level: int = 1,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    count: int = 1,
    seed: int = 0,
) -> Iterator[Frame]:
    check_run(count, seed)
    planned = plan(model, mode, from_level, size, scale is not None)
    if (where is not None) != (mode == "region"):
        raise UnicaError("a box, polygon or mask says where a region is, and mode region needs one; no other mode does")
    if mode in ("restyle", "region"):
        check_source(model)
        if size is not None:
            raise UnicaError(f"mode {mode} works on the source as it is: size is not for it")
    if scale is not None and (mode == "region" or model.traces):
        raise UnicaError("scale guides through a network, in modes content, style and restyle: it is not for this run")
    eta, fill, momentum = (
        _share(name, given if given is not None else usual[mode])
        for name, given, usual in (("eta", eta, _ETA), ("fill", fill, _FILL), ("momentum", momentum, _MOMENTUM))
    )
    if fill == 0:
        raise UnicaError("fill must lie above 0: nothing would be guided")
    model, hold = model.pliant(), _HOLD if model.traces else None
    if where is not None:
        return _region(model, scores, planned, where, eta, hold, count, seed)
    start = model.initial(planned.levels[0])
    if mode == "restyle":
        start = given(model.picture).canvas(model.channels).to(model.device)

    def steered(denoiser: Denoiser, seeds: Sequence[int]) -> Denoiser:
        return Steered(denoiser, scores(seeds), scale or 0.0, planned.steps)

    def ascent(seeds: Sequence[int]) -> Sequence[Guide]:
        return [Ascent(scores(seeds), planned.steps, fill, eta, momentum, hold)]

    if scale is None:
        return draw(model, planned.levels, count, seed, start=start, guides=ascent)
    return draw(model, planned.levels, count, seed, start=start, around=steered)


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UnicaError(f"{name} must lie between 0 and 1, not {value:g}")
    return value


def _region(
    model: Model, scores: Scores, planned: Plan, where: Region, eta: float, hold: float | None, count: int, seed: int
) -> Iterator[Frame]:
    """Only the region's box is looked at and changed, by plain steps; a few of denoising make it one with the rest."""
    marked, source = where.on(model.picture), given(model.picture)
    rows, columns = (torch.nonzero(marked[0].any(axis))[:, 0] for axis in (1, 0))
    box = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    share, inside = feathered(marked, _SEAM), marked[None].to(model.device).float()
    origins = source.origins.where(share.movedim(0, -1) == 0, -1)
    for index in range(count):
        crop = source.pixels[box][None].to(model.device)
        climbed, values = climb(scores([seed + index]), crop, planned.looks, eta)
        pixels = source.pixels.clone()
        pixels[box] = climbed[0].cpu().where(marked[box], pixels[box])
        changed = replace(source, pixels=pixels, share=share, origins=origins)
        start = changed.canvas(model.channels).to(model.device)
        leading = _alone(Held(start, inside, values, hold))
        for frame in draw(model, planned.levels, 1, seed + index, start=start, guides=leading, given=changed):
            yield replace(frame, index=index, done=(index + frame.fraction) / count)


def _alone(guide: Guide) -> Callable[[Sequence[int]], Sequence[Guide]]:
    return lambda seeds: [guide]


text, follow = Task(_text), Task(_follow)
