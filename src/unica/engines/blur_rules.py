"""Rules by which a level's blur and start step follow from the source (SinDDM, supplement, Eq. 3 and 5)."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from unica.diffusion import upsample
from unica.image import resize
from unica.schedule import Discrete, matching

Rule = Literal["measured", "authors"]
Pixels = Float[Tensor, "c _ _"]


def measured_blur(sharp: Pixels, coarser: Pixels) -> float:
    """||x - x~||, the distance of a level to its blurred version, as a root mean square (Eq. 3 and 5)."""
    blurred = upsample(coarser[None], (sharp.shape[-2], sharp.shape[-1]))[0]
    return (sharp - blurred).square().mean().sqrt().item()


def authors_blur(sharp: Pixels, coarser: Pixels) -> float:
    """The number that the authors' code computes in place of the distance.

    It subtracts bytes without a sign, so that -1 becomes 255, and divides the norm by the number of values instead of
    by its root. The number says little about the picture, but the authors' start steps, gamma and results come from it.
    """
    blurred = resize(coarser[None], (sharp.shape[-2], sharp.shape[-1]), "bilinear8")[0]
    minuend, subtrahend = (((x + 1) * 127.5).round().clamp(0, 255).int() for x in (sharp, blurred))
    return ((minuend - subtrahend) % 256).double().square().sum().sqrt().item() / sharp.numel()


def blur_of(sharp: Pixels, coarser: Pixels, rule: Rule) -> float:
    """The blur of a level by a rule."""
    return authors_blur(sharp, coarser) if rule == "authors" else measured_blur(sharp, coarser)


def start_step(schedule: Discrete, blur: float, rule: Rule) -> int:
    """T[s] (supplement, Eq. 3). The authors count noisy states from 0, and so start one step below that."""
    found = matching(schedule, blur)
    return max(found - 1, 1) if rule == "authors" else found
