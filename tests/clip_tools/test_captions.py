"""The small CLIP of the tests, and the judges that measure what a prompt asks for without a network.

None of this is unica's own code. The tests that take long are slow ones.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from captions import PROMPTS, blur, captions, draw, judge, photographic, scenes
from jaxtyping import Float
from torch import Tensor

FOLDER = Path(__file__).parents[1] / "clip"
Picture = Float[Tensor, "3 h w"]


class Clip(NamedTuple):
    model: Any
    tokenizer: Any

    def pictures(self, pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        from make_clip import embed_pictures

        return embed_pictures(self.model, pictures)

    @torch.no_grad()
    def texts(self, *texts: str) -> Float[Tensor, "n d"]:
        from make_clip import embed_texts

        return embed_texts(self.model, self.tokenizer, list(texts))


@pytest.fixture(scope="module")
def clip() -> Clip:
    transformers = pytest.importorskip("transformers", reason="transformers reads the CLIP of the tests")
    model = transformers.CLIPModel.from_pretrained(FOLDER).float().eval()
    return Clip(model, transformers.AutoTokenizer.from_pretrained(FOLDER))


# Pictures and judges


def test_a_seed_always_draws_the_same_picture() -> None:
    scene = scenes()[500]
    assert torch.equal(draw(scene, 3), draw(scene, 3))
    assert not torch.equal(draw(scene, 3), draw(scene, 4))
    assert draw(scene, 3, size=40).shape == (3, 40, 40)
    assert all(draw(s, i).min() >= 0 and draw(s, i).max() <= 1 for i, s in enumerate(scenes()[::50]))


def test_scenes_are_many_and_about_an_eighth_is_held_out() -> None:
    everything = scenes()
    assert len(set(everything)) == len(everything) > 1000
    assert 0.08 < sum(scene.held_out for scene in everything) / len(everything) < 0.17
    assert len({captions(scene)[0] for scene in everything}) == len(everything)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_judges_prefer_what_the_prompt_says(prompt: str) -> None:
    """Nine times of ten over pictures of other things; eight times of ten over pictures of nothing."""
    choice = random.Random(0)
    fits, others = ([s for s in scenes() if (prompt in captions(s)) is said] for said in (True, False))
    measure = judge(prompt)
    right = [measure(draw(choice.choice(fits), i)) for i in range(20)]
    wrong = [measure(draw(choice.choice(others), i)) for i in range(20)]
    assert share_above(right, wrong) > (0.65 if "smooth" in prompt else 0.9)  # most pictures are smooth
    assert share_above(right, [measure(x) for x in photographic(20, 1)]) > 0.8


def share_above(ours: list[float], theirs: list[float]) -> float:
    return sum(a > b for a in ours for b in theirs) / (len(ours) * len(theirs))


@pytest.mark.slow
def test_judges_see_small_changes() -> None:
    """A blurred picture of nothing scores higher after a fifth of the way to a picture that fits."""
    for prompt in PROMPTS:
        fitting = draw(next(scene for scene in scenes() if prompt in captions(scene)), 0)
        nothing, measure = blur(photographic(1, 5)[0], 2), judge(prompt)
        assert measure(nothing) < measure(nothing + 0.2 * (fitting - nothing)), prompt


# The network


def test_tokenizer_follows_the_rules_of_clip(clip: Clip) -> None:
    """Texts become lower case, with a start and an end. Unseen words are split into bytes."""
    tokenizer, vocab = clip.tokenizer, json.loads((FOLDER / "vocab.json").read_text(encoding="utf-8"))
    ids = tokenizer("A  Red Picture")["input_ids"]
    assert ids == [vocab[token] for token in ("<|startoftext|>", "a</w>", "red</w>", "picture</w>", "<|endoftext|>")]
    strange = tokenizer("Übermut, 3 zebras!")["input_ids"]
    assert tokenizer.decode(strange, skip_special_tokens=True).replace(" ", "") == "übermut,3zebras!"
    assert tokenizer.eos_token_id == clip.model.config.text_config.eos_token_id == max(vocab.values())
    assert tokenizer.model_max_length == clip.model.config.text_config.max_position_embeddings


def test_embeddings_depend_on_the_whole_text_and_not_on_padding(clip: Clip) -> None:
    texts = clip.texts(*PROMPTS)
    alike = texts @ texts.T - torch.eye(len(PROMPTS))
    assert alike.max() < 0.95
    padded = clip.texts("a red picture", "a yellow square at the left of a blue picture")[0]
    torch.testing.assert_close(padded, clip.texts("a red picture")[0], atol=1e-5, rtol=0)
    assert (clip.texts("a red picture") @ clip.texts("A RED picture").T).item() == pytest.approx(1)


def test_image_processor_agrees_with_the_training_input(clip: Clip) -> None:
    """It makes pictures of 64 pixels, normalized as `make_clip` does it."""
    from make_clip import normalized
    from transformers import AutoImageProcessor

    from unica.image import to_pil

    picture = (draw(scenes()[100], 0) * 255).round() / 255
    seen = AutoImageProcessor.from_pretrained(FOLDER)(to_pil(picture * 2 - 1), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(seen, normalized(picture[None]), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_retrieval_finds_combinations_that_training_never_saw(clip: Clip) -> None:
    """It picks the right one of 64 captions in more than 85 % of cases. Chance is 1.6 %."""
    from make_clip import retrieval

    assert retrieval(clip.model, clip.tokenizer, rounds=2, seed=1) > 0.85


def ascend(clip: Clip, prompt: str, picture: Picture, steps: int, views: int, rate: float) -> Picture:
    """Normalized gradient ascent on the mean similarity over random crops and flips."""
    random = torch.Generator().manual_seed(0)
    text, picture = clip.texts(prompt), picture[None]
    for _ in range(steps):
        picture = picture.detach().requires_grad_()
        likeness = clip.pictures(crops(picture, views, random, mirror="left" not in prompt)) @ text.T
        (gradient,) = torch.autograd.grad(likeness.mean(), picture)
        picture = (picture + rate * gradient / gradient.norm()).clamp(0, 1)
    return picture[0].detach()


def crops(
    picture: Float[Tensor, "1 3 h w"], count: int, random: torch.Generator, mirror: bool
) -> Float[Tensor, "count 3 h w"]:
    """Random crops of 80 % to 100 % of the sides, at the picture's size."""
    zoom = 0.8 + 0.2 * torch.rand(count, 1, 1, generator=random)
    shift = (2 * torch.rand(count, 2, 1, generator=random) - 1) * (1 - zoom)
    linear = zoom * torch.eye(2)
    if mirror:
        linear[:, 0] *= torch.where(torch.rand(count, 1, generator=random) < 0.5, -1.0, 1.0)
    views = picture.expand(count, -1, -1, -1)
    grid = F.affine_grid(torch.cat([linear, shift], 2), list(views.shape), align_corners=False)
    return F.grid_sample(views, grid, padding_mode="reflection", align_corners=False)


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "views", "rate"), [(20, 4, 2.0), (60, 8, 1.0)])
def test_gradient_ascent_raises_the_judges_score(clip: Clip, steps: int, views: int, rate: float) -> None:
    start = photographic(1, 7)[0]
    better = [p for p in PROMPTS if judge(p)(ascend(clip, p, start, steps, views, rate)) > judge(p)(start)]
    assert len(better) >= 5 / 6 * len(PROMPTS), set(PROMPTS) - set(better)
