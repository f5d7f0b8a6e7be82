"""Seams are smoothed: those inside a picture made of copies, and those to what is kept of another picture.

A correction u solves a screened Poisson equation, (decay - Laplacian) u = right side, and spreads over about
1 / sqrt(decay) pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unica.diffusion import Kept
from unica.patches import kernels
from unica.patches.search import Image, Origins, Source, gather
from unica.pyramid import Scale
from unica.torus import Axes

KEPT_DECAY, KEPT_EDGE = 0.004, 1.5  # `decay` and `edge` of a seam to what is kept
_STEPS = 7.6  # of the solver, for each pixel that a correction spreads over

Fixed = Bool[Tensor, "h w"]  # where the correction is known
Steps = Float[Tensor, "2 c h w"]  # something of each step to the next row, and to the next column


def heal(
    origins: Origins, source: Scale, decay: float = 0.1, edge: float = 0.3, wrap: Axes = "", kept: Kept | None = None
) -> Image:
    """The picture c that `gather` makes, with its seams smoothed.

    It minimises  decay |x - c|^2 + |grad x - g|^2,  where g is the source's gradient at the origins (at a seam, the
    mean of both sides). Where a patch continues, nothing changes, so textures stay exact copies. A jump larger than
    `edge` is mostly left as it is: between a roof and the sky it would become a glow.

    What is kept of another picture stays, and the rest continues it. Jumps to it are spread wider, and larger ones are.
    Channels that have no values between those of the source stay as they are.
    """
    copied = gather(origins, source.pixels)
    fixed = torch.zeros(origins.shape[:2], dtype=torch.bool, device=copied.device)
    here = copied
    if kept is not None:
        fixed = kept.mask[0, 0].to(copied.device)
        here = kept.picture[0].to(copied).where(fixed, copied)
    inner, outer = _excess(origins, source.pixels, copied, here, fixed, edge, wrap)
    healed = _corrected(here, inner, fixed, decay, wrap)
    healed = healed if kept is None else _corrected(healed, outer, fixed, KEPT_DECAY, wrap)
    return _where_smooth(healed, here, source.smooth)


def _excess(
    origins: Origins, pixels: Source, copied: Image, here: Image, fixed: Fixed, edge: float, wrap: Axes
) -> tuple[Steps, Steps]:
    """How much the steps of `here` to the next row and column are to grow, and those over the border of what is kept.

    The wanted step is the mean of two: in the source at the origin of a pixel, and at that of the next one.
    """
    if copied.device.type == "cpu":
        inner, outer = torch.empty(2, *here.shape), torch.empty(2, *here.shape)
        kernels.run(
            kernels.seam_excess, origins.numpy(), pixels.numpy(), here.contiguous().numpy(), fixed.numpy(),
            "y" in wrap, "x" in wrap, np.float32(edge), np.float32(KEPT_EDGE), inner.numpy(), outer.numpy(),
        )  # fmt: skip
        return inner, outer
    inside, over = [], []
    for axis in (0, 1):
        ahead, behind = origins.clone(), origins.clone()
        ahead[..., axis] = (origins[..., axis] + 1).clamp(max=pixels.shape[1 + axis] - 1)
        behind[..., axis] = (origins[..., axis] - 1).clamp(min=0)
        step = (copied - gather(behind, pixels)).roll(-1, 1 + axis)
        missing = 0.5 * (gather(ahead, pixels) - copied + step) - (here.roll(-1, 1 + axis) - here)
        border = fixed ^ fixed.roll(-1, axis)
        inside.append(missing * _share(missing, edge) * ~border)
        over.append(missing * _share(missing, KEPT_EDGE) * border)
    return _cut(torch.stack(inside), wrap), _cut(torch.stack(over), wrap)


def continued(x: Image, kept: Kept, wrap: Axes = "", smooth: Bool[Tensor, " c"] | None = None) -> Image:
    """x with what is kept of a picture in it, and without a jump to it: the rest of x continues it, as in `heal`.

    The wanted step over the border is the mean of the steps on both sides. `smooth` is as in `Scale`.
    """
    fixed = kept.mask[0, 0].to(x.device)
    here = kept.picture[0].to(x).where(fixed, x)
    if torch.equal(here, x):  # whoever drew it has seen to that
        return x
    excess = []
    for axis in (1, 2):
        step = here.roll(-1, axis) - here
        missing = 0.5 * (step.roll(1, axis) + step.roll(-1, axis)) - step
        excess.append(missing * _share(missing, KEPT_EDGE) * (fixed ^ fixed.roll(-1, axis - 1)))
    return _where_smooth(_corrected(here, _cut(torch.stack(excess), wrap), fixed, KEPT_DECAY, wrap), here, smooth)


def reach(decay: float) -> int:
    """How many pixels away what is copied changes a correction."""
    return round(_STEPS * decay**-0.5) + 1


def _where_smooth(healed: Image, before: Image, smooth: Bool[Tensor, " c"] | None) -> Image:
    return healed if smooth is None else healed.where(smooth.to(healed.device)[:, None, None], before)


def _share(missing: Image, edge: float) -> Tensor:
    """How much of what a step lacks is given to it."""
    return 1 / (1 + missing.square().sum(0) / edge**2)


def _cut(excess: Steps, wrap: Axes) -> Steps:
    """Without the steps from the last row to the first, and from the last column, where the canvas is no torus."""
    for axis, name in ((0, "y"), (1, "x")):
        if name not in wrap:
            excess[axis].select(1 + axis, -1).zero_()
    return excess


def _corrected(x: Image, excess: Steps, fixed: Fixed, decay: float, wrap: Axes) -> Image:
    """x, whose steps grow by `excess` as far as that can be."""
    if x.device.type == "cpu":
        right_side = torch.empty_like(x, memory_format=torch.contiguous_format)
        kernels.run(kernels.divergence, excess.numpy(), "y" in wrap, "x" in wrap, right_side.numpy())
    else:
        right_side = sum(((each.roll(1, 1 + axis) - each) for axis, each in enumerate(excess)), torch.zeros_like(x))
    return (x + _solve(right_side, fixed, decay, wrap)).clamp(-1, 1)


def _solve(right_side: Image, fixed: Fixed, decay: float, wrap: Axes) -> Image:
    """u of the equation, 0 where it is fixed, by Chebyshev semi-iteration (Golub & Varga 1961)."""
    radius, omega = 4 / (4 + decay), 1.0
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
