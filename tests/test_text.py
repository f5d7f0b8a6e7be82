"""Guided pictures on every engine: the maths by hand, and runs with a small CLIP, judged without it."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from captions import judge
from conftest import scenery
from engines import small_model
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

import unica
from unica import Prompt, Region
from unica.cli.app import make_app
from unica.diffusion import Level, Prediction
from unica.engines.base import Model
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError
from unica.guides.score import Ascent, Held, Steered, climb
from unica.image import load, read_text, to_pil
from unica.schedule import Blend, Exploding
from unica.tasks.follow import Guidance, guided_steps

FOLDER = Path(__file__).parent / "clip"
LEVEL = Level(0, (6, 8), (4.0, 3.0, 2.0, 1.0, 0.0), Exploding())
BOX = Region(box=[(30, 4, 24, 24)])


def redness(pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    return (pictures[:, 0] - pictures[:, 1:].mean(1)).mean((1, 2))


@pytest.fixture(scope="module")
def clip() -> Any:
    pytest.importorskip("transformers", reason="transformers reads the CLIP of the tests")
    from unica.guides.clip import load

    return load(str(FOLDER))


def fit(picture: Image.Image, prompt: str) -> float:
    return judge(prompt)(load(picture).pixels * 0.5 + 0.5)


# The maths, by hand


def test_mask_is_where_the_first_gradient_is_strongest() -> None:
    """Eq. 8: the mask's area is the fill factor, and a step is eta times as long as x0 inside the mask."""
    weights = torch.arange(48.0).view(1, 1, 6, 8) + 1
    x0 = torch.full((1, 3, 6, 8), 0.5)
    ascent = Ascent(lambda x: (weights * x).sum((1, 2, 3)), {("", 0, 4.0)}, fill=0.25, strength=0.1, momentum=0.2)
    moved = ascent(x0, 4.0, LEVEL)
    assert ascent.mask is not None and ascent.mask.mean() == 0.25
    inside = ascent.mask.expand_as(x0) > 0
    assert torch.equal(moved[~inside], x0[~inside]) and (moved[inside] > 0.5).all()
    assert (moved - x0)[inside].norm() == pytest.approx(0.1 * x0[inside].norm().item(), rel=1e-4)
    shortened = weights[0, 0, 5] - weights[0, 0, 4, 3]  # the authors' first gradient, of lengths above the limit
    ratio = (moved - x0)[0, 0, 5] / shortened
    assert torch.allclose(ratio, ratio[0].expand(8), rtol=1e-4)


def test_momentum_keeps_what_was_gained() -> None:
    """Eq. 9: each step takes only a share of the denoiser's answer."""
    x0 = torch.full((1, 3, 6, 8), 0.2)
    steps = {("", 0, 4.0), ("", 0, 3.0)}
    ascent = Ascent(redness, steps, fill=1.0, strength=0.3, momentum=0.05)
    first = ascent(x0, 4.0, LEVEL)
    second = ascent(x0, 3.0, LEVEL)  # as if the denoiser had undone all of it
    kept = x0 + 0.95 * (first - x0)
    gradient = torch.tensor([2.0, -1.0, -1.0]).view(1, 3, 1, 1)
    moved = kept + 0.3 * kept.norm() * (gradient.expand_as(x0) / gradient.expand_as(x0).norm())
    assert torch.allclose(second, moved, atol=1e-5)
    assert len(ascent.scores) == 2 and ascent.scores[1] > ascent.scores[0]


def test_mask_is_everywhere_if_all_gradients_are_alike() -> None:
    ascent = Ascent(redness, {("", 0, 4.0)}, fill=0.3, strength=0.1, momentum=0.2)
    ascent(torch.full((1, 3, 6, 8), 0.2), 4.0, LEVEL)
    assert ascent.mask is not None and ascent.mask.min() == 1


def test_free_steps_change_nothing_unless_the_gain_is_held() -> None:
    x0 = torch.rand(1, 3, 6, 8) * 0.5
    free = Ascent(redness, {("", 0, 4.0)}, fill=1.0, strength=0.3, momentum=0.0)
    held = Ascent(redness, {("", 0, 4.0)}, fill=1.0, strength=0.3, momentum=0.0, hold=1.0)
    gained = [ascent(x0, 4.0, LEVEL) for ascent in (free, held)]
    assert torch.equal(free(x0, 3.0, LEVEL), x0)
    assert torch.allclose(held(x0, 3.0, LEVEL), gained[1], atol=1e-5)


