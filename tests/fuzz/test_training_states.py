"""Training states of any content are continued, or are refused in a sentence; the model beside them stays good."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import scenery
from fuzz.crafted import changed_bytes, changed_json, changed_tensors, works_or_is_refused
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save

import unica
from unica.engines.base import find
from unica.image import Picture, load, to_pil
from unica.networks import FoldedConfig
from unica.tensor_files import read_head
from unica.training.config import TrainingConfig
from unica.training.session import open_session, state_path


def picture() -> Picture:
    return load(to_pil(scenery(44, 48)))


def config(steps: int) -> TrainingConfig:
    return replace(find("hybrid").config("fast", picture()), network=FoldedConfig(32, 1), steps=steps, batch_pixels=500)


@pytest.fixture(scope="module")
def model(tmp_path_factory: Any) -> Path:
    """A model after two steps, with its state beside it."""
    path = tmp_path_factory.mktemp("training") / "x.unica"
    for _ in open_session(picture(), config(2), output=path).run():
        pass
    (path.parent / "good").write_bytes(path.read_bytes())
    (path.parent / "good.training").write_bytes(state_path(path).read_bytes())
    return path


def resumes(model: Path, state: bytes) -> None:
    """Goes on for a step. Where that is refused the model file is as it was, and else it is a good one."""
    good = model.with_name("good").read_bytes()
    model.write_bytes(good)
    state_path(model).write_bytes(state)
    with works_or_is_refused():
        for _ in open_session(picture(), config(3), output=model, resume=True).run(every=0):
            break
    if model.read_bytes() != good:
        unica.load(model)


def crafted(model: Path, head: dict[str, Any], tensors: dict[str, torch.Tensor]) -> bytes:
    about = {"unica": "training", "version": "1", "head": json.dumps(head)}
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, about)


@given(data=st.data())
def test_any_header_is_continued_or_refused(model: Path, data: st.DataObject) -> None:
    good = model.with_name("good.training")
    resumes(model, crafted(model, changed_json(data.draw, read_head(good, "training")), load_file(good)))


@given(data=st.data())
def test_any_tensors_are_continued_or_refused(model: Path, data: st.DataObject) -> None:
    good = model.with_name("good.training")
    resumes(model, crafted(model, read_head(good, "training"), changed_tensors(data.draw, load_file(good))))


@given(data=st.data())
def test_any_bytes_are_continued_or_refused(model: Path, data: st.DataObject) -> None:
    resumes(model, changed_bytes(data.draw, model.with_name("good.training").read_bytes()))


STRANGE: dict[str, Any] = {
    "step": [-5, 10**12, 2.0, True, "2", 3, 10**9],
    "seconds": [float("nan"), float("inf"), -1, "1", None],
    "clock": [[0, 0, 0, 0], [0, float("nan"), 2], [3, 0.0, 3], [0, 2.0, 3], [0, 0.5], None, 5],
    "config": [None, [], {"preset": "a\nb"}],
    "source": [None, 5],
    "seed": [True, 0.5],
    "device": [None, 7],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in STRANGE.items() for value in values])
def test_a_strange_header_is_refused_and_the_model_stays(model: Path, key: str, value: Any) -> None:
    good = model.with_name("good.training")
    state_path(model).write_bytes(crafted(model, read_head(good, "training") | {key: value}, load_file(good)))
    before = model.read_bytes()
    with pytest.raises(unica.UnicaError) as refused:
        open_session(picture(), config(3), output=model, resume=True)
    assert str(refused.value).isprintable() and model.read_bytes() == before


@pytest.mark.parametrize("name", ["network.first.weight", "average.last.bias", "optimizer.0.0.average", "losses"])
def test_a_state_with_infinite_values_is_refused(model: Path, name: str) -> None:
    good = model.with_name("good.training")
    tensors = load_file(good)
    tensors[name] = tensors[name] / 0.0
    state_path(model).write_bytes(crafted(model, read_head(good, "training"), tensors))
    with pytest.raises(unica.UnicaError, match="finite"):
        open_session(picture(), config(3), output=model, resume=True)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("optimizer.1.3.step", lambda tensor: tensor * 0 - 1),
        ("optimizer.1.2.exp_avg", torch.Tensor.half),
        ("optimizer.0.0.average", torch.Tensor.half),
        ("losses", torch.Tensor.half),
    ],
)
def test_what_fuzzing_found_is_refused(model: Path, name: str, changed: Any) -> None:
    good = model.with_name("good.training")
    tensors = load_file(good)
    state_path(model).write_bytes(crafted(model, read_head(good, "training"), tensors | {name: changed(tensors[name])}))
    with pytest.raises(unica.UnicaError, match=f"damaged: {re.escape(name)} must"):
        open_session(picture(), config(3), output=model, resume=True)
