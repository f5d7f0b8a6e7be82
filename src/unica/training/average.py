"""The exponential moving average of a network's weights."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


class Average:
    """A copy of a network whose weights are averaged over the steps of a training.

    torch's `AveragedModel` does not fit: its first update copies the weights. Here, the first update already averages,
    unless the config asks for copies; then every update copies until a given step.
    """

    def __init__(self, network: nn.Module, decay: float, copy_until: int, every: int) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        self.decay, self.copy_until, self.every = decay, copy_until, every

    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the weights that the network has after this many steps."""
        if step % self.every:
            return
        decay = self._decay(step)
        with torch.no_grad():
            for average, weight in zip(self.network.parameters(), network.parameters()):
                average.lerp_(weight, 1 - decay)

    def _decay(self, step: int) -> float:
        """The average is a copy until `copy_until`. If that is 0, a warm-up forgets the first weights instead."""
        if self.copy_until:
            return 0.0 if step < self.copy_until else self.decay
        return min(self.decay, (1 + step) / (10 + step))
