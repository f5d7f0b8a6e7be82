"""A trained model in the ways of diffusers: a pipeline that is called, and returns an object with `.images`.

    pipe = unica.Pipeline.from_pretrained("you/photo").to("cuda")
    images = pipe(width=512, height=256, num_images=4, generator=torch.Generator().manual_seed(7)).images
    images = pipe("outpaint", right=200).images

The pictures are those of `unica.sample(model, seed=7)` and of the other tasks, to the bit. diffusers is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unica.declare import Choice
from unica.engines.base import Model
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError, one_of, whole
from unica.tasks import FUNCTIONS, stream
from unica.tasks.run import collected

_INDEX = "model_index.json"  # by which folders of pipelines are known
_OUTPUTS = Choice("pil", "pt", "np")
_LARGEST_SEED = 2**62

Callback = Callable[["Pipeline", int, float, dict[str, Any]], "Mapping[str, Any] | None"]


@dataclass
class PipelineOutput:
    """What a call returns."""

    images: Any  # a list of Pillow images, or one tensor or array
    seeds: list[int]  # of each picture: `unica.sample(model, seed=...)` draws it again


class Pipeline:
    """A trained model, to be called as the pipelines of diffusers are.

    A callback may set `interrupt`: then the call ends with the pictures that are finished.
    """

    def __init__(self, model: Model) -> None:
        if not isinstance(model, TrainedModel):
            raise UnicaError("a pipeline is made of a trained model: unica.load or unica.train gives one")
        self.model = model
        self.interrupt = False

    @classmethod
    def from_pretrained(cls, name: str | Path, torch_dtype: torch.dtype | None = None, **settings: Any) -> Pipeline:
        """A pipeline from a folder or from the Hugging Face hub. The settings are those of `unica.load`."""
        if torch_dtype is not None:
            known = {torch.float32: "float32", torch.bfloat16: "bf16"}
            if torch_dtype not in known:
                raise UnicaError("torch_dtype is torch.float32 or torch.bfloat16")
            settings["precision"] = known[torch_dtype]
        return cls(TrainedModel.from_pretrained(str(name), **settings))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder with the config and the weights."""
        self.model.save_pretrained(folder)
        index = {"_class_name": type(self).__name__, "_library": "unica"}
        (Path(folder) / _INDEX).write_text(json.dumps(index, indent=2))

    def to(self, device: str | torch.device) -> Pipeline:
        """This pipeline, on another device."""
        self.model = self.model.to(device)
        return self

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    def __call__(
        self,
        task: str = "sample",
        *,
        width: int | None = None,
        height: int | None = None,
        num_images: int = 1,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        **settings: Any,
    ) -> Any:
        """Draw pictures by a task. The settings are those of the task.

        Returns a `PipelineOutput`, or a tuple with the pictures. A fresh generator stands for its seed: picture i is
        that of seed + i. One that was used gives other seeds; a list has one generator for each picture. The callback
        gets this pipeline, the step, how much of the picture is done, and tensors by name: `latents`, which are pixels
        here.
        """
        function = FUNCTIONS[one_of("task", task, list(FUNCTIONS))]
        output = _OUTPUTS.check("output_type", output_type)
        for name in callback_on_step_end_tensor_inputs:
            one_of("a tensor of callback_on_step_end", name, ["latents"])
        if width is not None or height is not None:
            own = self.model.picture.size
            settings["size"] = (width or own[0], height or own[1])
        self.interrupt, finished = False, []
        runs = _runs(generator, whole("num_images", num_images, 1, 10**6))
        frames = (frame for seed, n in runs for frame in stream(function, self.model, seed=seed, count=n, **settings))
        for step, frame in enumerate(frames):
            if callback_on_step_end is not None:
                tensors = dict.fromkeys(callback_on_step_end_tensor_inputs, frame.state.x)
                callback_on_step_end(self, step, frame.fraction, tensors)
            if frame.last:
                finished.append(frame)
            if self.interrupt:
                break
        images = collected(finished, output) if finished else []
        if not return_dict:
            return (images,)
        return PipelineOutput(images, [frame.seed for frame in finished])


def _runs(generator: torch.Generator | Sequence[torch.Generator] | None, count: int) -> list[tuple[int, int]]:
    """The seed of each run, and how many pictures it has."""
    if generator is None:
        return [(int(torch.randint(_LARGEST_SEED, ())), count)]
    if isinstance(generator, torch.Generator):
        return [(_seed(generator), count)]
    if len(generator) != count:
        raise UnicaError(f"there are {len(generator)} generators for {count} pictures")
    return [(_seed(one), 1) for one in generator]


def _seed(generator: torch.Generator) -> int:
    """The seed that a generator stands for, which is used up then: its own if it is fresh, or else its next number."""
    first = generator.initial_seed()
    fresh = torch.equal(torch.Generator(generator.device).manual_seed(first).get_state(), generator.get_state())
    number = int(torch.randint(_LARGEST_SEED, (), generator=generator, device=generator.device))
    return first if fresh and 0 <= first < _LARGEST_SEED else number
