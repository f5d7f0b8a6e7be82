"""The fast search: a field that says, for each pixel, where in the source its best patch was found.

Carried from level to level, a field already holds nearly the right answer, so a few candidates a pixel suffice: what
the neighbours found, shifted (PatchMatch's propagation), and some jitter. Linear in the pixels of the canvas,
independent of the size of the source. It is the exact posterior's limit for little noise: one candidate takes all the
weight.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from unica.diffusion import Axes
from unica.patches import kernels
from unica.patches.exact import wrap_pad
from unica.pyramid import Scale, Size

Field = Int[Tensor, "h w 2"]
Picture = Float[Tensor, "c h w"]
Source = Float[Tensor, "c hs ws"]

_NEIGHBOURS = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
_OUTSIDE = 4.0  # what the search sees beyond the source: worse than any pixel


def upscale(field: Field, size: Size, coarse_source: Size, source: Size) -> Int[Tensor, "H W 2"]:
    """The field on a finer canvas: each pixel continues the patch of the coarse pixel it lies in."""
    origins = []
    for axis in (0, 1):
        where = (torch.arange(size[axis]) + 0.5) * (field.shape[axis] / size[axis]) - 0.5
        near = where.round().long().clamp(0, field.shape[axis] - 1)
        origins.append((near, (where - near).to(field.device)))
    (rows, dy), (columns, dx) = origins
    coarse = field[rows.to(field.device)][:, columns.to(field.device)]
    fine = torch.empty_like(coarse)
    for axis, offset in ((0, dy[:, None]), (1, dx[None, :])):
        ratio = source[axis] / coarse_source[axis]
        fine[..., axis] = ((coarse[..., axis] + offset + 0.5) * ratio - 0.5).round().clamp(0, source[axis] - 1).int()
    return fine


def refine(
    x: Picture,
    keys: Source,
    source: Scale,
    field: Field,
    patch: int,
    passes: int = 2,
    jitter: int = 2,
    reach: int = 2,
    seed: int = 0,
    wrap: Axes = "",
) -> tuple[Field, Float[Tensor, "h w"]]:
    """A better field for x, and the squared distance of each pixel's patch to its match among `keys`.

    The budget is `passes` times 8 + `jitter` candidates a pixel, `jitter` of them drawn within `reach`.
    """
    if x.device.type != "cpu":
        return refine_by_gathering(x, keys, source, field, patch, passes, jitter, reach, seed, wrap)
    channels, radius = x.shape[0], patch // 2
    queries = _rows(_pad(x, radius, wrap))
    values = _rows(F.pad(keys, [radius] * 4, value=_OUTSIDE))
    offsets = np.array(_NEIGHBOURS)
    distance = torch.empty(x.shape[1:])
    for n in range(passes):
        out = torch.empty_like(field)
        kernels.run(
            kernels.refine_field, queries, values, patch, channels, source.visible.numpy(), "y" in wrap, "x" in wrap,
            field.numpy(), offsets, jitter, reach, seed + n, out.numpy(), distance.numpy(),
        )  # fmt: skip
        field = out
    return field, distance


def refine_by_gathering(
    x: Picture,
    keys: Source,
    source: Scale,
    field: Field,
    patch: int,
    passes: int,
    jitter: int,
    reach: int,
    seed: int,
    wrap: Axes,
) -> tuple[Field, Float[Tensor, "h w"]]:
    """`refine` in torch: for accelerators, and as the oracle of the compiled loop."""
    radius = patch // 2
    height, width = field.shape[:2]
    queries = _pad(x, radius, wrap)
    seen = _pad(torch.ones_like(x[:1]), radius, wrap)
    values = F.pad(keys, [radius] * 4, value=_OUTSIDE)
    limits = torch.tensor(source.visible.shape, device=x.device)
    i, j = torch.meshgrid(*(torch.arange(n, device=x.device) for n in (height, width)), indexing="ij")

    def cost(origin: Tensor) -> Tensor:
        total = torch.zeros_like(x[0])
        for a in range(patch):
            for b in range(patch):
                difference = (
                    queries[:, a : a + height, b : b + width] - values[:, origin[..., 0] + a, origin[..., 1] + b]
                )
                total += seen[0, a : a + height, b : b + width] * difference.square().sum(0)
        return total

    def better(origin: Tensor, found: Tensor, least: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        inside = ((origin >= 0) & (origin < limits)).all(-1) & allowed
        origin = torch.where(inside[..., None], origin, found)
        total = cost(origin)
        wins = (total < least) & source.visible[origin[..., 0], origin[..., 1]]
        return torch.where(wins[..., None], origin, found), torch.where(wins, total, least)

    everywhere = torch.ones_like(field[..., 0], dtype=torch.bool)
    field = field.long()
    distance = cost(field)
    for n in range(passes):
        found, least = field, cost(field)
        for a, b in _NEIGHBOURS:
            rows = (i + a) % height if "y" in wrap else i + a
            columns = (j + b) % width if "x" in wrap else j + b
            there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            neighbour = field[rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
            found, least = better(neighbour - torch.tensor([a, b], device=x.device), found, least, there)
        state = ((i * 73856093) ^ (j * 19349663) ^ ((seed + n) * 83492791)) & 0xFFFFFFFF
        for _ in range(jitter):
            steps = []
            for _axis in range(2):
                state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
                steps.append((state >> 8) % (2 * reach + 1) - reach)
            found, least = better(found + torch.stack(steps, -1), found, least, everywhere)
        field, distance = found, least
    return field.int(), distance


def gather(field: Field, pixels: Source) -> Picture:
    """The pixel at the centre of each pixel's patch: a verbatim, sharp answer, with seams."""
    flat = (field[..., 0].long() * pixels.shape[2] + field[..., 1]).flatten()
    return pixels.flatten(1)[:, flat].view(-1, *field.shape[:2])


