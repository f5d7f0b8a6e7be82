"""The closed-form optimal denoiser over the patches of one picture, computed exactly: all patches are compared.

For a noisy patch x_p = y_p + sigma * eps of a picture made of the source's patches y_j, the posterior mean is

    E[y_p | x_p] = sum_j w_j y_j,    w_j ~ prior_j * exp(-|x_p - y_j|^2 / (2 sigma^2)),

and overlapping estimates of a pixel are averaged. On CPUs compiled loops compute it by sums along diagonals, whose
cost does not depend on the patch size. Elsewhere, and as a test of the compiled loops, it is a matrix product.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from unica.patches import kernels
from unica.pyramid import Scale
from unica.torus import Axes, wrap_pad

_BLOCK = 2**26  # weights in memory at once (256 MiB, twice)
_SMALLEST_LOG = -80.0  # log of the smallest weight: smaller numbers are denormal, which makes arithmetic slow
_RARE = 1e-6  # source patches that are used less than this get no higher prior for it
_LARGEST_LOG = 60.0  # bound of log priors
Backend = Literal["compiled", "matmul"]


class Edges(NamedTuple):
    """What it costs a patch to cross a border, for each of its pixels. These costs alone tie the layout to the frame.

    `rows`: the pixel is above or below the canvas, where the source has a pixel. `columns`: left or right of it.
    `outside`: the pixel is on the canvas, where the source has none or is transparent.
    """

    rows: float
    columns: float
    outside: float


class Posterior(NamedTuple):
    """The estimate of the clean picture, and what it is made of."""

    x0: Float[Tensor, "c h w"]
    origins: Int[Tensor, "h w 2"]  # row and column in the source of each pixel's likeliest patch
    prior: Float[Tensor, "hs ws"]  # log prior of source patches that makes their use more even in the next step


def posterior(
    x: Float[Tensor, "c h w"],
    source: Scale,
    sigma: float,
    patch: int,
    edges: Edges,
    overlap: int | None = None,
    prior: Float[Tensor, "hs ws"] | None = None,
    balance: int = 0,
    wrap: Axes = "",
    pixel_weight: Float[Tensor, "h w"] | None = None,
    backend: Backend | None = None,
    dtype: torch.dtype = torch.float32,
) -> Posterior:
    """The optimal estimate of a picture from its noisy version x, with patches of patch x patch pixels.

    - `overlap`: side of the central part of a patch that counts in the average; all of it by default, 1 is its centre.
    - `prior`: log prior of the source's patches. `balance` rounds of Sinkhorn's iteration change it so that all get
      equal use. On canvases of several blocks there is only one round, and its prior takes effect in the next step.
    - `pixel_weight`: how much each pixel of x counts, 1 by default. A pixel with noise s instead of sigma has
      (sigma / s)^2.
    - `dtype`: of the matrix products, as long as the noise is larger than its rounding. Compiled loops use float32.

    It works in blocks, so memory is bounded.
    """
    backend = backend or ("compiled" if x.device.type == "cpu" else "matmul")
    if pixel_weight is not None:
        # Raise the outside cost too; otherwise patches prefer to leave the source.
        dtype, edges = torch.float32, edges._replace(outside=edges.outside * float(pixel_weight.max()))
    measure = _compiled_distances if backend == "compiled" else _matmul_distances
    height, width = x.shape[1:]
    radius, reach = patch // 2, (patch if overlap is None else overlap) // 2
    visible = source.visible.to(x.dtype)
    prior = torch.zeros_like(visible) if prior is None else prior
    log_prior, is_visible = prior.masked_fill(~source.visible, -torch.inf).flatten(), visible.flatten()
    values = torch.cat([source.pixels * visible, visible[None]]).flatten(1).T  # the last column sums the weights
    padded, signed_cost = _padded(x, pixel_weight, radius + reach, edges, wrap)
    x0, origins = torch.empty_like(x), x.new_empty(height, width, 2, dtype=torch.int32)
    usage = torch.zeros_like(log_prior)
    blocks = _blocks(height, width, reach, visible.numel())
    for rows, columns in blocks:
        top, bottom = _with_halo(rows, height, reach, "y" in wrap)
        left, right = _with_halo(columns, width, reach, "x" in wrap)
        view = (slice(top + reach, bottom + reach + 2 * radius), slice(left + reach, right + reach + 2 * radius))
        inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        part = padded[:, view[0], view[1]]
        distances = measure(part, signed_cost[view], source.pixels, visible, sigma, edges, patch, dtype)
        weights = distances.mul_(-0.5 / sigma**2).flatten(2).add_(log_prior)
        weights = weights.sub_(weights.amax(-1, keepdim=True)).clamp_min_(_SMALLEST_LOG).exp_().mul_(is_visible)
        if len(blocks) == 1 and balance:
            prior = prior + _sinkhorn(weights, inner, balance).view_as(prior)
        weights /= weights.sum(-1, keepdim=True)
        weights.masked_fill_(weights < math.exp(_SMALLEST_LOG / 2), 0.0)
        if len(blocks) > 1 and balance:
            usage += weights[inner].sum((0, 1))
        best = weights[inner].argmax(-1)
        origins[rows, columns] = torch.stack([best // visible.shape[1], best % visible.shape[1]], -1).int()
        pixel_weights = _overlap_sum(weights.view(*weights.shape[:2], *visible.shape), reach, backend)[inner].flatten(2)
        total = pixel_weights @ values
        x0[:, rows, columns] = (total[..., :-1] / total[..., -1:].clamp_min(1e-12)).movedim(-1, 0)
    if len(blocks) > 1 and balance:
        prior = prior - (usage * (usage.numel() / (height * width)) + _RARE).log().view_as(prior)
    return Posterior(x0, origins, prior.clamp(-_LARGEST_LOG, _LARGEST_LOG))


def _sinkhorn(weights: Float[Tensor, "h w k"], inner: tuple[slice, slice], rounds: int) -> Float[Tensor, " k"]:
    """Scale the columns of `weights`, in place, so that all get about the same total; return the log of the scales.

    This is entropic optimal transport between the canvas' patches and the source's (Cuturi 2013).
    """
    matrix = weights.flatten(0, 1)
    own = torch.zeros(weights.shape[:2], device=weights.device)
    own[inner] = 1
    scale = matrix.new_ones(matrix.shape[1])
    for _ in range(rounds):
        row_scale = own.flatten() / (matrix @ scale).clamp_min(1e-30)
        usage = scale * (row_scale @ matrix) * (matrix.shape[1] / own.sum())
        scale = (scale / (usage + _RARE)).clamp(math.exp(-_LARGEST_LOG), math.exp(_LARGEST_LOG))
    matrix *= scale
    return scale.log()


def _blocks(height: int, width: int, halo: int, keys: int) -> list[tuple[slice, slice]]:
    """The blocks of a canvas: square, or longer if the canvas is low. Balance works best with few blocks."""
    patches = _BLOCK // keys
    tall = min(height, max(math.isqrt(patches) - 2 * halo, 8))
    wide = max(patches // (tall + 2 * halo) - 2 * halo, 8)
    rows = [slice(i, min(i + tall, height)) for i in range(0, height, tall)]
    columns = [slice(j, min(j + wide, width)) for j in range(0, width, wide)]
    return [(r, c) for r in rows for c in columns]


def _with_halo(part: slice, length: int, reach: int, wrap: bool) -> tuple[int, int]:
    """First and last + 1 of the patches that overlap the pixels in `part`. On a torus some lie beyond the edge."""
    start, stop = part.start - reach, part.stop + reach
    return (start, stop) if wrap else (max(start, 0), min(stop, length))


def _padded(
    x: Float[Tensor, "c h w"], pixel_weight: Float[Tensor, "h w"] | None, margin: int, edges: Edges, wrap: Axes
) -> tuple[Float[Tensor, "c H W"], Float[Tensor, "H W"]]:
    """x with a margin, and the signed cost of each pixel.

    Off the canvas, that is the cost of a source pixel there (at or above 0). On the canvas it is minus the pixel's
    weight (below 0). A torus has no outside: its margin is wrapped.
    """
    signed_cost = -(torch.ones_like(x[0]) if pixel_weight is None else pixel_weight)[None]
    padded = x
    for axis, pad, cost in (("x", (margin, margin, 0, 0), edges.columns), ("y", (0, 0, margin, margin), edges.rows)):
        if axis in wrap:
            padded, signed_cost = wrap_pad(padded, *pad), wrap_pad(signed_cost, *pad)
        else:
            padded, signed_cost = F.pad(padded, pad), F.pad(signed_cost, pad, value=cost)
    return padded, signed_cost[0]


def _compiled_distances(
    x: Float[Tensor, "c h w"],
    signed_cost: Float[Tensor, "h w"],
    y: Float[Tensor, "c hs ws"],
    visible: Float[Tensor, "hs ws"],
    sigma: float,
    edges: Edges,
    patch: int,
    dtype: torch.dtype,
) -> Float[Tensor, "ph pw hs ws"]:
    """Squared distances, with costs, of all pairs of patches."""
    radius = patch // 2
    out = torch.empty(x.shape[1] - 2 * radius, x.shape[2] - 2 * radius, *visible.shape)
    kernels.run(
        kernels.window_distances,
        np.ascontiguousarray(x.numpy()),
        np.ascontiguousarray(signed_cost.numpy()),
        F.pad(y, [radius] * 4).numpy(),
        F.pad(visible, [radius] * 4).numpy(),
        np.float32(_outside_cost(edges, x.shape[0], sigma)),
        patch,
        out.numpy(),
    )
    return out


def _matmul_distances(
    x: Float[Tensor, "c h w"],
    signed_cost: Float[Tensor, "h w"],
    y: Float[Tensor, "c hs ws"],
    visible: Float[Tensor, "hs ws"],
    sigma: float,
    edges: Edges,
    patch: int,
    dtype: torch.dtype,
) -> Float[Tensor, "ph pw hs ws"]:
    """The same as one product of unfolded patches.

    With weight w and visibility v, a pair of pixels costs w v |x|^2 - 2 w v x y + w v |y|^2, plus the costs of borders.
    """
    radius = patch // 2
    weight = -signed_cost.clamp_max(0)
    y, visible = F.pad(y, [radius] * 4), F.pad(visible, [radius] * 4)
    outside = _outside_cost(edges, x.shape[0], sigma)
    off_canvas = signed_cost.clamp_min(0)
    queries = torch.cat(
        [(weight * x.square().sum(0) + off_canvas)[None], -2 * weight * x, weight[None], (weight > 0)[None]]
    )
    keys = torch.cat([visible[None], visible * y, (visible * y.square().sum(0))[None], (outside * (1 - visible))[None]])
    dtype = dtype if sigma >= 0.5 else torch.float32  # rounding must stay below the noise
    rows = F.unfold(queries[None], patch)[0].T.to(dtype)
    columns = F.unfold(keys[None], patch)[0].to(dtype)
    shape = (x.shape[1] - 2 * radius, x.shape[2] - 2 * radius, y.shape[1] - 2 * radius, y.shape[2] - 2 * radius)
    return (rows @ columns).float().clamp_min(0).view(shape)


def _outside_cost(edges: Edges, channels: int, sigma: float) -> float:
    """The cost of a canvas pixel without a source pixel: the edge's, and the expected cost of the noise elsewhere."""
    return edges.outside + channels * sigma**2


def _overlap_sum(weights: Float[Tensor, "h w hs ws"], reach: int, backend: Backend) -> Float[Tensor, "h w hs ws"]:
    """The weight of each source pixel for each pixel: the sum over all patches that overlap there."""
    if reach == 0:
        return weights
    if backend == "compiled":
        out = torch.empty_like(weights)
        kernels.run(kernels.overlap_sum, weights.numpy(), reach, out.numpy())
        return out
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
    return weights


def _inner(shift: int, length: int) -> slice:
    """The part of 0 .. length - 1 that stays in range after a shift by -shift."""
    return slice(max(shift, 0), max(length + min(shift, 0), 0))
