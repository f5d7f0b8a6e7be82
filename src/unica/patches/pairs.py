"""The weights of all pairs of a patch of the canvas and one of the source, in two forms that agree.

Compiled loops sum along diagonals, so their cost does not depend on the patch size. Matrix products are for
accelerators, and a test of the loops.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from unica.patches import kernels

_SMALLEST_LOG = -80.0  # log of the smallest weight: smaller numbers are denormal, which makes arithmetic slow
_SMALLEST = math.exp(_SMALLEST_LOG / 2)  # smaller weights count as 0
_PARTS = 16  # sums over patches are made in so many parts, however many threads there are


class Block(NamedTuple):
    """A part of the canvas of h x w patches, and what they are compared with."""

    x: Float[Tensor, "c H W"]  # with a margin of half a patch
    signed_cost: Float[Tensor, "H W"]  # off the canvas, the cost of a source pixel there; on it, minus the weight
    y: Float[Tensor, "c hs ws"]
    visible: Float[Tensor, "hs ws"]  # 1 or 0
    outside_cost: float  # of a canvas pixel without a source pixel
    log_prior: Float[Tensor, "h hs ws"]
    lowest: Int[Tensor, " h"]  # the first source row that each canvas row may use
    depth: int  # and the number of them
    sigma: float
    patch: int
    dtype: torch.dtype  # of matrix products

    @property
    def size(self) -> tuple[int, int]:
        return self.x.shape[1] + 1 - self.patch, self.x.shape[2] + 1 - self.patch

    @property
    def values(self) -> Float[Tensor, "k hs ws"]:
        """The source's pixels, and a last channel that sums the weights."""
        return torch.cat([self.y * self.visible, self.visible[None]])


class CompiledPairs:
    """Compiled loops. Weights lie as row, source row, column, source column, so that loops run over adjacent ones."""

    def __init__(self, block: Block):
        self.lowest, self.values = block.lowest.numpy(), block.values.numpy()
        (height, width), margin = block.size, [block.patch // 2] * 4
        self.weights = np.empty((height, block.depth, width, block.visible.shape[1]), np.float32)
        kernels.run(
            kernels.window_distances, np.ascontiguousarray(block.x.numpy()),
            np.ascontiguousarray(block.signed_cost.numpy()), F.pad(block.y, margin).numpy(),
            F.pad(block.visible, margin).numpy(), np.float32(block.outside_cost), block.patch, self.lowest,
            self.weights,
        )  # fmt: skip
        kernels.run(
            kernels.soften, self.weights, np.float32(-0.5 / block.sigma**2), block.log_prior.numpy(), self.lowest,
            np.float32(_SMALLEST_LOG),
        )  # fmt: skip

    def use(self, scale: Float[Tensor, "hs ws"], inner: tuple[slice, slice]) -> Float[Tensor, "hs ws"]:
        usage = torch.zeros(len(self.weights), *scale.shape)
        rows, columns = ((part.start, part.stop) for part in inner)
        kernels.run(kernels.count_use, self.weights, scale.numpy(), self.lowest, rows, columns, usage.numpy())
        return usage.sum(0)

    def normalise(self, scale: Float[Tensor, "hs ws"]) -> Int[Tensor, "h w 2"]:
        best = torch.empty(self.weights.shape[0], self.weights.shape[2], 2, dtype=torch.int32)
        kernels.run(kernels.normalise, self.weights, scale.numpy(), self.lowest, np.float32(_SMALLEST), best.numpy())
        return best

    def overlap_sum(self, reach: int) -> Float[Tensor, "h w k"]:
        out = torch.zeros(_PARTS, self.weights.shape[0], self.weights.shape[2], len(self.values))
        kernels.run(kernels.overlap_sum, self.weights, self.lowest, reach, self.values, out.numpy())
        return out.sum(0)


class MatmulPairs:
    """Matrix products, of all pairs. Weights lie as row, column, source patch."""

    def __init__(self, block: Block):
        self.values, self.source_size = block.values.flatten(1).T, block.visible.shape
        log_prior = block.log_prior.flatten(1)[:, None]
        logs = _distances(block).mul_(-0.5 / block.sigma**2).add_(log_prior)
        self.weights = logs.sub_(logs.amax(-1, keepdim=True)).clamp_min_(_SMALLEST_LOG).exp_()
        self.weights *= log_prior > -torch.inf

    def use(self, scale: Float[Tensor, "hs ws"], inner: tuple[slice, slice]) -> Float[Tensor, "hs ws"]:
        """How often the canvas' patches in `inner` use each source patch, without the factor `scale`."""
        own = torch.zeros(self.weights.shape[:2], device=scale.device)
        own[inner] = 1
        matrix = self.weights.flatten(0, 1)
        return ((own.flatten() / (matrix @ scale.flatten()).clamp_min(1e-30)) @ matrix).view_as(scale)

    def normalise(self, scale: Float[Tensor, "hs ws"]) -> Int[Tensor, "h w 2"]:
        """Scale the weights of each source patch, make those of each canvas patch sum to 1, and return the best."""
        self.weights *= scale.flatten()
        self.weights /= self.weights.sum(-1, keepdim=True)
        self.weights.masked_fill_(self.weights < _SMALLEST, 0.0)
        best, columns = self.weights.argmax(-1), self.source_size[1]
        return torch.stack([best // columns, best % columns], -1).int()

    def overlap_sum(self, reach: int) -> Float[Tensor, "h w k"]:
        """The sum of `values` over all patches that overlap a pixel, each with its own pixel of the source."""
        weights = self.weights.unflatten(-1, self.source_size)
        for canvas_axis, source_axis in ((0, 2), (1, 3)):  # a box is separable: first rows, then columns
            out = torch.zeros_like(weights)
            for shift in range(-reach, reach + 1):
                to: list[slice] = [slice(None)] * 4
                of: list[slice] = [slice(None)] * 4
                for axis in (canvas_axis, source_axis):
                    to[axis] = _inner(-shift, weights.shape[axis])
                    of[axis] = _inner(shift, weights.shape[axis])
                out[tuple(to)] += weights[tuple(of)]
            weights = out
        return weights.flatten(2) @ self.values


def _distances(block: Block) -> Float[Tensor, "h w k"]:
    """Squared distances, with costs, of all pairs of patches: one product of unfolded patches.

    With weight w and visibility v, a pair of pixels costs w v |x|^2 - 2 w v x y + w v |y|^2, plus the costs of borders.
    """
    x, weight, off_canvas = block.x, -block.signed_cost.clamp_max(0), block.signed_cost.clamp_min(0)
    y, visible = (F.pad(of, [block.patch // 2] * 4) for of in (block.y, block.visible))
    queries = torch.cat(
        [(weight * x.square().sum(0) + off_canvas)[None], -2 * weight * x, weight[None], (weight > 0)[None]]
    )
    outside = block.outside_cost * (1 - visible)
    keys = torch.cat([visible[None], visible * y, (visible * y.square().sum(0))[None], outside[None]])
    dtype = block.dtype if block.sigma >= 0.5 else torch.float32  # rounding must stay below the noise
    rows = F.unfold(queries[None], block.patch)[0].T.to(dtype)
    columns = F.unfold(keys[None], block.patch)[0].to(dtype)
    return (rows @ columns).float().clamp_min(0).unflatten(0, block.size)


def _inner(shift: int, length: int) -> slice:
    """The part of 0 .. length - 1 that stays in range after a shift by -shift."""
    return slice(max(shift, 0), max(length + min(shift, 0), 0))
