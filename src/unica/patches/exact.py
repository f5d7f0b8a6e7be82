"""The closed-form optimal denoiser over the patches of one picture, computed exactly: all patches are compared.

For a noisy patch x_p = y_p + sigma * eps of a picture made of the source's patches y_j, the posterior mean is

    E[y_p | x_p] = sum_j w_j y_j,    w_j ~ prior_j * exp(-|x_p - y_j|^2 / (2 sigma^2)),

and overlapping estimates of a pixel are averaged. On CPUs compiled loops compute it by sums along diagonals, whose
cost does not depend on the patch size. Elsewhere, and as a test of the compiled loops, it is a matrix product.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unica.patches.pairs import Block, CompiledPairs, MatmulPairs
from unica.pyramid import Scale, Size
from unica.torus import Axes, wrap_pad

_BLOCK = 2**26  # weights in memory at once (256 MiB; twice, as matrix products)
_ALIKE = 1.5  # sides of a block, as multiples of the source's
_RARE = 1e-6  # source patches that are used less than this get no higher prior for it
_LARGEST_LOG = 60.0  # bound of what a round adds to a log prior
_LARGEST_PRIOR = 1e4
Backend = Literal["compiled", "matmul"]


class Edges(NamedTuple):
    """What it costs a patch to cross a border, for each of its pixels. These costs tie the layout to the frame.

    `rows`: the pixel is above or below the canvas, where the source has a pixel. `columns`: left or right of it.
    `outside`: the pixel is on the canvas, where the source has none or is transparent.
    """

    rows: float
    columns: float
    outside: float


class Priors(NamedTuple):
    """Log priors of source patches that make their use more even: one for each block of the canvas."""

    of_blocks: Float[Tensor, "n hs ws"]
    sigma: float  # of the step that made them
    patch: int

    def at(self, sigma: float, patch: int, count: int) -> Float[Tensor, "n hs ws"]:
        """The priors of `count` blocks for another step, with other noise and patches.

        A prior outweighs differences of patches, and they count more where there is less noise. One block has so many
        rounds that it finds its priors anyway, and its settings are tuned without this. Where memory decides about
        blocks, there may be another number of them: then they begin with the mean.
        """
        of_blocks = self.of_blocks
        if len(of_blocks) != count:
            of_blocks = of_blocks.mean(0, keepdim=True).expand(count, -1, -1)
        return of_blocks if count == 1 else of_blocks * (self.sigma / sigma * patch / self.patch) ** 2


class Posterior(NamedTuple):
    """The estimate of the clean picture, and what it is made of."""

    x0: Float[Tensor, "c h w"]
    origins: Int[Tensor, "h w 2"]  # row and column in the source of each pixel's likeliest patch
    priors: Priors  # for the next step


def posterior(
    x: Float[Tensor, "c h w"],
    source: Scale,
    sigma: float,
    patch: int,
    edges: Edges,
    overlap: int | None = None,
    priors: Priors | None = None,
    balance: int = 0,
    wrap: Axes = "",
    pixel_weight: Float[Tensor, "h w"] | None = None,
    order: Float[Tensor, "h hs"] | None = None,
    relevance: Float[Tensor, "hs ws"] | None = None,
    ordered_use: bool = False,
    backend: Backend | None = None,
    dtype: torch.dtype = torch.float32,
) -> Posterior:
    """The optimal estimate of a picture from its noisy version x, with patches of patch x patch pixels.

    - `overlap`: side of the central part of a patch that counts in the average; all of it by default, 1 is its centre.
    - `order`: log prior of source rows for each row of the canvas. Rows at minus infinity are not even compared.
    - `relevance`: log prior of the source's patches, the same everywhere on the canvas.
    - `priors`: log priors as well, but such that only serve balance: one for each block of the canvas. `balance` rounds
      of Sinkhorn's iteration change them so that all patches get equal use in every block, or use in proportion to
      their relevance and, if `ordered_use`, to what the order makes of each source row there.
    - `pixel_weight`: how much each pixel of x counts, 1 by default. A pixel with noise s instead of sigma has
      (sigma / s)^2.
    - `dtype`: of the matrix products, as long as the noise is larger than its rounding. Compiled loops use float32.

    It works in blocks, so memory is bounded. With balance they are about as large as the source: on a larger canvas,
    what is used too often here and too seldom there would be even, and yet repeated.
    """
    backend = backend or ("compiled" if x.device.type == "cpu" else "matmul")
    if pixel_weight is not None:
        # Raise the outside cost too; otherwise patches prefer to leave the source.
        dtype, edges = torch.float32, edges._replace(outside=edges.outside * float(pixel_weight.max()))
    height, width = x.shape[1:]
    radius, reach = patch // 2, (patch if overlap is None else overlap) // 2
    visible = source.visible.to(x.dtype)
    relevance = torch.zeros_like(visible) if relevance is None else relevance
    order = visible.new_zeros(height, len(visible)) if order is None else order
    lowest, depth = _candidates(order)
    keys = depth * visible.shape[1] if backend == "compiled" else visible.numel()
    blocks = _blocks(height, width, reach, keys, source.size if balance else None)
    before = visible.new_zeros(len(blocks), *source.size) if priors is None else priors.at(sigma, patch, len(blocks))
    padded, signed_cost = _padded(x, pixel_weight, radius + reach, edges, wrap)
    outside_cost = edges.outside + len(x) * sigma**2  # the edge's cost, and the expected one of the noise elsewhere
    x0, origins, later = torch.empty_like(x), x.new_empty(height, width, 2, dtype=torch.int32), []
    for (rows, columns), prior in zip(blocks, before, strict=True):
        top, bottom = _with_halo(rows, height, reach, "y" in wrap)
        left, right = _with_halo(columns, width, reach, "x" in wrap)
        view = (slice(top + reach, bottom + reach + 2 * radius), slice(left + reach, right + reach + 2 * radius))
        inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        on_canvas = torch.arange(top, bottom, device=x.device) % height
        of_source = (prior + relevance).masked_fill(~source.visible, -torch.inf)
        block = Block(
            padded[:, view[0], view[1]], signed_cost[view], source.pixels, visible, outside_cost,
            order[on_canvas, :, None] + of_source, lowest[on_canvas], depth, sigma, patch, dtype,
        )  # fmt: skip
        pairs = CompiledPairs(block) if backend == "compiled" else MatmulPairs(block)
        scale = torch.ones_like(visible)
        if balance:
            fitting = torch.ones_like(visible)
            if len(blocks) > 1:
                fitting = _fitting(source.size, (height, width), rows, columns, radius, wrap).to(visible)
            row_use = order[rows].softmax(1).mean(0) if ordered_use else None
            wanted = _wanted_use(relevance, row_use, source.visible) * fitting
            count = (rows.stop - rows.start) * (columns.stop - columns.start)
            for _ in range(balance):
                scale = _evened(scale, pairs.use(scale, inner) / count, wanted)
            prior = _carried((prior + scale.log()).clamp(-_LARGEST_PRIOR, _LARGEST_PRIOR), fitting)
        later.append(prior)
        origins[rows, columns] = pairs.normalise(scale)[inner]
        total = pairs.overlap_sum(reach)[inner]
        x0[:, rows, columns] = (total[..., :-1] / total[..., -1:].clamp_min(1e-12)).movedim(-1, 0)
    return Posterior(x0, origins, Priors(torch.stack(later), sigma, patch))


def _evened(
    scale: Float[Tensor, "hs ws"], usage: Float[Tensor, "hs ws"], wanted: Float[Tensor, "hs ws"]
) -> Float[Tensor, "hs ws"]:
    """The scale of source patches after a round of Sinkhorn's iteration.

    This is entropic optimal transport between the canvas' patches and the source's (Cuturi 2013).
    """
    scale = scale / (scale * usage * usage.numel() / wanted + _RARE)
    return scale.clamp(math.exp(-_LARGEST_LOG), math.exp(_LARGEST_LOG))


def _wanted_use(
    relevance: Float[Tensor, "hs ws"], row_use: Float[Tensor, " hs"] | None, visible: Bool[Tensor, "hs ws"]
) -> Float[Tensor, "hs ws"]:
    """How often each source patch should be used, as a multiple of the mean."""
    shares = (relevance - relevance[visible].max()).clamp_min(-_LARGEST_LOG).exp()
    shares = shares if row_use is None else shares * row_use.clamp_min(_RARE)[:, None]
    return torch.where(visible, shares / (shares * visible).mean(), 1.0)


def _fitting(
    source: Size, canvas: Size, rows: slice, columns: slice, radius: int, wrap: Axes
) -> Float[Tensor, "hs ws"]:
    """How much less often than others source patches fit that reach beyond the source, in a block of the canvas.

    They belong at the same border of the canvas. If they were wanted as often as others where there is none, their
    prior would grow, and as soon as patches get smaller they would be everywhere.
    """
    shares = []
    for of, on, part, name in zip(source, canvas, (rows, columns), "yx"):
        share, most = torch.ones(of), min(of / (part.stop - part.start), 1.0)
        share[:radius] = most if part.start == 0 and name not in wrap else _RARE
        share[max(of - radius, 0) :] = most if part.stop == on and name not in wrap else _RARE
        shares.append(share)
    return torch.outer(*shares)


def _carried(prior: Float[Tensor, "hs ws"], fitting: Float[Tensor, "hs ws"]) -> Float[Tensor, "hs ws"]:
    """The prior for the next step. Patches that fit less often than others, since they reach beyond the source, get
    that of the nearest one that does not: when patches get smaller, they are as good as that."""
    for axis in (0, 1):
        inside = (fitting.amax(1 - axis) >= fitting.max()).nonzero()[:, 0]
        at = torch.arange(prior.shape[axis], device=prior.device).clamp(inside.min(), inside.max())
        prior = prior.index_select(axis, at)
    return prior


def _candidates(order: Float[Tensor, "h hs"]) -> tuple[Int[Tensor, " h"], int]:
    """The source rows that a canvas row may use: the first one, and their number, which is the same for all rows."""
    allowed = order > -torch.inf
    first = allowed.int().argmax(1)
    depth = int((allowed.shape[1] - allowed.flip(1).int().argmax(1) - first).max())
    return first.clamp_max(allowed.shape[1] - depth), depth


def _blocks(height: int, width: int, halo: int, keys: int, like: Size | None) -> list[tuple[slice, slice]]:
    """The blocks of a canvas, about as large as `like`, or as memory allows: then square, or longer if it is low."""
    if like is not None:
        down, across = alike((height, width), like)
        tall, wide = -(-height // down), -(-width // across)
        if tall * wide * like[0] * like[1] <= _BLOCK:
            return _cut(height, width, tall, wide)
    patches = _BLOCK // keys
    tall = min(height, max(math.isqrt(patches) - 2 * halo, 8))
    return _cut(height, width, tall, max(patches // (tall + 2 * halo) - 2 * halo, 8))


def alike(canvas: Size, source: Size) -> tuple[int, int]:
    """How many blocks a canvas has along y and x that are about as large as the source."""
    down, across = (max(round(on / (_ALIKE * of)), 1) for on, of in zip(canvas, source))
    return down, across


def _cut(height: int, width: int, tall: int, wide: int) -> list[tuple[slice, slice]]:
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