def test_mask_grows_with_the_level() -> None:
    ascent = Ascent(redness, {("", 0, 4.0), ("", 1, 2.0)}, fill=1.0, strength=0.1, momentum=0.5)
    ascent(torch.rand(1, 3, 6, 8), 4.0, LEVEL)
    up = ascent(torch.rand(1, 3, 12, 16), 2.0, Level(1, (12, 16), (2.0, 0.0), Exploding()))
    assert up.shape[-2:] == (12, 16) and ascent.mask is not None and ascent.mask.shape[-2:] == (12, 16)


def test_climbed_picture_is_held_or_left_free() -> None:
    x0, target = torch.zeros(1, 3, 6, 8), torch.full((1, 3, 6, 8), 0.5)
    mask = torch.ones(1, 1, 6, 8)
    assert torch.allclose(Held(target, mask, [], 1.0)(x0, 1.0, LEVEL), target)
    assert torch.equal(Held(target, mask, [], None)(x0, 1.0, LEVEL), x0)
    climbed, scores = climb(redness, target, 3, 0.1)
    assert len(scores) == 3 and redness(climbed * 0.5 + 0.5) > scores[-1] > scores[0]


class Halving:
    """A differentiable denoiser whose x0 is half of what it sees."""

    def __call__(self, x_t: Tensor, t: float, level: Level, blend: Blend) -> Prediction:
        return Prediction(x_t / 2, x_t / (2 * t))


def test_steered_denoiser_follows_the_chain_rule() -> None:
    """Eq. 5, written for x0 and eps, by hand."""
    x_t = torch.full((1, 3, 6, 8), 0.1)
    steered = Steered(Halving(), redness, 10.0, {("", 0, 2.0)})
    x0, eps = steered(x_t, 2.0, LEVEL, Blend())
    slope = torch.tensor([1.0, -0.5, -0.5]).view(1, 3, 1, 1) / 48 * 0.5 * 0.5  # of the score, [0, 1], the denoiser
    assert torch.allclose(x0, x_t / 2 + 10 * 4 * slope) and torch.allclose(eps, x_t / 4 - 10 * 2 * slope)
    assert torch.allclose(x0 + 2 * eps, x_t)  # they still make up what was seen
    assert torch.equal(steered(x_t, 3.0, LEVEL, Blend()).x0, x_t / 2)


def test_plain_guidance_does_not_differentiate_the_denoiser(tiny_model: Model) -> None:
    def score(pictures: Tensor) -> Tensor:
        assert pictures.grad_fn is not None and pictures.grad_fn.next_functions[0][0] is not None
        depth, node = 0, pictures.grad_fn
        while node is not None and node.next_functions:
            depth, node = depth + 1, node.next_functions[0][0]
        assert depth <= 3  # from [-1, 1] to [0, 1], and no network
        return redness(pictures)

    unica.follow(tiny_model, score, prefer=0)


# Runs


