"""Compiled loops of the patch denoiser. No other file uses numba.

Each kernel works on the rows (or diagonals) first, first + stride, ...; `run` gives one such set to each thread. No
result depends on the number of threads. Kernels release the interpreter lock. They are compiled once on each machine.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

# Sums may be reordered, so that they can be vectorised; NaN and infinity still work.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(torch.get_num_threads())


def compiled() -> bool:
    """Whether the loops were compiled on this machine before. The first run spends some seconds on that."""
    folder = Path(str(refine_origins.stats.cache_path))
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return any(folder.glob(f"kernels.{refine_origins.__name__}-*.{python}*.nbi"))


def run(kernel: Callable[..., None], *arguments: Any) -> None:
    """Call `kernel(*arguments, first, stride)` on as many threads as torch uses."""
    stride = torch.get_num_threads()
    for _ in _threads().map(lambda first: kernel(*arguments, first, stride), range(stride)):
        pass


@numba.njit(**_OPTIONS)
@no_type_check
def window_distances(x, signed_cost, y, inside, outside_cost, size, lowest, out, first, stride):
    """out[i, k, j, l] = distance of the size x size window of x at (i, j) from that of y at (lowest[i] + k, l).

    Where signed_cost < 0 the pixel of x is on the canvas and its weight is -signed_cost: a pair of pixels costs
    weight * |x - y|^2, or `outside_cost` where y is not `inside`. Where signed_cost >= 0 the pixel of x is off the
    canvas: the pair costs signed_cost if y is inside, and nothing otherwise. Windows along a diagonal (the same offset
    between x and y) overlap, so their sums are updated and never recomputed: the time does not depend on the size.
    """
    columns, columns_y = x.shape[2], inside.shape[1]
    height, depth = out.shape[0], out.shape[1]
    height_y = inside.shape[0] - size + 1
    pairs = np.zeros((size, columns, columns_y), np.float32)  # costs of all pairs of pixels, of the latest rows
    strip = np.empty((columns, columns_y), np.float32)  # their sum over `size` rows
    diagonal = np.zeros((columns + 1, columns_y + 1), np.float32)
    fresh = np.empty(columns_y, np.float32)
    for shift in range(first - height + 1, height_y, stride):
        top, bottom = _rows_on_diagonal(shift, lowest, depth)
        if top >= bottom:
            continue
        strip[:] = 0
        for row in range(top, bottom + size - 1):
            old = pairs[row % size]
            leaves = np.float32(row >= top + size)
            for j in range(columns):
                _pixel_costs(x, signed_cost, y, inside, outside_cost, row, j, row + shift, fresh)
                for l in range(columns_y):
                    strip[j, l] += fresh[l] - leaves * old[j, l]
                    old[j, l] = fresh[l]
            i = row - size + 1
            k = i + shift - lowest[i] if i >= top else -1
            if k >= 0 and k < depth:
                _sum_diagonals(strip, diagonal)
                for j in range(out.shape[2]):
                    for l in range(out.shape[3]):
                        out[i, k, j, l] = diagonal[j + size, l + size] - diagonal[j, l]


@numba.njit(**_OPTIONS)
@no_type_check
def _rows_on_diagonal(shift, lowest, depth):
    """First and last + 1 of the rows i whose candidates, lowest[i] ... lowest[i] + depth - 1, include i + shift."""
    top, bottom = len(lowest), 0
    for i in range(len(lowest)):
        if i + shift >= lowest[i] and i + shift < lowest[i] + depth:
            top, bottom = min(top, i), i + 1
    return top, bottom


@numba.njit(**_OPTIONS)
@no_type_check
def _pixel_costs(x, signed_cost, y, inside, outside_cost, a, j, b, out):
    """out[l] = cost of the pixel of x at (a, j) and that of y at (b, l)."""
    cost = signed_cost[a, j]
    if cost >= 0:
        for l in range(len(out)):
            out[l] = cost * inside[b, l]
        return
    out[:] = 0
    for c in range(x.shape[0]):
        value = x[c, a, j]
        for l in range(len(out)):
            difference = value - y[c, b, l]
            out[l] += difference * difference
    for l in range(len(out)):
        out[l] = outside_cost - inside[b, l] * (cost * out[l] + outside_cost)


@numba.njit(**_OPTIONS)
@no_type_check
def _sum_diagonals(strip, out):
    """out[j + 1, l + 1] = strip[j, l] + strip[j - 1, l - 1] + ..., where row 0 and column 0 of out are zero."""
    for j in range(strip.shape[0]):
        for l in range(strip.shape[1]):
            out[j + 1, l + 1] = out[j, l] + strip[j, l]


_LOG2_E = np.float32(1 / math.log(2))
_POWERS = tuple(np.float32(a) for a in (1, 0.693146929, 0.240230502, 0.0554804263, 0.00968458, 0.00123878, 0.000218775))


@numba.njit(inline="always")
@no_type_check
def _power_of_two(f):
    """2^f for f in [0, 1), by a polynomial. Its relative error is 1e-7."""
    a, b, c, d, e, g, h = _POWERS
    return a + f * (b + f * (c + f * (d + f * (e + f * (g + f * h)))))


@numba.njit(**_OPTIONS)
@no_type_check
def soften(weights, factor, log_prior, lowest, smallest_log, first, stride):
    """weights[i, :, j, :] = exp(factor * weights + log_prior - their maximum), or 0 where that is too small."""
    height, depth, width, width_y = weights.shape
    bits = np.empty(width_y, np.int32)
    power = bits.view(np.float32)
    top = np.empty((width, width_y), np.float32)
    for i in range(first, height, stride):
        top[:] = -np.inf
        for k in range(depth):
            prior = log_prior[i, lowest[i] + k]
            for j in range(width):
                for l in range(width_y):
                    value = factor * weights[i, k, j, l] + prior[l]
                    weights[i, k, j, l] = value
                    top[j, l] = value if value > top[j, l] else top[j, l]
        for j in range(width):
            top[j, 0] = top[j].max()
        for k in range(depth):
            for j in range(width):
                row, highest = weights[i, k, j], top[j, 0]
                for l in range(width_y):
                    value = row[l] - highest
                    exponent = _LOG2_E * (value if value > smallest_log else smallest_log)
                    whole = np.floor(exponent)
                    bits[l] = (np.int32(whole) + 127) << 23  # 2^whole, as a float32
                    row[l] = _power_of_two(exponent - whole) if value > smallest_log else np.float32(0)
                for l in range(width_y):
                    row[l] *= power[l]


@numba.njit(**_OPTIONS)
@no_type_check
def count_use(weights, scale, lowest, rows, columns, usage, first, stride):
    """usage[i, k, l] = sum over j of weights[i, k, j, l], of weights that are scaled so that those of (i, j) sum to 1.

    That is without the factor scale[k, l], which all have in common.
    """
    depth, width_y = weights.shape[1], weights.shape[3]
    total = np.empty(weights.shape[2], np.float32)
    for i in range(rows[0] + first, rows[1], stride):
        total[:] = 0
        for k in range(depth):
            by = scale[lowest[i] + k]
            for j in range(columns[0], columns[1]):
                part = np.float32(0)
                for l in range(width_y):
                    part += weights[i, k, j, l] * by[l]
                total[j] += part
        for j in range(columns[0], columns[1]):
            total[j] = np.float32(1) / max(total[j], np.float32(1e-30))
        for k in range(depth):
            use = usage[i, lowest[i] + k]
            for j in range(columns[0], columns[1]):
                for l in range(width_y):
                    use[l] += weights[i, k, j, l] * total[j]


@numba.njit(**_OPTIONS)
@no_type_check
def normalise(weights, scale, lowest, smallest, best, first, stride):
    """Scale the weights of each pair (k, l), then make those of each (i, j) sum to 1 and drop small ones.

    best[i, j] is the (k, l) of the largest weight.
    """
    height, depth, width, width_y = weights.shape
    total = np.empty(width, np.float32)
    top = np.empty((width, width_y), np.float32)
    at = np.empty((width, width_y), np.int32)
    for i in range(first, height, stride):
        total[:] = 0
        top[:] = -1
        for k in range(depth):
            by = scale[lowest[i] + k]
            for j in range(width):
                part = np.float32(0)
                for l in range(width_y):
                    value = weights[i, k, j, l] * by[l]
                    weights[i, k, j, l] = value
                    part += value
                    larger = value > top[j, l]
                    top[j, l] = value if larger else top[j, l]
                    at[j, l] = k if larger else at[j, l]
                total[j] += part
        for j in range(width):
            l = np.argmax(top[j])
            best[i, j, 0], best[i, j, 1] = lowest[i] + at[j, l], l
            total[j] = np.float32(1) / total[j]
        for k in range(depth):
            for j in range(width):
                for l in range(width_y):
                    value = weights[i, k, j, l] * total[j]
                    weights[i, k, j, l] = value if value >= smallest else np.float32(0)


@numba.njit(**_OPTIONS)
@no_type_check
def overlap_sum(weights, lowest, radius, values, out, first, stride):
    """Sums over the patches that overlap a pixel, each with its own piece of the source.

    out[n, i, j] = sum over (k, l) and |a|, |b| <= radius of weights[i + a, k + a, j + b, l + b] * values[:, k, l],
    where k counts from row 0 of the source. Part n of `out` has the diagonals k - i = n modulo the number of parts.
    """
    height, depth, width, width_y = weights.shape
    channels, height_y = values.shape[0], values.shape[1]
    parts, size = out.shape[0], 2 * radius + 1
    strip = np.zeros((width + 2 * radius, width_y + 2 * radius), np.float32)
    diagonal = np.zeros((width + 2 * radius + 1, width_y + 2 * radius + 1), np.float32)
    window = np.empty(width_y, np.float32)
    for part in range(first, parts, stride):
        for shift in range(part - height + 1, height_y, parts):
            top, bottom = _rows_on_diagonal(shift, lowest, depth)
            if top >= bottom:
                continue
            begin, end = max(top - radius, -shift, 0), min(bottom + radius, height, height_y - shift)
            strip[:] = 0
            for i in range(begin - radius, end):
                for leaving in range(2):
                    a = i + radius - leaving * size
                    k = a + shift - lowest[a] if a >= top and a < bottom else -1
                    if k < 0 or k >= depth:
                        continue
                    sign = np.float32(1 - 2 * leaving)
                    for j in range(width):
                        for l in range(width_y):
                            strip[j + radius, l + radius] += sign * weights[a, k, j, l]
                if i < begin:
                    continue
                _sum_diagonals(strip, diagonal)
                for j in range(width):
                    for l in range(width_y):
                        window[l] = diagonal[j + size, l + size] - diagonal[j, l]
                    for c in range(channels):
                        total = np.float32(0)
                        for l in range(width_y):
                            total += window[l] * values[c, i + shift, l]
                        out[part, i, j, c] += total


@numba.njit(inline="always")
@no_type_check
def _random(state):
    """The next number of a 32-bit linear congruential generator."""
    return (state * 1664525 + 1013904223) & 0xFFFFFFFF


@numba.njit(**_OPTIONS)
@no_type_check
def refine_origins(
    x, y, size, channels, allowed, wrap_y, wrap_x, origins, changed, offsets, jitter, reach, seed, corner, out,
    distance, first, stride
):  # fmt: skip
    """One pass of the search: each pixel tries its neighbours' origins, shifted, and `jitter` random ones.

    x and y are padded pictures, as rows x (columns * channels). Windows are cut at the canvas' edge. `origins` is only
    read and `out` only written (a Jacobi pass), so the order of the pixels does not matter. `changed` is 2 in the first
    pass. Later, it says which origins the pass before has changed: the others were tried, and `distance` is known.
    """
    height, width = origins.shape[0], origins.shape[1]
    height_y, width_y = allowed.shape
    radius = size // 2
    for i in range(first, height, stride):
        above = 0 if wrap_y else max(0, radius - i)
        below = size if wrap_y else min(size, height + radius - i)
        for j in range(width):
            left = 0 if wrap_x else max(0, radius - j) * channels
            right = (size if wrap_x else min(size, width + radius - j)) * channels
            best_k, best_l = origins[i, j, 0], origins[i, j, 1]
            again = changed[i, j] < 2
            best = distance[i, j] if again else np.float32(np.inf)
            state = (((i + corner[0]) * 73856093) ^ ((j + corner[1]) * 19349663) ^ (seed * 83492791)) & 0xFFFFFFFF
            for n in range(0 if again else -1, len(offsets) + jitter):
                if n < 0:
                    k, l = best_k, best_l
                elif n < len(offsets):
                    a, b = offsets[n, 0], offsets[n, 1]
                    ii, jj = i + a, j + b
                    if wrap_y:
                        ii %= height
                    if wrap_x:
                        jj %= width
                    if ii < 0 or jj < 0 or ii >= height or jj >= width or changed[ii, jj] == 0:
                        continue
                    k, l = origins[ii, jj, 0] - a, origins[ii, jj, 1] - b
                else:
                    state = _random(state)
                    k = best_k + (state >> 8) % (2 * reach + 1) - reach
                    state = _random(state)
                    l = best_l + (state >> 8) % (2 * reach + 1) - reach
                if k < 0 or l < 0 or k >= height_y or l >= width_y:
                    continue
                if n >= 0 and ((k == best_k and l == best_l) or not allowed[k, l]):
                    continue
                total = np.float32(0)
                for a in range(above, below):
                    for b in range(left, right):
                        difference = x[i + a, j * channels + b] - y[k + a, l * channels + b]
                        total += difference * difference
                    if total >= best:
                        break
                if total < best:
                    best, best_k, best_l = total, k, l
            out[i, j, 0], out[i, j, 1] = best_k, best_l
            distance[i, j] = best


@numba.njit(**_OPTIONS)
@no_type_check
def average_patches(origins, y, allowed, window, wrap_y, wrap_x, out, first, stride):
    """out = average of the patches that overlap a pixel, weighted by `window` around their centres."""
    height, width = origins.shape[0], origins.shape[1]
    channels, height_y, width_y = y.shape
    radius = window.shape[0] // 2
    total = np.empty(channels, np.float32)
    for i in range(first, height, stride):
        for j in range(width):
            weight = np.float32(0)
            total[:] = 0
            for a in range(-radius, radius + 1):
                ii = i + a
                if wrap_y:
                    ii %= height
                if ii < 0 or ii >= height:
                    continue
                for b in range(-radius, radius + 1):
                    jj = j + b
                    if wrap_x:
                        jj %= width
                    if jj < 0 or jj >= width:
                        continue
                    k, l = origins[ii, jj, 0] - a, origins[ii, jj, 1] - b
                    if k < 0 or l < 0 or k >= height_y or l >= width_y or not allowed[k, l]:
                        continue
                    w = window[a + radius, b + radius]
                    weight += w
                    for c in range(channels):
                        total[c] += w * y[c, k, l]
            for c in range(channels):
                out[c, i, j] = total[c] / weight


@numba.njit(**_OPTIONS)
@no_type_check
def heal_step(now, before, right_side, fixed, decay, omega, wrap_y, wrap_x, out, first, stride):
    """One Jacobi step of (decay - Laplacian) u = right_side with Chebyshev acceleration, and free or wrapped borders.

    Where it is fixed, u stays 0. `out` may be `before`: each value is read just before it is overwritten.
    """
    channels, height, width = right_side.shape
    for i in range(first, height, stride):
        above, below = i - 1, i + 1
        if wrap_y:
            above, below = above % height, below % height
        rows = (above >= 0) + (below < height)
        some = fixed[i].any()
        for c in range(channels):
            here, right, old, new = now[c, i], right_side[c, i], before[c, i], out[c, i]
            upper, lower = now[c, max(above, 0)], now[c, min(below, height - 1)]
            if rows == 2 and not some:
                full = np.float32(1) / (decay + np.float32(4))
                for j in range(1, width - 1):
                    total = right[j] + (upper[j] + lower[j]) + (here[j - 1] + here[j + 1])
                    new[j] = old[j] + omega * (total * full - old[j])
            for j in range(width):
                if fixed[i, j] or (rows == 2 and not some and j > 0 and j < width - 1):
                    continue
                total, count = right[j], rows
                vertical = np.float32(0)
                if above >= 0:
                    vertical += upper[j]
                if below < height:
                    vertical += lower[j]
                sideways = np.float32(0)
                for jj in (j - 1, j + 1):
                    if wrap_x:
                        jj %= width
                    if jj >= 0 and jj < width:
                        sideways += here[jj]
                        count += 1
                total = total + vertical + sideways
                new[j] = old[j] + omega * (total * (np.float32(1) / (decay + np.float32(count))) - old[j])


@numba.njit(**_OPTIONS)
@no_type_check
def seam_excess(origins, source, here, fixed, wrap_y, wrap_x, edge, kept_edge, inner, outer, first, stride):
    """How much each step of a copied picture to the next row (0) and column (1) is to grow, inside and at the border of
    what is fixed: wanted is the mean of the source's steps at both sides."""
    channels, height, width = here.shape
    height_y, width_y = source.shape[1], source.shape[2]
    missing = np.empty(channels, np.float32)
    for i in range(first, height, stride):
        for j in range(width):
            for axis in range(2):
                ii, jj = i + (axis == 0), j + (axis == 1)
                if wrap_y:
                    ii %= height
                if wrap_x:
                    jj %= width
                for c in range(channels):
                    inner[axis, c, i, j] = 0
                    outer[axis, c, i, j] = 0
                if ii >= height or jj >= width:
                    continue
                k, l = origins[i, j, 0], origins[i, j, 1]
                kk, ll = origins[ii, jj, 0], origins[ii, jj, 1]
                down, across = axis == 0, axis == 1
                if kk - k == down and ll - l == across and not fixed[i, j] and not fixed[ii, jj]:
                    continue  # a patch goes on
                ahead_k, ahead_l = min(k + down, height_y - 1), min(l + across, width_y - 1)
                behind_k, behind_l = max(kk - down, 0), max(ll - across, 0)
                norm = np.float32(0)
                for c in range(channels):
                    wanted = np.float32(0.5) * (
                        (source[c, ahead_k, ahead_l] - source[c, k, l])
                        + (source[c, kk, ll] - source[c, behind_k, behind_l])
                    )
                    missing[c] = wanted - (here[c, ii, jj] - here[c, i, j])
                    norm += missing[c] * missing[c]
                border = fixed[i, j] != fixed[ii, jj]
                limit = kept_edge if border else edge
                share = np.float32(1) / (np.float32(1) + norm / (limit * limit))
                for c in range(channels):
                    if border:
                        outer[axis, c, i, j] = missing[c] * share
                    else:
                        inner[axis, c, i, j] = missing[c] * share