def average(field: Field, source: Scale, patch: int, spread: float, wrap: Axes = "") -> Picture:
    """What all the patches over a pixel say of it, averaged with a Gaussian window: seamless, soft."""
    ramp = torch.arange(patch) - patch // 2
    profile = torch.exp(-0.5 * (ramp / spread) ** 2)
    window = torch.outer(profile, profile)
    pixels, visible = source.pixels, source.visible
    if field.device.type == "cpu":
        out = torch.empty(pixels.shape[0], *field.shape[:2])
        kernels.run(
            kernels.vote, field.numpy(), pixels.numpy(), visible.numpy(), window.numpy(), "y" in wrap, "x" in wrap,
            out.numpy(),
        )  # fmt: skip
        return out
    return average_by_gathering(field, source, window, wrap)


def average_by_gathering(field: Field, source: Scale, window: Float[Tensor, "p p"], wrap: Axes) -> Picture:
    """`average` in torch."""
    height, width = field.shape[:2]
    rows, columns = source.visible.shape
    radius = window.shape[0] // 2
    i, j = torch.meshgrid(*(torch.arange(n, device=field.device) for n in (height, width)), indexing="ij")
    total = torch.zeros(source.pixels.shape[0] + 1, height, width, device=field.device)
    voters = torch.cat([source.pixels * source.visible, source.visible[None]])
    for a in range(-radius, radius + 1):
        for b in range(-radius, radius + 1):
            ii = (i + a) % height if "y" in wrap else i + a
            jj = (j + b) % width if "x" in wrap else j + b
            there = (ii >= 0) & (ii < height) & (jj >= 0) & (jj < width)
            origin = field[ii.clamp(0, height - 1), jj.clamp(0, width - 1)].long()
            k, l = origin[..., 0] - a, origin[..., 1] - b
            there &= (k >= 0) & (k < rows) & (l >= 0) & (l < columns)
            says = voters[:, k.clamp(0, rows - 1), l.clamp(0, columns - 1)]
            total += window[a + radius, b + radius] * there * says
    return total[:-1] / total[-1:]


def heal(field: Field, source: Scale, decay: float = 0.1, steps: int = 24, wrap: Axes = "") -> Picture:
    """The picture that `gather` makes, with its seams diffused away: a screened Poisson equation.

    Its gradients are asked to be those of the source at the two pixels' origins (their mean, where they differ), its
    values to stay close to the gathered ones:  min_x  decay |x - c|^2 + |grad x - g|^2.  Where a patch continues
    nothing changes, so texture stays verbatim; the jump at a seam is spread over about 1 / sqrt(decay) pixels.
    """
    pixels = source.pixels
    rows, columns = field[..., 0], field[..., 1]
    here = gather(field, pixels)
    divergence = torch.zeros_like(here)
    for axis, origin, length, name in ((1, rows, pixels.shape[1], "y"), (2, columns, pixels.shape[2], "x")):
        ahead, behind = field.clone(), field.clone()
        ahead[..., axis - 1] = (origin + 1).clamp(max=length - 1)
        behind[..., axis - 1] = (origin - 1).clamp(min=0)
        # x(p + 1) - x(p) as the source of p has it and as the source of p + 1 has it
        wanted = 0.5 * (gather(ahead, pixels) - here + (here - gather(behind, pixels)).roll(-1, axis))
        excess = wanted - (here.roll(-1, axis) - here)
        if name not in wrap:
            excess.select(axis, -1).zero_()
        divergence += excess.roll(1, axis) - excess
    return (here + _relax(divergence, decay, steps, wrap)).clamp(-1, 1)


def _relax(source: Picture, decay: float, steps: int, wrap: Axes) -> Picture:
    """u of (decay - Laplacian) u = source, by Chebyshev semi-iteration (Golub & Varga 1961)."""
    radius, omega = 4 / (4 + decay), 1.0
    before, now = torch.zeros_like(source), torch.zeros_like(source)
    for step in range(steps):
        if step:
            omega = 1 / (1 - radius**2 / 2) if step == 1 else 1 / (1 - radius**2 * omega / 4)
        if source.device.type == "cpu":
            kernels.run(
                kernels.heal_step, now.numpy(), before.numpy(), source.numpy(), np.float32(decay), np.float32(omega),
                "y" in wrap, "x" in wrap, before.numpy(),
            )  # fmt: skip
            before, now = now, before
        else:
            before, now = now, before + omega * (_jacobi(now, source, decay, wrap) - before)
    return now


def _jacobi(now: Picture, source: Picture, decay: float, wrap: Axes) -> Picture:
    total, count = source.clone(), torch.zeros_like(source[:1])
    for axis, name in ((1, "y"), (2, "x")):
        for shift in (-1, 1):
            moved, there = now.roll(shift, axis), torch.ones_like(count)
            if name not in wrap:
                there.select(axis, 0 if shift == 1 else -1).zero_()
            total += moved * there
            count += there
    return total / (decay + count)


def _pad(x: Picture, radius: int, wrap: Axes) -> Float[Tensor, "c H W"]:
    """Wrapped where the canvas is a torus; elsewhere what is beyond the edge is never looked at."""
    pad_x, pad_y = (radius if "x" in wrap else 0), (radius if "y" in wrap else 0)
    x = wrap_pad(x[None], (pad_x, pad_x, pad_y, pad_y))[0]
    return F.pad(x, (radius - pad_x, radius - pad_x, radius - pad_y, radius - pad_y))


def _rows(x: Picture) -> np.ndarray:
    """height x (width * channels), as the compiled search reads it."""
    return np.ascontiguousarray(x.movedim(0, -1).flatten(1).numpy())
