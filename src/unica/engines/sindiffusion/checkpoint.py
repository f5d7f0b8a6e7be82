"""What SinDiffusion's authors' trainer saves (`ema_0.9999_050000.pt`): the averaged weights and nothing else.

The structure of the network follows from the shapes of its weights. A size, if the user gives one, is what the image
is brought to.
"""

from __future__ import annotations

import re
from pathlib import Path

from unica.engines.author_checkpoints import State, fitting, imported, named_tensors
from unica.engines.base import Checkpoint
from unica.engines.sindiffusion.process import SinDiffusionProcess
from unica.engines.trained import TrainedModel
from unica.errors import UnicaError
from unica.networks import UNetConfig

_METHOD = "SinDiffusion"


def read_checkpoint(checkpoint: Checkpoint) -> TrainedModel | None:
    """The model of a checkpoint; None if the authors' trainer did not write it."""
    path, held, picture, sizes, *_ = checkpoint
    if "input_blocks.0.0.weight" not in held:
        return None
    with fitting(path, _METHOD):
        state = named_tensors(held)
        config = _network(state)
    if sizes is not None and len(sizes) != 1:
        raise UnicaError(f"{path} has one level and you gave {len(sizes)} sizes: give one (--sizes 248x186), or none")
    width, height = picture.size
    size = (height, width) if sizes is None else sizes[0]
    process = SinDiffusionProcess(network=config, sizes=(size,), starts=(1000,))
    weights = {f"0.{name}": x for name, x in state.items()}
    return imported(checkpoint, _METHOD, process, weights, _steps(path))


def _network(state: State) -> UNetConfig:
    """The structure of the network. A stage ends where a convolution halves the sides."""
    width = state["time_embed.0.weight"].shape[1]
    stages: list[list[int]] = [[]]
    blocks = {int(found[1]) for name in state if (found := re.match(r"input_blocks\.(\d{1,3})\.", name))}
    for index in sorted(blocks - {0}):
        if f"input_blocks.{index}.0.op.weight" in state:
            stages.append([])
        else:
            stages[-1].append(state[f"input_blocks.{index}.0.in_layers.2.weight"].shape[0])
    multipliers = tuple(stage[0] // width for stage in stages)
    return UNetConfig(width, multipliers, len(stages[0]), state["input_blocks.0.0.weight"].shape[1])


def _steps(path: Path) -> int:
    """The steps of the training, which only the file's name tells."""
    found = re.search(r"_(\d{1,9})$", path.stem)
    return int(found[1]) if found else 0
