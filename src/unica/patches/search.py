"""The fast search for origins: where in the source each pixel's nearest patch lies.

The origins of a coarser level are nearly right on a finer one, so a few candidates for each pixel are enough: the
neighbours' origins, shifted (PatchMatch's propagation, Barnes et al. 2009), and a few random ones. The cost is linear
in the pixels of the canvas and does not depend on the size of the source. The result is the limit of the exact
posterior for little noise, where one patch has all the weight.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unica.masks import filled
from unica.patches import kernels
from unica.pyramid import Scale, Size
from unica.torus import Axes, wrap_pad
from unica.window import Window

Origins = Int[Tensor, "h w 2"]  # row and column in the source
Image = Float[Tensor, "c h w"]
Source = Float[Tensor, "c hs ws"]

_NEIGHBOURS = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
_OUTSIDE = 4.0  # the value of pixels beyond the source: farther from every pixel than any in [-1, 1]


def upscale(
    origins: Origins,
    size: Size,
    coarse_source: Size,
    source: Size,
    coarse_size: Size | None = None,
    given: Window | None = None,
    wanted: Window | None = None,
) -> Int[Tensor, "H W 2"]:
    """The origins on a finer canvas. Each pixel continues the patch of the coarse pixel that it lies in.

    `origins` may be the part `given` of a canvas of `coarse_size`, and `wanted` a part of the finer one.
    """
    coarse_size = (origins.shape[0], origins.shape[1]) if coarse_size is None else coarse_size
    starts = (0, 0) if given is None else given[:2]
    part = Window.whole(size) if wanted is None else wanted
    nearest = []
    for axis in (0, 1):
        turns, at = np.divmod(np.arange(part[axis], part[axis] + part[axis + 2]), size[axis])
        where = (at + 0.5) * (coarse_size[axis] / size[axis]) - 0.5
        near = where.round()
        index = near.astype(np.int64) + turns * coarse_size[axis] - starts[axis]
        if given is None:
            index %= coarse_size[axis]
        nearest.append((torch.from_numpy(index).to(origins.device), torch.from_numpy(where - near).to(origins.device)))
    (rows, dy), (columns, dx) = nearest
    coarse = origins[rows][:, columns]
    fine = torch.empty_like(coarse)
    for axis, offset in ((0, dy[:, None]), (1, dx[None, :])):
        ratio = source[axis] / coarse_source[axis]
        fine[..., axis] = ((coarse[..., axis] + offset + 0.5) * ratio - 0.5).round().clamp(0, source[axis] - 1).int()
    return fine


def nearest_visible(visible: Bool[Tensor, "hs ws"]) -> Origins:
    """For each pixel of the source the place of the nearest one that is visible, nearly: by jumps that get shorter."""
    height, width = visible.shape
    places = torch.meshgrid(*(torch.arange(n, device=visible.device) for n in (height, width)), indexing="ij")
    found = torch.stack(places, -1).int()
    if visible.all() or not visible.any():
        return found
    here = (~visible).nonzero()
    found[here[:, 0], here[:, 1]] = -4 * (height + width)  # farther than anything
    step = 1 << (max(height, width) - 1).bit_length()
    while step := step // 2:
        best = found[here[:, 0], here[:, 1]]
        for a, b in _NEIGHBOURS:
            i, j = (here[:, 0] + a * step).clamp(0, height - 1), (here[:, 1] + b * step).clamp(0, width - 1)
            nearer = (found[i, j] - here).square().sum(-1) < (best - here).square().sum(-1)
            best = torch.where(nearer[:, None], found[i, j], best)
        found[here[:, 0], here[:, 1]] = best
    return found


def refine(
    x: Image,
    keys: Source,
    source: Scale,
    origins: Origins,
    patch: int,
    passes: int = 2,
    jitter: int = 2,
    reach: int = 2,
    seed: int = 0,
    wrap: Axes = "",
    corner: tuple[int, int] = (0, 0),
) -> tuple[Origins, Float[Tensor, "h w"]]:
    """Better origins for x, and the squared distance of each pixel's patch from its match among `keys`.

    `keys` are the source's pixels as x is compared with them (blurred, for instance). Each pass tries 8 + `jitter`
    candidates for each pixel. `jitter` of them are random, at most `reach` pixels from the best so far. `corner` is the
    row and column of x's first pixel, where x is a part of a canvas.
    """
    if x.device.type != "cpu":
        return refine_by_gathering(x, keys, source, origins, patch, passes, jitter, reach, seed, wrap, corner)
    channels, radius = x.shape[0], patch // 2
    queries = _rows(_pad(x, radius, wrap))
    values = _rows(F.pad(keys, [radius] * 4, value=_OUTSIDE))
    offsets = np.array(_NEIGHBOURS)
    distance = torch.empty(x.shape[1:])
    changed = torch.full(x.shape[1:], 2, dtype=torch.uint8)
    for n in range(passes):
        out = torch.empty_like(origins)
        kernels.run(
            kernels.refine_origins, queries, values, patch, channels, source.visible.numpy(), "y" in wrap, "x" in wrap,
            origins.numpy(), changed.numpy(), offsets, jitter, reach, seed + n, corner, out.numpy(), distance.numpy(),
        )  # fmt: skip
        changed, origins = (out != origins).any(-1).to(torch.uint8), out
    return origins, distance


def refine_by_gathering(
    x: Image,
    keys: Source,
    source: Scale,
    origins: Origins,
    patch: int,
    passes: int,
    jitter: int,
    reach: int,
    seed: int,
    wrap: Axes,
    corner: tuple[int, int] = (0, 0),
) -> tuple[Origins, Float[Tensor, "h w"]]:
    """`refine` in torch: for accelerators, and to test the compiled loop against."""
    radius = patch // 2
    height, width = origins.shape[:2]
    queries = _pad(x, radius, wrap)
    on_canvas = _pad(torch.ones_like(x[:1]), radius, wrap)
    values = F.pad(keys, [radius] * 4, value=_OUTSIDE)
    limits = torch.tensor(source.visible.shape, device=x.device)
    i, j = torch.meshgrid(*(torch.arange(n, device=x.device) for n in (height, width)), indexing="ij")

    def distances(candidate: Tensor) -> Tensor:
        total = torch.zeros_like(x[0])
        for a in range(patch):
            for b in range(patch):
                difference = (
                    queries[:, a : a + height, b : b + width] - values[:, candidate[..., 0] + a, candidate[..., 1] + b]
                )
                total += on_canvas[0, a : a + height, b : b + width] * difference.square().sum(0)
        return total

    def better(candidate: Tensor, best: Tensor, least: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        inside = ((candidate >= 0) & (candidate < limits)).all(-1) & allowed
        candidate = torch.where(inside[..., None], candidate, best)
        total = distances(candidate)
        wins = (total < least) & source.visible[candidate[..., 0], candidate[..., 1]]
        return torch.where(wins[..., None], candidate, best), torch.where(wins, total, least)

    everywhere = torch.ones_like(origins[..., 0], dtype=torch.bool)
    origins = origins.long()
    distance = distances(origins)
    for n in range(passes):
        best, least = origins, distances(origins)
        for a, b in _NEIGHBOURS:
            rows = (i + a) % height if "y" in wrap else i + a
            columns = (j + b) % width if "x" in wrap else j + b
            there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            neighbour = origins[rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
            best, least = better(neighbour - torch.tensor([a, b], device=x.device), best, least, there)
        row, column = i + corner[0], j + corner[1]
        state = ((row * 73856093) ^ (column * 19349663) ^ ((seed + n) * 83492791)) & 0xFFFFFFFF
        for _ in range(jitter):
            steps = []
            for _axis in range(2):
                state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
                steps.append((state >> 8) % (2 * reach + 1) - reach)
            best, least = better(best + torch.stack(steps, -1), best, least, everywhere)
        origins, distance = best, least
    return origins.int(), distance


def gather(origins: Origins, pixels: Source) -> Image:
    """The source's pixels at the origins: exact copies, sharp, with seams."""
    flat = (origins[..., 0].long() * pixels.shape[2] + origins[..., 1]).flatten()
    return pixels.flatten(1)[:, flat].view(-1, *origins.shape[:2])


