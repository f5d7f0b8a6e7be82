"""Seams are smoothed: those inside a picture made of copies, and those to what is kept of another picture.

A correction u solves a screened Poisson equation, (decay - Laplacian) u = right side, and spreads over about
1 / sqrt(decay) pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from unica.diffusion import Kept
from unica.patches import kernels
from unica.patches.search import Image, Origins, gather
from unica.pyramid import Scale
from unica.torus import Axes

KEPT_DECAY, KEPT_EDGE = 0.004, 1.5  # `decay` and `edge` of a seam to what is kept
_STEPS = 7.6  # of the solver, for each pixel that a correction spreads over

Fixed = Bool[Tensor, "h w"]  # where the correction is known


def heal(
    origins: Origins, source: Scale, decay: float = 0.1, edge: float = 0.3, wrap: Axes = "", kept: Kept | None = None
) -> Image:
    """The picture c that `gather` makes, with its seams smoothed.

    It minimises  decay |x - c|^2 + |grad x - g|^2,  where g is the source's gradient at the origins (at a seam, the
    mean of both sides). Where a patch continues, nothing changes, so textures stay exact copies. A jump larger than
    `edge` is mostly left as it is: between a roof and the sky it would become a glow.

    What is kept of another picture stays, and the rest continues it. Jumps to it are spread wider, and larger ones are.
    """
    pixels = source.pixels
    rows, columns = origins[..., 0], origins[..., 1]
    copied = gather(origins, pixels)
    here, fixed = copied, None
    if kept is not None:
        fixed = kept.mask[0, 0].to(copied.device)
        here = kept.picture[0].to(copied).where(fixed, copied)
    inner, outer = {}, {}  # seams, and the border of what is kept
    for axis, origin, length, name in ((1, rows, pixels.shape[1], "y"), (2, columns, pixels.shape[2], "x")):
        ahead, behind = origins.clone(), origins.clone()
        ahead[..., axis - 1] = (origin + 1).clamp(max=length - 1)
        behind[..., axis - 1] = (origin - 1).clamp(min=0)
        # The wanted x(p + 1) - x(p) is the mean of two: in the source at the origin of p, and at that of p + 1.
        wanted = 0.5 * (gather(ahead, pixels) - copied + (copied - gather(behind, pixels)).roll(-1, axis))
        missing = wanted - (here.roll(-1, axis) - here)
        inner[name] = missing * _share(missing, edge)
        if fixed is not None:
            border = fixed ^ fixed.roll(-1, axis - 1)
            inner[name] *= ~border
            outer[name] = missing * _share(missing, KEPT_EDGE) * border
    healed = _corrected(here, inner, fixed, decay, wrap)
    return _corrected(healed, outer, fixed, KEPT_DECAY, wrap) if outer else healed


def continued(x: Image, kept: Kept, wrap: Axes = "") -> Image:
    """x with what is kept of a picture in it, and without a jump to it: the rest of x continues it, as in `heal`.

    The wanted step over the border is the mean of the steps on both sides.
    """
    fixed = kept.mask[0, 0].to(x.device)
    here = kept.picture[0].to(x).where(fixed, x)
    if torch.equal(here, x):  # whoever drew it has seen to that
        return x
    excess = {}
    for axis, name in ((1, "y"), (2, "x")):
        step = here.roll(-1, axis) - here
        missing = 0.5 * (step.roll(1, axis) + step.roll(-1, axis)) - step
        excess[name] = missing * _share(missing, KEPT_EDGE) * (fixed ^ fixed.roll(-1, axis - 1))
    return _corrected(here, excess, fixed, KEPT_DECAY, wrap)


def reach(decay: float) -> int:
    """How many pixels away what is copied changes a correction."""
    return round(_STEPS * decay**-0.5) + 1


def _share(missing: Image, edge: float) -> Tensor:
    """How much of what a step lacks is given to it."""
    return 1 / (1 + (missing.norm(dim=0) / edge) ** 2)


def _corrected(x: Image, excess: dict[str, Image], fixed: Fixed | None, decay: float, wrap: Axes) -> Image:
    """x, whose steps to the next row ("y") and column ("x") grow by `excess` as far as that can be."""
    divergence = torch.zeros_like(x)
    for axis, name in ((1, "y"), (2, "x")):
        if name not in wrap:
            excess[name].select(axis, -1).zero_()
        divergence += excess[name].roll(1, axis) - excess[name]
    return (x + _solve(divergence, fixed, decay, wrap)).clamp(-1, 1)


def _solve(right_side: Image, fixed: Fixed | None, decay: float, wrap: Axes) -> Image:
    """u of the equation, 0 where it is fixed, by Chebyshev semi-iteration (Golub & Varga 1961)."""
    radius, omega = 4 / (4 + decay), 1.0
    fixed = torch.zeros(right_side.shape[1:], dtype=torch.bool, device=right_side.device) if fixed is None else fixed
    before, now = torch.zeros_like(right_side), torch.zeros_like(right_side)
    for step in range(round(_STEPS * decay**-0.5)):
        if step:
            omega = 1 / (1 - radius**2 / 2) if step == 1 else 1 / (1 - radius**2 * omega / 4)
        if right_side.device.type == "cpu":
            kernels.run(
                kernels.heal_step, now.numpy(), before.numpy(), right_side.numpy(), fixed.numpy(), np.float32(decay),
                np.float32(omega), "y" in wrap, "x" in wrap, before.numpy(),
            )  # fmt: skip
            before, now = now, before
        else:
            before, now = now, (before + omega * (_jacobi(now, right_side, decay, wrap) - before)) * ~fixed
    return now


def _jacobi(now: Image, right_side: Image, decay: float, wrap: Axes) -> Image:
    """One Jacobi step, in torch."""
    total, count = right_side.clone(), torch.zeros_like(right_side[:1])
    for axis, name in ((1, "y"), (2, "x")):
        for shift in (-1, 1):
            moved, there = now.roll(shift, axis), torch.ones_like(count)
            if name not in wrap:
                there.select(axis, 0 if shift == 1 else -1).zero_()
            total += moved * there
            count += there
    return total / (decay + count)
