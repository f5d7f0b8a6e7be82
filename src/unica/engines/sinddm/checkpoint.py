"""What SinDDM's authors' trainer saves (`model-12.pt`).

The averaged weights, the width of the network, the number of levels and the blur are in the file. The sizes of the
levels are not: they follow from the image by the authors' rule, or the user gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unica.engines.author_checkpoints import fitting, imported, named_tensors
from unica.engines.base import Checkpoint
from unica.engines.blur_rules import start_step
from unica.engines.sinddm.process import SinDDMProcess
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError
from unica.image import Picture
from unica.networks import SinDDMConfig
from unica.process import MOST_LEVELS
from unica.pyramid import Size, receptive_field_sizes
from unica.schedule import Discrete, cosine
from unica.tensor_files import check_tensor

_METHOD = "SinDDM"
_MOST_STEPS = 1000  # of the chain


def read_checkpoint(checkpoint: Checkpoint) -> TrainedModel | None:
    """The model of a checkpoint; None if the authors' trainer did not write it."""
    path, held, picture, sizes, *_ = checkpoint
    if not {"model", "ema"} & set(held):
        return None
    with fitting(path, _METHOD):
        if not isinstance(held.get("ema"), dict):
            raise UnicaError("it has no averaged model (`ema`)")
        state = named_tensors(held["ema"])
        weights = {name.removeprefix("denoise_fn."): x for name, x in state.items() if name.startswith("denoise_fn.")}
        config = SinDDMConfig(weights["l2.net.0.weight"].shape[0], weights["l1.ds_conv.weight"].shape[0])
        schedule = _cosine(state["alphas_cumprod"])
        blur = [0.0, *_blurs(schedule, state["gammas"])]
    process = SinDDMProcess(
        network=config,
        sizes=_sizes(path, picture, len(blur), sizes),
        blur=tuple(blur),
        starts=(schedule.steps, *(start_step(schedule, b, "authors") for b in blur[1:])),
        rule="authors",
        chain=schedule.steps,
    )
    step = held.get("step", 0)
    steps = int(step) if isinstance(step, int) and 0 <= step <= 10**9 else 0
    return imported(checkpoint, _METHOD, process, weights, steps)


def _cosine(alpha_bar: Tensor) -> Discrete:
    schedule = cosine(min(alpha_bar.shape[0], _MOST_STEPS))
    check_tensor("alphas_cumprod", alpha_bar, (schedule.steps,))
    if not torch.allclose(torch.tensor(schedule.alpha_bar[1:]), alpha_bar.float(), atol=1e-5):
        raise UnicaError("its noise schedule is not the cosine schedule")
    return schedule


def _blurs(schedule: Discrete, gammas: Tensor) -> list[float]:
    """The blur of each level above the coarsest."""
    check_tensor("gammas", gammas, (min(gammas.shape[0], MOST_LEVELS), schedule.steps))
    if not ((gammas > 0) & (gammas <= 1)).all():
        raise UnicaError("gammas must be above 0 and at most 1")
    return [_blur(schedule, gamma) for gamma in gammas]


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
