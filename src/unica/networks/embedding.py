"""The sinusoidal embedding of a time or of a level's number."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor


def sinusoids(
    position: Real[Tensor, "b"], size: int, *, cosines_first: bool = False, endpoint: bool = True
) -> Float[Tensor, "b e"]:
    """Sines and cosines of the position; their wavelengths grow geometrically from 2 pi up to 10,000 times that.

    SinDDM has the sines first and reaches the longest wavelength (Vaswani et al. 2017). SinDiffusion has the cosines
    first and stops one step before it (Ho et al. 2020): `cosines_first=True, endpoint=False`.
    """
    half = size // 2
    steps = half - 1 if endpoint else half
    frequency = torch.exp(-math.log(10000) / steps * torch.arange(half, device=position.device))
    angle = position[:, None].float() * frequency
    waves = [angle.cos(), angle.sin()] if cosines_first else [angle.sin(), angle.cos()]
    return F.pad(torch.cat(waves, -1), (0, size % 2))
