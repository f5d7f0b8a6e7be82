"""Checkpoints of any content become models that draw, or are refused in a sentence."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import scenery
from fuzz.crafted import SIZE, STRANGE, Draw, changed_bytes, draws, strange_tensor
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import unica
from unica.image import to_pil
from unica.networks import SinDDMConfig, UNetConfig, build
from unica.schedule import cosine

SIZES = {"sinddm": [(16, 12), (20, 16)], "sindiffusion": [(20, 16)]}
STEPS = 4


@cache
def photo() -> Image.Image:
    return to_pil(scenery(32, 40))


@cache
def checkpoint(method: str) -> dict[Any, Any]:
    """What the authors' trainer saves, of a tiny network with random weights."""
    torch.manual_seed(0)
    if method == "sindiffusion":
        weights = build(UNetConfig(4, (1, 2))).state_dict()
        return {name.removeprefix("0."): weight for name, weight in weights.items()}
    schedule = cosine(STEPS)
    noise = torch.tensor([schedule.sigma(t) / schedule.alpha(t) for t in range(1, STEPS + 1)])
    ema = {f"denoise_fn.{name}": weight for name, weight in build(SinDDMConfig(4)).state_dict().items()}
    ema |= {"gammas": (noise[None] / noise[2]).clamp(max=1), "alphas_cumprod": torch.tensor(schedule.alpha_bar[1:])}
    return {"step": 7, "model": dict(ema), "ema": ema}


def imported(path: Path, method: str) -> unica.Model:
    return unica.import_checkpoint(path, photo(), SIZES[method], device="cpu", precision="float32")


def strange_entry(draw: Draw, value: Any) -> Any:
    """What stands in place of a tensor."""
    if isinstance(value, torch.Tensor) and draw(st.booleans()):
        return strange_tensor(draw, value)
    many = torch.zeros(1).expand(10**9)
    kinds = (many, many[None, :, None, None], torch.ones(2, 2).to_sparse(), torch.empty(2, 2, device="meta"))
    return draw(STRANGE | st.sampled_from(kinds))


def changed(draw: Draw, original: dict[Any, Any]) -> dict[Any, Any]:
    """A checkpoint of which one to three entries are strange, missing or new."""
    held = {key: dict(value) if isinstance(value, dict) else value for key, value in original.items()}
    for _ in range(draw(st.integers(1, 3))):
        parts = [held, *(value for value in held.values() if isinstance(value, dict))]
        part = parts[draw(st.integers(0, len(parts) - 1))]
        name = draw(st.sampled_from(list(part))) if part else 0
        match draw(st.sampled_from(("replace", "replace", "drop", "add"))):
            case "replace" if part:
                part[name] = strange_entry(draw, part[name])
            case "drop" if part:
                del part[name]
            case _:
                names = (3, None, "x", "input_blocks.x.0.weight", "input_blocks.999.0.op.weight", "denoise_fn.x")
                part[draw(st.sampled_from(names))] = strange_entry(draw, None)
    return held


@pytest.mark.parametrize("method", SIZES)
@given(data=st.data())
def test_any_contents_draw_or_are_refused(method: str, tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "crafted.pt"
    torch.save(changed(data.draw, checkpoint(method)), path)
    draws(lambda: imported(path, method))


@pytest.mark.parametrize("method", SIZES)
@given(data=st.data())
def test_any_bytes_draw_or_are_refused(method: str, tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "crafted.pt"
    torch.save(checkpoint(method), path)
    path.write_bytes(changed_bytes(data.draw, path.read_bytes()))
    draws(lambda: imported(path, method))


@pytest.mark.parametrize("method", SIZES)
def test_a_tiny_checkpoint_draws(method: str, tmp_path: Path) -> None:
    torch.save(checkpoint(method), tmp_path / "x.pt")
    model = imported(tmp_path / "x.pt", method)
    model.save(tmp_path / "x.unica")
    assert unica.sample(unica.load(tmp_path / "x.unica"), size=SIZE)[0].size == SIZE


@pytest.mark.parametrize(
    ("sizes", "match"),
    [
        ([(1, 1), (2, 2)], "grow from coarse to fine"),
        ([(20, 16), (16, 12)], "grow from coarse to fine"),
        ([(16, 12), (16384, 16384)], "at most 4,194,304 pixels"),
        ([(16, 12), (20, -1)], "sizes must be a whole number"),
        ([(16, 12)], "2 levels"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: Any, match: str, tmp_path: Path) -> None:
    torch.save(checkpoint("sinddm"), tmp_path / "x.pt")
    with pytest.raises(unica.UnicaError, match=match):
        unica.import_checkpoint(tmp_path / "x.pt", photo(), sizes)


@pytest.mark.parametrize("value", [0.0, float("nan"), -1.0, 2.0])
def test_gammas_that_cannot_be_are_refused(value: float, tmp_path: Path) -> None:
    held = checkpoint("sinddm")
    torch.save({**held, "ema": {**held["ema"], "gammas": torch.full((1, STEPS), value)}}, tmp_path / "x.pt")
    with pytest.raises(unica.UnicaError, match=re.escape("gammas must be above 0 and at most 1")):
        imported(tmp_path / "x.pt", "sinddm")