@numba.njit(**_OPTIONS)
@no_type_check
def divergence(excess, wrap_y, wrap_x, out, first, stride):
    """The excess that comes from the row and column before, less that which goes to the next ones."""
    _, channels, height, width = excess.shape
    for i in range(first, height, stride):
        above = (i - 1) % height if wrap_y else i - 1
        for c in range(channels):
            for j in range(width):
                left = (j - 1) % width if wrap_x else j - 1
                total = -excess[0, c, i, j] - excess[1, c, i, j]
                if above >= 0:
                    total += excess[0, c, above, j]
                if left >= 0:
                    total += excess[1, c, i, left]
                out[c, i, j] = total


def component_sizes(mask: Bool[Tensor, "h w"]) -> Int[Tensor, "h w"]:
    """The number of pixels in the connected region (four neighbours) of each pixel of the mask; 0 elsewhere."""
    sizes = np.zeros(mask.shape, np.int64)
    _component_sizes(mask.numpy(), sizes.reshape(-1))
    return torch.from_numpy(sizes)


@numba.njit(**_OPTIONS)
@no_type_check
def _root(parent, p):
    """The pixel that stands for the region of p (union-find with path halving)."""
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@numba.njit(**_OPTIONS)
@no_type_check
def _component_sizes(mask, sizes):
    height, width = mask.shape
    parent = np.arange(height * width)
    for i in range(height):
        for j in range(width):
            if mask[i, j]:
                here = i * width + j
                if i and mask[i - 1, j]:
                    parent[here] = _root(parent, here - width)
                if j and mask[i, j - 1]:
                    parent[_root(parent, here)] = _root(parent, here - 1)
    for p in range(height * width):
        if mask[p // width, p % width]:
            sizes[_root(parent, p)] += 1
    for p in range(height * width - 1, -1, -1):
        if mask[p // width, p % width]:
            sizes[p] = sizes[_root(parent, p)]