def test_pictures_climb_any_score(tiny_model: Model) -> None:
    """A larger eta climbs more, and a larger fill changes more of the picture. Elsewhere the picture stays as it is."""

    def uneven(pictures: Tensor) -> Tensor:
        ramp = torch.linspace(0.5, 1.5, pictures.shape[-1])
        return redness(pictures * ramp)

    def red(picture: Image.Image) -> float:
        return redness(load(picture).pixels[None] * 0.5 + 0.5).item()

    (plain,) = unica.follow(tiny_model, uneven, eta=0.0)
    eta = [red(unica.follow(tiny_model, uneven, eta=eta, fill=0.5)[0]) for eta in (0.02, 0.3)]
    assert red(plain) < eta[0] < eta[1]
    fill = [red(unica.follow(tiny_model, uneven, fill=fill)[0]) for fill in (0.1, 1.0)]
    assert red(plain) < fill[0] < fill[1]
    width, height = tiny_model.picture.size
    left = torch.zeros(1, 1, height, width)
    left[..., : width // 2] = 1

    def at_left(pictures: Tensor) -> Tensor:
        mask = torch.nn.functional.interpolate(left, pictures.shape[-2:])
        return ((pictures[:, :1] - pictures[:, 1:].mean(1, True)) * mask).mean((1, 2, 3))

    (half,) = unica.follow(tiny_model, at_left, fill=0.5)
    changed = (load(half).pixels - load(plain).pixels).abs().mean(0)
    assert changed[:, round(0.7 * width) :].mean() < 0.5 * changed[:, : width // 2].mean()


def test_mask_has_the_asked_for_area(tiny_model: Model) -> None:
    *_, frame = unica.stream(unica.follow, tiny_model, lambda x: (x**2).sin().sum((1, 2, 3)), fill=0.25)
    (guide,) = (guide for guide in frame.guides if isinstance(guide, Ascent))
    assert guide.mask is not None and guide.mask.mean() == pytest.approx(0.25, abs=0.03)


def test_restyle_keeps_the_layout_and_style_does_not(any_model: Model) -> None:
    source = any_model.picture.pixels
    old = (source - source.mean((1, 2), keepdim=True)).flatten()

    def likeness(picture: Image.Image) -> float:
        new = load(picture).pixels
        return torch.corrcoef(torch.stack([old, (new - new.mean((1, 2), keepdim=True)).flatten()]))[0, 1].item()

    (again,) = unica.follow(any_model, redness, mode="restyle", eta=0.02)
    (new,) = unica.follow(any_model, redness, mode="style", eta=0.02, size=(64, 48))
    assert likeness(again) > likeness(new) + 0.1
    assert unica.follow(any_model, redness, mode="style", size=(80, 56))[0].size == (80, 56)


def test_region_mode_changes_the_region_alone(any_model: Model) -> None:
    (drawn,) = unica.follow(any_model, redness, mode="region", where=BOX)
    before, after = any_model.picture.pixels, load(drawn).pixels
    box = (slice(None), slice(4, 28), slice(30, 54))
    assert redness(after[box][None]) > redness(before[box][None]) + 0.1
    near = Region(box=[(26, 0, 32, 32)]).on(any_model.picture)[0]
    assert torch.equal(after[:, ~near], before[:, ~near])


@pytest.mark.parametrize("engine", ["sinddm", "sindiffusion"])
def test_larger_scale_guides_more_through_the_network(engine: str) -> None:
    model = small_model(engine, to_pil(scenery(48, 64)))
    assert isinstance(model, TrainedModel)
    patches = TrainedModel(model.process.tuned(detail="patches"), model.network, model.picture)
    with pytest.raises(UnicaError, match="guides through a network"):  # patches have no gradient
        unica.follow(patches, redness, scale=300.0)

    def red(**words: float) -> float:
        return redness(load(unica.follow(model, redness, scale=words["scale"])[0]).pixels[None]).item()

    assert red(scale=0.0) < red(scale=300.0) < red(scale=3000.0)


def test_pictures_show_what_a_prompt_says(any_model: Model, clip: Any) -> None:
    (plain,) = unica.follow(any_model, redness, eta=0.0)
    for prompt in ("a red picture", "vertical stripes"):
        (drawn,) = unica.text(any_model, prompt, clip=clip, views=4, fill=0.8)
        assert fit(drawn, prompt) > fit(plain, prompt)


TEN = [
    *("a red picture", "a blue picture", "a purple picture", "horizontal stripes", "vertical stripes"),
    *("blue and white vertical stripes", "black and white checks", "red dots on a white background"),
    *("a red sky over green ground", "a yellow square at the left"),
]


@pytest.mark.slow
def test_nine_of_ten_prompts_are_followed(any_model: Model, clip: Any) -> None:
    """As judged by measures that know nothing of the network, over two seeds each."""
    plain = unica.follow(any_model, redness, eta=0.0, count=2)
    better = []
    for prompt in TEN:
        drawn = unica.text(any_model, prompt, clip=clip, views=8, fill=1.0, count=2)
        better.append(sum(fit(p, prompt) for p in drawn) > sum(fit(p, prompt) for p in plain))
    assert sum(better) >= 9, [prompt for prompt, good in zip(TEN, better) if not good]


class Noting:
    """In a CLIP's place: it writes down what each look is given."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, int, tuple[int, ...], int]] = []  # prompt, templates, size, views

    def score(self, prompts: Any, templates: Any, views: int, seeds: Any = (0,)) -> Any:
        def score(pictures: Tensor) -> Tensor:
            self.looks.append((prompts[0].text, len(templates), tuple(pictures.shape[-2:]), views))
            return redness(pictures)

        return score


@pytest.mark.parametrize("mode", ("content", "style", "restyle", "region"))
def test_each_look_has_16_views_and_fitting_templates(any_model: Model, mode: str) -> None:
    """Those of regions name blur. A model with levels of one size takes the sharp ones."""
    where = BOX if mode == "region" else None
    unica.text(any_model, "a castle", mode, clip=(clip := Noting()), where=where, prefer=0)
    assert len(clip.looks) >= guided_steps(any_model, mode).looks
    sizes = {level.size for level in any_model.for_guidance().run((48, 64)).levels}
    for prompt, templates, size, views in clip.looks:
        assert prompt == ("a castle Style" if mode in ("style", "restyle") else "a castle") and views == 16
        small = size == (24, 24) if mode == "region" else size == min(sizes) != max(sizes)
        assert templates == (26 if small else 14)


@pytest.mark.parametrize("mode", ("content", "style", "restyle"))
def test_templates_name_blur_on_the_coarsest_level_alone(mode: str) -> None:
    model = unica.open(to_pil(scenery(130, 170)))
    sizes = [level.size for level in model.for_guidance().run((130, 170)).levels]
    unica.text(model, "a castle", mode, clip=(clip := Noting()), from_level=0, prefer=0)
    seen = {(size, templates) for _, templates, size, _ in clip.looks}
    if mode == "content":
        assert len(sizes) > 1 and seen == {(size, 14 if size != sizes[0] else 26) for size in sizes}
    else:
        assert seen == {(sizes[-1], 14)}


def test_windows_of_the_source_are_seen_at_a_glance() -> None:
    """One view of each is enough to tell which parts fit; 16 would take longer than the picture."""
    model = unica.open(to_pil(scenery(48, 64)))
    unica.text(model, "a castle", clip=(clip := Noting()), prefer=2)
    glances = [size for _, _, size, views in clip.looks if views == 1]
    assert len(glances) > 9 and max(glances) < (48, 64)
    assert {views for _, _, _, views in clip.looks} == {1, 16}


def test_strengths_are_the_published_ones(any_model: Model) -> None:
    """Strength, fill and momentum of each mode; styles are weaker where patches draw the detail."""
    style = (0.3 if any_model.differentiable else 0.1, 1.0, 0.05)
    published = {"content": (0.3, 0.3, 0.2), "style": style, "restyle": style, "region": (0.1, 1.0, 1.0)}
    for mode, values in published.items():
        guidance = Guidance(any_model, lambda seeds, run: redness, mode, None, None, None)
        assert (guidance.eta, guidance.fill, guidance.momentum) == values
    region = guided_steps(any_model, "region")
    assert region.looks == 100 and [len(level.times) - 1 for level in region.run.levels] == [3]


def test_a_style_is_named_as_such() -> None:
    named = [Prompt(text, 0.5).as_style() for text in ("Van Gogh", "Van Gogh style", "Monet STYLE ", "freestyle")]
    assert [prompt.text for prompt in named] == ["Van Gogh Style", "Van Gogh style", "Monet STYLE ", "freestyle Style"]
    assert all(prompt.weight == 0.5 for prompt in named)


def test_negative_weight_pushes_away(any_model: Model, clip: Any) -> None:
    words: dict[str, Any] = {"clip": clip, "views": 2, "fill": 1.0}
    (towards,) = unica.text(any_model, "a red picture", **words)
    (away,) = unica.text(any_model, Prompt("a red picture", -1.0), **words)
    assert fit(away, "a red picture") < fit(towards, "a red picture")


def test_another_prompt_in_between_changes_nothing(tiny_model: Model, clip: Any) -> None:
    red, stripes, again = (
        unica.text(tiny_model, prompt, clip=clip, views=2)[0].tobytes()
        for prompt in ("a red picture", "vertical stripes", "a red picture")
    )
    assert red == again != stripes


BAD = [
    ({"mode": "contents"}, "mode must be"),
    ({"eta": 1.5}, "eta must be"),
    ({"fill": 0.0}, "fill must be"),
    ({"momentum": -1.0}, "momentum must be"),
    ({"from_level": 9}, "from-level"),
    ({"mode": "region"}, "mode region needs one"),
    ({"where": BOX}, "no other mode does"),
    ({"mode": "restyle", "size": (64, 48)}, "size is not for it"),
    ({"mode": "region", "where": BOX, "scale": 1.0}, "scale is for the modes content, style and restyle"),
    ({"count": 0}, "count must be"),
]


@pytest.mark.parametrize(("words", "match"), BAD, ids=str)
def test_bad_arguments_are_refused(any_model: Model, words: dict[str, Any], match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        unica.follow(any_model, redness, **words)


def test_scores_without_a_gradient_are_refused(tiny_model: Model) -> None:
    with pytest.raises(UnicaError, match="must be finite"):
        unica.follow(tiny_model, lambda x: x.sum((1, 2, 3)) * math.nan)
    with pytest.raises(UnicaError, match="does not change with the picture"):
        unica.follow(tiny_model, lambda x: 0 * x.sum((1, 2, 3)))


def test_instant_engine_cannot_guide_through_a_network() -> None:
    with pytest.raises(UnicaError, match="scale guides through a network"):
        unica.follow(unica.open(to_pil(scenery(32, 32))), redness, scale=1.0)


def test_bad_prompts_are_refused(clip: Any) -> None:
    model = unica.open(to_pil(scenery(32, 32)))
    for prompts, match in ((" ", "empty"), ([], "no prompt"), ("red " * 200, "tokens")):
        with pytest.raises(UnicaError, match=match):
            unica.text(model, prompts, clip=clip)
    with pytest.raises(UnicaError, match="views must be"):
        unica.text(model, "red", clip=clip, views=0)


def test_guided_steps_leave_the_last_three_free() -> None:
    """Content is guided from level 1 on, and on level 0 after half of its steps."""
    model = unica.open(to_pil(scenery(130, 170)))
    levels = model.for_guidance().run((130, 170)).levels
    first, last = levels[0], levels[-1]
    content, early = guided_steps(model, "content"), guided_steps(model, "content", from_level=0)
    assert (first.part, first.index, first.times[0]) not in content.steps | early.steps
    assert (last.part, last.index, last.times[0]) in content.steps and (
        last.part,
        last.index,
        last.times[-4],
    ) not in content.steps
    assert len(early.steps) - len(content.steps) == (len(first.times) - 1) - (len(first.times) - 1) // 2
    style = guided_steps(model, "style")
    assert style.steps == {(last.part, last.index, t) for t in last.times[:-4]} and len(style.run.levels) == len(levels)
    assert [level.index for level in guided_steps(model, "restyle").run.levels] == [last.index]


def test_text_command_tells_its_cost_and_how_the_picture_was_guided(
    photo: Path, tmp_path: Path, clip: Any, monkeypatch
) -> None:
    def run(*words: str) -> Any:
        result = CliRunner().invoke(make_app(), list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    out = tmp_path / "out"
    words = ["text", str(photo), "a red picture", "stripes:-0.5", "--clip", str(FOLDER), "--views", "2"]
    result = run(*words, "--show", "--json", "-o", str(out))
    assert "guided steps a picture, each of 2 views" in result.stderr
    (picture,) = json.loads(result.stdout)["pictures"]
    path = out / "photo-text-0.png"
    assert len(picture["scores"]) > 3 and Path(picture["curve"]).read_text().startswith("<svg")
    assert load(picture["mask"]).size == (40, 32) and read_text(path)["unica:task"] == "text"
    *_, line = run("info", str(path)).stdout.strip().splitlines()
    program, command, *rest = shlex.split(line)
    monkeypatch.chdir(photo.parent)
    run(command, "-q", "-o", str(tmp_path), *[str(FOLDER) if word == FOLDER.name else word for word in rest])
    assert program == "unica" and (tmp_path / path.name).read_bytes() == path.read_bytes()
    assert line.endswith("-- 'a red picture' stripes:-0.5")
    boxed = [*words, "--mode", "region", "--box", "5,5,20,20", "-q", "-o", str(tmp_path / "box")]
    run(*boxed)
