"""How much memory a training step needs, before it is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from unica.training.loop import Trainer


def step_memory(trainer: Trainer) -> float:
    """The bytes that a step is expected to need at most.

    These are the weights with their gradients and averages, and what is kept for the backward pass. The latter grows
    evenly with the pixels, so two small pictures tell how much a pixel needs.
    """
    small, large = 32, 64
    pixel = (_kept(trainer, large) - _kept(trainer, small)) / (large**2 - small**2)
    finest, config = trainer.pairs[-1].sharp, trainer.config
    area = finest.shape[-2] * finest.shape[-1]
    growth = (1 + config.random_resize) ** 2 if config.enlarge else 1.0
    weights = sum(weight.nbytes for weight in trainer.network.parameters())
    return pixel * trainer.batch_size(area) * area * growth + 5 * weights


def _kept(trainer: Trainer, side: int) -> float:
    """The bytes that are kept for the backward pass of one square picture."""
    sizes: dict[int, int] = {}

    def note(x: Tensor) -> Tensor:
        sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    level = len(trainer.pairs) - 1
    sharp, blurred, known = (
        None if x is None else x[..., :1, :1].expand(-1, -1, side, side) for x in trainer.pairs[level]
    )
    assert sharp is not None
    t = torch.ones(1, 1, 1, 1, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        _ = trainer.loss(trainer.network, level, sharp, blurred, t, None, known, torch.zeros_like(sharp))
    return sum(sizes.values())
