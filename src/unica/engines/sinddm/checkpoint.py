"""What SinDDM's authors' trainer saves (`model-12.pt`).

The averaged weights, the width of the network, the number of levels and the blur are in the file. The sizes of the
levels are not: they follow from the image by the authors' rule, or the user gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unica.engines.author_checkpoints import State, fitting, imported, strange
from unica.engines.base import Checkpoint
from unica.engines.blur_rules import start_step
from unica.engines.sinddm.process import SinDDMProcess
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError
from unica.image import Picture
from unica.networks import SinDDMConfig
from unica.pyramid import Size, receptive_field_sizes
from unica.schedule import Discrete, cosine

_METHOD = "SinDDM"


def read_checkpoint(checkpoint: Checkpoint) -> TrainedModel | None:
    """The model of a checkpoint; None if the authors' trainer did not write it."""
    path, held, picture, sizes, *_ = checkpoint
    if not {"model", "ema"} & set(held):
        return None
    state = _averaged(path, held)
    weights = {name.removeprefix("denoise_fn."): x for name, x in state.items() if name.startswith("denoise_fn.")}
    with fitting(path, _METHOD):
        gammas, alpha_bar = state["gammas"], state["alphas_cumprod"]
        config = SinDDMConfig(weights["l2.net.0.weight"].shape[0], weights["l1.ds_conv.weight"].shape[0])
        schedule = _cosine(path, alpha_bar)
    blur = [0.0, *(_blur(schedule, gamma) for gamma in gammas)]
    process = SinDDMProcess(
        network=config,
        sizes=_sizes(path, picture, len(blur), sizes),
        blur=tuple(blur),
        starts=(schedule.steps, *(start_step(schedule, b, "authors") for b in blur[1:])),
        rule="authors",
        chain=schedule.steps,
    )
    step = held.get("step", 0)
    return imported(checkpoint, _METHOD, process, weights, step if isinstance(step, int) else 0)


def _averaged(path: Path, held: Mapping[str, Any]) -> State:
    state = held.get("ema")
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise strange(path, _METHOD, "it has no averaged model (`ema`)")
    return state


def _cosine(path: Path, alpha_bar: Tensor) -> Discrete:
    schedule = cosine(len(alpha_bar))
    ours = torch.tensor(schedule.alpha_bar[1:])
    if alpha_bar.ndim != 1 or not torch.allclose(ours, alpha_bar.float(), atol=1e-5):
        raise strange(path, _METHOD, "its noise schedule is not the cosine schedule")
    return schedule


def _blur(schedule: Discrete, gamma: Tensor) -> float:
    """The blur from which gamma = min(sigma / alpha / blur, 1) was made, read where gamma is most exact."""
    index = int(torch.where(gamma < 1, gamma, -1.0).argmax())
    t = index + 1
    return schedule.sigma(t) / schedule.alpha(t) / max(float(gamma[index]), 1e-6)


def _sizes(path: Path, picture: Picture, count: int, sizes: Sequence[Size] | None) -> tuple[Size, ...]:
    width, height = picture.size
    found = receptive_field_sizes((height, width)) if sizes is None else sizes
    if len(found) != count:
        origin = "you gave" if sizes is not None else f"an image of {width}x{height} makes"
        raise UnicaError(
            f"{path} has {count} levels and {origin} {len(found)}: give the image that it was trained on, or the sizes"
            " of its levels (--sizes 64x48,90x67,...)"
        )
    return tuple(found)
