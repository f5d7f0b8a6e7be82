"""Muon (Jordan et al. 2024): momentum whose singular values are all set to 1, for weights that are matrices.

Its steps are scaled to the size of Adam's (Liu et al. 2025, "Muon is scalable for LLM training"), so that one learning
rate suits both. Adam trains all other weights, and matrices that are too thin.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

THINNEST = 32  # rows and columns that a matrix must have


def is_matrix(weight: Tensor) -> bool:
    """Whether Muon can train this weight. A convolution counts as the matrix of its flattened kernels."""
    return weight.ndim >= 2 and min(weight.shape[0], weight[0].numel()) >= THINNEST


class Muon(torch.optim.Optimizer):
    """The optimizer. `step` moves each matrix along its orthogonalised momentum."""

    def __init__(self, weights: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            keep = group["momentum"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["average"] = torch.zeros_like(weight)
                average = state["average"]
                average.lerp_(weight.grad, 1 - keep)
                ahead = torch.lerp(weight.grad, average, keep).flatten(1)  # Nesterov's momentum
                size = 0.2 * max(ahead.shape) ** 0.5  # so that a step has the root mean square of one of Adam's
                weight.sub_(orthogonal(ahead).view_as(weight), alpha=group["lr"] * size)


def orthogonal(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Roughly U V^T, where the matrix is U S V^T: five steps of a Newton-Schulz iteration, in bfloat16."""
    x = matrix.bfloat16() if matrix.shape[0] <= matrix.shape[1] else matrix.bfloat16().T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x if matrix.shape[0] <= matrix.shape[1] else x.T).to(matrix.dtype)
