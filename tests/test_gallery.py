"""The example images with the engines' default settings: what a newcomer sees, in numbers."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image

import unica
from unica.engines.train import begin
from unica.metrics import mean_patch_distance, pixel_diversity, sharpness
from unica.tasks import tasks

ROOT = Path(__file__).parents[1]
IMAGES = sorted((ROOT / "examples" / "images").glob("*.[pj][np]g"))


def test_gallery_and_speed_benchmark_have_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Except `text`, which has pages of its own."""
    for folder in ("examples", "benchmarks"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    import gallery
    import speed

    commands = {name for name, declared in tasks().items() if declared.group is not None} - {"text"}
    assert set(gallery.TASKS) == set(speed.TASKS) == commands


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.slow
@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_new_pictures_are_new_sharp_and_made_of_the_source(path: Path) -> None:
    source = tensor(Image.open(path))
    samples = torch.cat([tensor(p) for p in unica.sample(unica.open(path), count=4)])
    assert pixel_diversity(samples.split(1), source) > 0.25
    for sample in samples.split(1):
        assert 0.85 < sharpness(sample, source) < 1.1
        assert mean_patch_distance(sample, source, limit=500) < 0.12


@pytest.mark.slow
def test_two_minutes_of_training_make_a_model_worth_having() -> None:
    """At 96 pixels of height, on two cores. docs/benchmarks.md reports better numbers than these bounds ask for."""
    image = Image.open(IMAGES[0]).convert("RGB")
    image = image.resize((round(image.width * 96 / image.height), 96), Image.Resampling.LANCZOS)
    session = begin(image, budget="2m")
    for _ in session.run():
        pass
    assert fmean(session.trainer.validate()) < 0.2
    source = tensor(image)
    samples = torch.cat([tensor(picture) for picture in unica.sample(session.trainer.model(), count=4)])
    assert pixel_diversity(samples.split(1), source) > 0.15
    for sample in samples.split(1):
        assert 0.7 < sharpness(sample, source) < 1.3
        assert mean_patch_distance(sample, source, limit=500) < 0.15
