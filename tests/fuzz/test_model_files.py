"""Model files of any content draw, or are refused in a sentence."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import scenery
from fuzz.crafted import SIZE, changed_bytes, changed_json, changed_tensors, draws
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save

import unica
from unica.engines.base import find
from unica.engines.hybrid.process import HybridProcess
from unica.engines.sinddm.process import SinDDMProcess
from unica.engines.sindiffusion.process import SinDiffusionProcess
from unica.engines.trained import TrainedModel
from unica.image import load, to_pil
from unica.networks import FoldedConfig, SinDDMConfig, UNetConfig, build
from unica.tensor_files import read_head

SIZES = ((10, 12), (20, 24))
PROCESSES = {
    "hybrid": HybridProcess(network=FoldedConfig(4, 1, ordered=True), sizes=SIZES[:1], starts=(100,), steps=3),
    "sinddm": SinDDMProcess(network=SinDDMConfig(4), sizes=SIZES, starts=(6, 2), blur=(0.0, 0.1), chain=6),
    "sindiffusion": SinDiffusionProcess(
        network=UNetConfig(4, (1, 2), levels=2, channels=4), sizes=SIZES, starts=(30, 9), steps=3, chain=30
    ),
}


@cache
def model(engine: str) -> TrainedModel:
    """A model of random weights; sindiffusion's draws transparency, too."""
    alpha = torch.ones(1, 40, 48) if engine == "sindiffusion" else None
    if alpha is not None:
        alpha[:, :9] = 0
    picture = load(to_pil(scenery(40, 48), alpha))
    picture = find(engine).config("fast", picture).source(picture, [torch.zeros(3, 20, 24)])
    torch.manual_seed(0)
    training = {"preset": "fast", "steps": 3, "seconds": 0.5, "seed": 0}
    return TrainedModel(PROCESSES[engine], build(PROCESSES[engine].network), picture, training)


@pytest.fixture(scope="module", params=PROCESSES)
def stored(request: Any, tmp_path_factory: Any) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "x.unica"
    model(request.param).save(path)
    unica.sample(unica.load(path), size=SIZE)
    return path


def written(path: Path, head: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Path:
    crafted = path.with_name("crafted.unica")
    about = {"unica": "model", "version": "1", "head": json.dumps(head)}
    crafted.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}, about))
    return crafted


@given(data=st.data())
def test_any_header_draws_or_is_refused(stored: Path, data: st.DataObject) -> None:
    head = changed_json(data.draw, read_head(stored, "model"))
    crafted = written(stored, head, load_file(stored))
    draws(lambda: unica.load(crafted, device="cpu", precision="float32"))


@given(data=st.data())
def test_any_tensors_draw_or_are_refused(stored: Path, data: st.DataObject) -> None:
    crafted = written(stored, read_head(stored, "model"), changed_tensors(data.draw, load_file(stored)))
    draws(lambda: unica.load(crafted, device="cpu", precision="float32"))


@given(data=st.data())
def test_any_bytes_draw_or_are_refused(stored: Path, data: st.DataObject) -> None:
    crafted = stored.with_name("crafted.unica")
    crafted.write_bytes(changed_bytes(data.draw, stored.read_bytes()))
    draws(lambda: unica.load(crafted, device="cpu", precision="float32"))
