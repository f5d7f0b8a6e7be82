"""A trained model in the ways of diffusers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import scenery
from engines import small_model

import unica
from unica.errors import UnicaError
from unica.image import to_pil
from unica.pipeline import Pipeline

ENGINES = ["sinddm", "sindiffusion", "hybrid"]


@pytest.fixture(scope="module", params=ENGINES)
def pipe(request: pytest.FixtureRequest) -> Pipeline:
    return Pipeline(small_model(request.param, to_pil(scenery(44, 56)), steps=2))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pictures_are_those_of_the_tasks_to_the_bit(pipe: Pipeline) -> None:
    found = pipe(num_images=2, width=48, height=44, generator=seeded(7), output_type="pt")
    assert torch.equal(found.images, unica.sample(pipe.model, count=2, size=(48, 44), seed=7, output="pt"))
    assert found.seeds == [7, 8]
    each = pipe(num_images=2, generator=[seeded(3), seeded(9)], output_type="np").images
    both = [unica.sample(pipe.model, seed=seed, output="np")[0] for seed in (3, 9)]
    assert np.array_equal(each, np.stack(both))
    wider = pipe("outpaint", right=8, generator=seeded(1), output_type="pt").images
    assert torch.equal(wider, unica.outpaint(pipe.model, right=8, seed=1, output="pt"))
    assert pipe("mirror").images[0].size == (56, 44)
    (images,) = pipe(generator=seeded(7), return_dict=False)
    assert images[0].size == (56, 44)


def test_a_generator_that_was_used_gives_other_pictures(pipe: Pipeline) -> None:
    one, other = seeded(5), seeded(5)
    first = pipe(generator=one).seeds, pipe(generator=one).seeds
    assert first == (pipe(generator=other).seeds, pipe(generator=other).seeds)
    assert first[0] == [5] != first[1]


def test_a_folder_gives_the_same_pipeline(pipe: Pipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.safetensors", "config.json", "model_index.json"} <= names
    again = Pipeline.from_pretrained(tmp_path, torch_dtype=torch.float32)
    assert again.dtype == torch.float32 and again.to("cpu") is again
    before = Pipeline(unica.load(tmp_path, precision="float32"))
    one, other = (p(generator=seeded(2), output_type="pt").images for p in (again, before))
    assert torch.equal(one, other)


def test_each_step_is_told_and_a_run_can_be_ended(pipe: Pipeline) -> None:
    steps: list[int] = []

    def seen(own: Pipeline, step: int, timestep: float, tensors: dict[str, torch.Tensor]) -> None:
        steps.append(step)
        assert own is pipe and 0 < timestep <= 1 and tensors["latents"].ndim == 4
        own.interrupt = step == 2

    assert pipe(callback_on_step_end=seen, generator=seeded(0)).images == []
    assert steps == [0, 1, 2]


def test_what_cannot_be_is_a_sentence(pipe: Pipeline) -> None:
    for words, sentence in [
        ({"task": "paintt"}, "task"), ({"output_type": "latent"}, "output_type"), ({"num_images": 0}, "num_images"),
        ({"generator": [seeded(1)], "num_images": 2}, "1 generators for 2"),
        ({"callback_on_step_end_tensor_inputs": ["eps"]}, "latents"),
    ]:  # fmt: skip
        with pytest.raises(UnicaError, match=sentence):
            pipe(**words)
    with pytest.raises(UnicaError, match="trained model"):
        Pipeline(unica.open(to_pil(scenery(44, 56))))
    with pytest.raises(UnicaError, match="torch_dtype"):
        Pipeline.from_pretrained("x", torch_dtype=torch.float64)