def average(origins: Origins, source: Scale, patch: int, window_std: float, wrap: Axes = "") -> Image:
    """The average of all patches that overlap a pixel, with a Gaussian window: no seams, but soft.

    Where only hidden pixels of the source lie in all of them, it is a smooth fill.
    """
    ramp = torch.arange(patch) - patch // 2
    profile = torch.exp(-0.5 * (ramp / window_std) ** 2)
    window = torch.outer(profile, profile)
    pixels, visible = source.pixels, source.visible
    if origins.device.type == "cpu":
        out = torch.empty(pixels.shape[0], *origins.shape[:2])
        kernels.run(
            kernels.average_patches, origins.numpy(), pixels.numpy(), visible.numpy(), window.numpy(), "y" in wrap,
            "x" in wrap, out.numpy(),
        )  # fmt: skip
    else:
        out = average_by_gathering(origins, source, window, wrap)
    seen = out.isfinite().all(0, keepdim=True)
    return out if bool(seen.all()) else filled(out.nan_to_num(), seen)


def average_by_gathering(origins: Origins, source: Scale, window: Float[Tensor, "p p"], wrap: Axes) -> Image:
    """`average` in torch."""
    height, width = origins.shape[:2]
    rows, columns = source.visible.shape
    radius = window.shape[0] // 2
    i, j = torch.meshgrid(*(torch.arange(n, device=origins.device) for n in (height, width)), indexing="ij")
    total = torch.zeros(source.pixels.shape[0] + 1, height, width, device=origins.device)
    values = torch.cat([source.pixels * source.visible, source.visible[None]])  # the last channel sums the weights
    for a in range(-radius, radius + 1):
        for b in range(-radius, radius + 1):
            ii = (i + a) % height if "y" in wrap else i + a
            jj = (j + b) % width if "x" in wrap else j + b
            there = (ii >= 0) & (ii < height) & (jj >= 0) & (jj < width)
            origin = origins[ii.clamp(0, height - 1), jj.clamp(0, width - 1)].long()
            k, l = origin[..., 0] - a, origin[..., 1] - b
            there &= (k >= 0) & (k < rows) & (l >= 0) & (l < columns)
            value = values[:, k.clamp(0, rows - 1), l.clamp(0, columns - 1)]
            total += window[a + radius, b + radius] * there * value
    return total[:-1] / total[-1:]


def _pad(x: Image, radius: int, wrap: Axes) -> Float[Tensor, "c H W"]:
    """x with a margin: wrapped along the axes of a torus, and zeros that the search never reads elsewhere."""
    pad_x, pad_y = (radius if "x" in wrap else 0), (radius if "y" in wrap else 0)
    x = wrap_pad(x, pad_x, pad_x, pad_y, pad_y)
    return F.pad(x, (radius - pad_x, radius - pad_x, radius - pad_y, radius - pad_y))


def _rows(x: Image) -> np.ndarray:
    """x as height x (width * channels), the layout of the compiled search."""
    return np.ascontiguousarray(x.movedim(0, -1).flatten(1).numpy())
