"""The closed-form optimal denoiser over the patches of one picture: every patch, nothing left out.

For a noisy patch x_p = y_p + sigma * eps of a picture made of the source's patches y_j, the posterior mean is

    E[y_p | x_p] = sum_j w_j y_j,    w_j ~ prior_j * exp(-|x_p - y_j|^2 / (2 sigma^2)),

and overlapping estimates of a pixel are averaged. Compiled on CPUs, where sums along diagonals make the cost
independent of the patch size; as matrix products elsewhere (and as the oracle of the compiled loops).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Axes
from unica.patches import kernels
from unica.pyramid import Scale

_BLOCK = 2**26  # weights held at once (256 MiB, twice)
_FAINTEST = -80.0  # logarithm of the least weight there is: below come denormal numbers, which are slow
_RARE = 1e-6  # usage of a source patch below which it is not pushed any harder
_STRONGEST = 60.0  # bound of a log prior
Backend = Literal["compiled", "matmul"]


class Edges(NamedTuple):
    """What the borders cost, a pixel: these prices are all that ties a layout to the frame.

    `rows`: off the canvas above or below, where the source goes on. `columns`: likewise left and right.
    `outside`: on the canvas, where the source has ended or is transparent.
    """

    rows: float
    columns: float
    outside: float


class Posterior(NamedTuple):
    x0: Float[Tensor, "c h w"]
    field: Int[Tensor, "h w 2"]  # origin of each pixel's likeliest patch: row and column in the source
    prior: Float[Tensor, "hs ws"]  # log prior under which each source patch would be used as often


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
    certain: Float[Tensor, "h w"] | None = None,
    backend: Backend | None = None,
    dtype: torch.dtype = torch.float32,
) -> Posterior:
    """The optimal estimate of a picture from its noisy version x, with patches of patch x patch pixels.

    `overlap`: side of the part of a patch that votes (all of it by default, 1: only its centre). `prior`: log prior
    of the source's patches; `balance` rounds of Sinkhorn's iteration move it towards using all of them equally (on
    canvases of several blocks one round, of use at the next step). `certain`: how often each pixel of x counts, once by
    default; (sigma / s)^2 if its noise is s. Works in blocks, so memory is bounded. `dtype`: of the matrix products
    that measure distances where nothing is compiled, while noise is above its rounding.
    """
    backend = backend or ("compiled" if x.device.type == "cpu" else "matmul")
    if certain is not None:  # nor may it be cheap to say nothing of what goes on from there
        dtype, edges = torch.float32, edges._replace(outside=edges.outside * float(certain.max()))
    measure = _compiled_distances if backend == "compiled" else _matmul_distances
    height, width = x.shape[1:]
    radius, reach = patch // 2, (patch if overlap is None else overlap) // 2
    visible = source.visible.to(x.dtype)
    prior = torch.zeros_like(visible) if prior is None else prior
    log_prior, seen = prior.masked_fill(~source.visible, -torch.inf).flatten(), visible.flatten()
    voters = torch.cat([source.pixels * visible, visible[None]]).flatten(1).T
    padded, toll = _frame(x, certain, radius + reach, edges, wrap)
    x0, field = torch.empty_like(x), x.new_empty(height, width, 2, dtype=torch.int32)
    usage = torch.zeros_like(log_prior)
    blocks = _blocks(height, width, reach, visible.numel())
    for rows, columns in blocks:
        top, bottom = _halo(rows, height, reach, "y" in wrap)
        left, right = _halo(columns, width, reach, "x" in wrap)
        view = (slice(top + reach, bottom + reach + 2 * radius), slice(left + reach, right + reach + 2 * radius))
        inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        distances = measure(padded[:, view[0], view[1]], toll[view], source.pixels, visible, sigma, edges, patch, dtype)
        weights = distances.mul_(-0.5 / sigma**2).flatten(2).add_(log_prior)
        weights = weights.sub_(weights.amax(-1, keepdim=True)).clamp_min_(_FAINTEST).exp_().mul_(seen)
        if len(blocks) == 1 and balance:
            prior = prior + _sinkhorn(weights, inner, balance).view_as(prior)
        weights /= weights.sum(-1, keepdim=True)
        weights.masked_fill_(weights < math.exp(_FAINTEST / 2), 0.0)
        if len(blocks) > 1 and balance:
            usage += weights[inner].sum((0, 1))
        best = weights[inner].argmax(-1)
        field[rows, columns] = torch.stack([best // visible.shape[1], best % visible.shape[1]], -1).int()
        spread = _spread(weights.view(*weights.shape[:2], *visible.shape), reach, backend)[inner].flatten(2)
        total = spread @ voters
        x0[:, rows, columns] = (total[..., :-1] / total[..., -1:].clamp_min(1e-12)).movedim(-1, 0)
    if len(blocks) > 1 and balance:
        prior = prior - (usage * (usage.numel() / (height * width)) + _RARE).log().view_as(prior)
    return Posterior(x0, field, prior.clamp(-_STRONGEST, _STRONGEST))


def _sinkhorn(weights: Float[Tensor, "h w k"], inner: tuple[slice, slice], rounds: int) -> Float[Tensor, " k"]:
    """Scale the columns of `weights`, in place, until each has nearly the same share of the rows' mass; the log of
    the scales. (Entropic optimal transport between the canvas' patches and the source's.)"""
    matrix = weights.flatten(0, 1)
    own = torch.zeros(weights.shape[:2], device=weights.device)
    own[inner] = 1
    scale = matrix.new_ones(matrix.shape[1])
    for _ in range(rounds):
        share = own.flatten() / (matrix @ scale).clamp_min(1e-30)
        usage = scale * (share @ matrix) * (matrix.shape[1] / own.sum())
        scale = (scale / (usage + _RARE)).clamp(math.exp(-_STRONGEST), math.exp(_STRONGEST))
    matrix *= scale
    return scale.log()


def _blocks(height: int, width: int, halo: int, keys: int) -> list[tuple[slice, slice]]:
    """Square ones, or longer where the canvas is low: the fewer there are, the better balance works."""
    patches = _BLOCK // keys
    tall = min(height, max(math.isqrt(patches) - 2 * halo, 8))
    wide = max(patches // (tall + 2 * halo) - 2 * halo, 8)
    rows = [slice(i, min(i + tall, height)) for i in range(0, height, tall)]
    columns = [slice(j, min(j + wide, width)) for j in range(0, width, wide)]
    return [(r, c) for r in rows for c in columns]


def _halo(part: slice, length: int, reach: int, wrap: bool) -> tuple[int, int]:
    """The patches that say something of the pixels in `part`: on a torus there are some beyond the edge."""
    start, stop = part.start - reach, part.stop + reach
    return (start, stop) if wrap else (max(start, 0), min(stop, length))


def _frame(
    x: Float[Tensor, "c h w"], certain: Float[Tensor, "h w"] | None, margin: int, edges: Edges, wrap: Axes
) -> tuple[Float[Tensor, "c H W"], Float[Tensor, "H W"]]:
    """x with a margin, and the toll of every pixel: what is off the canvas costs, a torus has no off. On the canvas it
    is minus the number of times that a pixel counts."""
    toll = -(torch.ones_like(x[0]) if certain is None else certain)[None, None]
    padded = x[None]
    for axis, pad, price in (("x", (margin, margin, 0, 0), edges.columns), ("y", (0, 0, margin, margin), edges.rows)):
        if axis in wrap:
            padded, toll = wrap_pad(padded, pad), wrap_pad(toll, pad)
        else:
            padded, toll = F.pad(padded, pad), F.pad(toll, pad, value=price)
    return padded[0], toll[0, 0]


def wrap_pad(x: Float[Tensor, "b c h w"], pad: tuple[int, int, int, int]) -> Float[Tensor, "b c H W"]:
    """Circular padding that may be wider than the picture."""
    left, right, top, bottom = pad
    rows = torch.arange(-top, x.shape[-2] + bottom, device=x.device) % x.shape[-2]
    columns = torch.arange(-left, x.shape[-1] + right, device=x.device) % x.shape[-1]
    return x[..., rows, :][..., columns]


def _compiled_distances(
    x: Float[Tensor, "c h w"],
    toll: Float[Tensor, "h w"],
    y: Float[Tensor, "c hs ws"],
    visible: Float[Tensor, "hs ws"],
    sigma: float,
    edges: Edges,
    patch: int,
    dtype: torch.dtype,
) -> Float[Tensor, "ph pw hs ws"]:
    """Squared distances of all pairs of patches."""
    radius = patch // 2
    out = torch.empty(x.shape[1] - 2 * radius, x.shape[2] - 2 * radius, *visible.shape)
    kernels.run(
        kernels.window_distances,
        np.ascontiguousarray(x.numpy()),
        np.ascontiguousarray(toll.numpy()),
        F.pad(y, [radius] * 4).numpy(),
        F.pad(visible, [radius] * 4).numpy(),
        np.float32(_outside(edges, x.shape[0], sigma)),
        patch,
        out.numpy(),
    )
    return out


def _matmul_distances(
    x: Float[Tensor, "c h w"],
    toll: Float[Tensor, "h w"],
    y: Float[Tensor, "c hs ws"],
    visible: Float[Tensor, "hs ws"],
    sigma: float,
    edges: Edges,
    patch: int,
    dtype: torch.dtype,
) -> Float[Tensor, "ph pw hs ws"]:
    """The same as one product of unfolded patches: |x|^2 seen - 2 x y + seen |y|^2 + prices, pixel by pixel."""
    radius = patch // 2
    often = -toll.clamp_max(0)
    y, visible = F.pad(y, [radius] * 4), F.pad(visible, [radius] * 4)
    outside = _outside(edges, x.shape[0], sigma)
    queries = torch.cat(
        [(often * x.square().sum(0) + toll.clamp_min(0))[None], -2 * often * x, often[None], (often > 0)[None]]
    )
    keys = torch.cat([visible[None], visible * y, (visible * y.square().sum(0))[None], (outside * (1 - visible))[None]])
    dtype = dtype if sigma >= 0.5 else torch.float32  # rounding must stay below the noise
    rows = F.unfold(queries[None], patch)[0].T.to(dtype)
    columns = F.unfold(keys[None], patch)[0].to(dtype)
    shape = (x.shape[1] - 2 * radius, x.shape[2] - 2 * radius, y.shape[1] - 2 * radius, y.shape[2] - 2 * radius)
    return (rows @ columns).float().clamp_min(0).view(shape)


def _outside(edges: Edges, channels: int, sigma: float) -> float:
    """A pixel without a source pixel has no noise to explain: it must not be cheaper for that."""
    return edges.outside + channels * sigma**2


def _spread(weights: Float[Tensor, "h w hs ws"], reach: int, backend: Backend) -> Float[Tensor, "h w hs ws"]:
    if reach == 0:
        return weights
    if backend == "compiled":
        out = torch.empty_like(weights)
        kernels.run(kernels.spread_weights, weights.numpy(), reach, out.numpy())
        return out
    for of, to in ((0, 2), (1, 3)):  # a box is separable: rows of canvas and source together, then columns
        out = torch.zeros_like(weights)
        for shift in range(-reach, reach + 1):
            part = [slice(None)] * 4
            moved = [slice(None)] * 4
            for axis in (of, to):
                part[axis] = _inner(-shift, weights.shape[axis])
                moved[axis] = _inner(shift, weights.shape[axis])
            out[tuple(part)] += weights[tuple(moved)]
        weights = out
    return weights


def _inner(shift: int, length: int) -> slice:
    """The part of 0 .. length - 1 that is still there after a shift by -shift."""
    return slice(max(shift, 0), max(length + min(shift, 0), 0))
