"""Compiled loops of the patch denoiser. No other file uses numba.

Each kernel works on the rows (or diagonals) first, first + stride, ...; `run` gives one such set to each thread. No
result depends on the number of threads. Kernels release the interpreter lock. They are compiled once on each machine.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
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


def run(kernel: Callable[..., None], *arguments: Any) -> None:
    """Call `kernel(*arguments, first, stride)` on as many threads as torch uses."""
    stride = torch.get_num_threads()
    for _ in _threads().map(lambda first: kernel(*arguments, first, stride), range(stride)):
        pass


@numba.njit(**_OPTIONS)
@no_type_check
def window_distances(x, signed_cost, y, inside, outside_cost, size, out, first, stride):
    """out[i, j, k, l] = distance of the size x size window of x at (i, j) from that of y at (k, l).

    Where signed_cost < 0 the pixel of x is on the canvas and its weight is -signed_cost: a pair of pixels costs
    weight * |x - y|^2, or `outside_cost` where y is not `inside`. Where signed_cost >= 0 the pixel of x is off the
    canvas: the pair costs signed_cost if y is inside, and nothing otherwise. Windows along a diagonal (constant k - i
    and l - j) overlap, so their sums are updated and never recomputed: the time does not depend on the size.
    """
    channels, rows, columns = x.shape
    rows_y, columns_y = inside.shape
    height = rows - size + 1
    height_y, width_y = rows_y - size + 1, columns_y - size + 1
    strip = np.empty((columns, columns_y), np.float32)  # sums over `size` rows of every pair of columns
    window = np.empty((2, width_y), np.float32)
    for shift in range(first - height + 1, height_y, stride):
        strip[:] = 0
        top = max(0, -shift)
        bottom = min(height, height_y - shift)
        for row in range(top, bottom + size - 1):
            for leaving in range(2):
                a = row - size * leaving
                if a < top:
                    continue
                sign = np.float32(1 - 2 * leaving)
                b = a + shift
                for j in range(columns):
                    cost = sign * signed_cost[a, j]
                    if signed_cost[a, j] >= 0:
                        for l in range(columns_y):
                            strip[j, l] += cost * inside[b, l]
                        continue
                    for c in range(channels):
                        value = x[c, a, j]
                        for l in range(columns_y):
                            difference = value - y[c, b, l]
                            strip[j, l] -= cost * inside[b, l] * (difference * difference)
                    for l in range(columns_y):
                        strip[j, l] += sign * outside_cost * (np.float32(1) - inside[b, l])
            i = row - size + 1
            if i >= top:
                _diagonal_sums(strip, size, window, out, i, i + shift)


@numba.njit(**_OPTIONS)
@no_type_check
def overlap_sum(weights, radius, out, first, stride):
    """out[i, j, k, l] = sum of weights[i + a, j + b, k + a, l + b] over |a|, |b| <= radius.

    The weight of a patch holds for every pixel in it. This sums them over the patches that overlap a pixel.
    """
    height, width, height_y, width_y = weights.shape
    strip = np.empty((width + 2 * radius, width_y + 2 * radius), np.float32)
    window = np.empty((2, width_y), np.float32)
    for shift in range(first - height + 1, height_y, stride):
        strip[:] = 0
        top = max(0, -shift)
        bottom = min(height, height_y - shift)
        for i in range(top - radius, bottom):
            for leaving in range(2):
                a = i + radius - leaving * (2 * radius + 1)
                if a < top or a >= bottom:
                    continue
                sign = np.float32(1 - 2 * leaving)
                for j in range(width):
                    for l in range(width_y):
                        strip[j + radius, l + radius] += sign * weights[a, j, a + shift, l]
            if i >= top:
                _diagonal_sums(strip, 2 * radius + 1, window, out, i, i + shift)


@numba.njit(**_OPTIONS)
@no_type_check
def _diagonal_sums(strip, size, window, out, i, k):
    """out[i, j, k, l] = sum of strip[j + a, l + a] over a < size, of terms that are not negative."""
    width, width_y = out.shape[1], out.shape[3]
    for j in range(width):
        new, old = j & 1, 1 - (j & 1)
        if j == 0:
            for l in range(width_y):
                total = np.float32(0)
                for a in range(size):
                    total += strip[a, l + a]
                window[new, l] = total
        else:
            total = np.float32(0)
            for a in range(size):
                total += strip[j + a, a]
            window[new, 0] = total
            for l in range(1, width_y):
                window[new, l] = window[old, l - 1] + strip[j + size - 1, l + size - 1] - strip[j - 1, l - 1]
        for l in range(width_y):
            out[i, j, k, l] = max(window[new, l], np.float32(0))


@numba.njit(inline="always")
@no_type_check
def _random(state):
    """The next number of a 32-bit linear congruential generator."""
    return (state * 1664525 + 1013904223) & 0xFFFFFFFF


@numba.njit(**_OPTIONS)
@no_type_check
def refine_origins(
    x, y, size, channels, allowed, wrap_y, wrap_x, origins, offsets, jitter, reach, seed, out, distance, first, stride
):
    """One pass of the search: each pixel tries its neighbours' origins, shifted, and `jitter` random ones.

    x and y are padded pictures, as rows x (columns * channels). Windows are cut at the canvas' edge. `origins` is only
    read and `out` only written (a Jacobi pass), so the order of the pixels does not matter.
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
            best = np.float32(np.inf)
            state = ((i * 73856093) ^ (j * 19349663) ^ (seed * 83492791)) & 0xFFFFFFFF
            for n in range(-1, len(offsets) + jitter):
                if n < 0:
                    k, l = best_k, best_l
                elif n < len(offsets):
                    a, b = offsets[n, 0], offsets[n, 1]
                    ii, jj = i + a, j + b
                    if wrap_y:
                        ii %= height
                    if wrap_x:
                        jj %= width
                    if ii < 0 or jj < 0 or ii >= height or jj >= width:
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
def heal_step(now, before, right_side, decay, omega, wrap_y, wrap_x, out, first, stride):
    """One Jacobi step of (decay - Laplacian) u = right_side with Chebyshev acceleration, and free or wrapped borders.

    `out` may be `before`: each value is read just before it is overwritten.
    """
    channels, height, width = right_side.shape
    for i in range(first, height, stride):
        for c in range(channels):
            for j in range(width):
                total = right_side[c, i, j]
                count = 0
                for side in range(4):
                    ii = i + (side == 0) - (side == 1)
                    jj = j + (side == 2) - (side == 3)
                    if wrap_y:
                        ii %= height
                    if wrap_x:
                        jj %= width
                    if ii < 0 or jj < 0 or ii >= height or jj >= width:
                        continue
                    total += now[c, ii, jj]
                    count += 1
                last = before[c, i, j]
                out[c, i, j] = last + omega * (total / (decay + count) - last)


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
