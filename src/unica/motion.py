"""How a picture moves in a loop: in slow waves, which leave what is straight as it is."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.masks import blurred
from unica.seeds import generator_of

_COUNT = 6  # waves, each in a direction of its own
_LENGTHS = (1.5, 4.5)  # how often they fit into the height
_UPRIGHT = 0.4  # as far as things move up and down, when they move by 1 to the sides
_LAG = 1.3  # by how much of a turn, in radians, the one lags behind the other, so that paths are ellipses
_NEAR = 0.04  # of the height: how far around a pixel edges are looked at
_STRAIGHT = 0.15  # what is that straight moves half as far
_FAINT = 0.25  # edges this much fainter than the mean count half
_BORDER = 0.08  # of the height: nearer to the border things move less, and never across it


class Waves:
    """Where each pixel comes from at any part of a loop, so that the picture moves and its straight edges do not.

    The waves travel. So a pixel goes around once in a loop, always about as fast, and the last picture leads to the
    first. `reach` is how far things move that can, in pixels: the root of the mean square.
    """

    def __init__(self, pixels: Float[Tensor, "c h w"], reach: float, seed: int) -> None:
        height, width = pixels.shape[1:]
        generator = generator_of(seed)
        share, angle, phase = torch.rand(3, _COUNT, 1, 1, generator=generator)
        low, high = _LENGTHS
        times = 2 * math.pi * (low + (high - low) * share)
        down, right = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / height, indexing="ij")
        direction = 2 * math.pi * angle
        self._phase = times * (direction.cos() * right + direction.sin() * down) + 2 * math.pi * phase
        inside = [
            (torch.minimum(torch.arange(n), n - 1 - torch.arange(n)) / (_BORDER * height)).clamp_max(1)
            for n in (height, width)
        ]
        size = reach * math.sqrt(2 / _COUNT) * looseness(pixels)
        self._down, self._right = _UPRIGHT * size * inside[0][:, None], size * inside[1]

    def at(self, turn: float) -> Float[Tensor, "2 h w"]:
        """How far below and to the right of each pixel its colour comes from, at this part of a loop (0 to 1)."""
        phase = self._phase - 2 * math.pi * turn
        return torch.stack([self._down * (phase + _LAG).sin().sum(0), self._right * phase.sin().sum(0)])


def looseness(pixels: Float[Tensor, "c h w"]) -> Float[Tensor, "h w"]:
    """How freely each place of a picture may move: 0 at clear, straight edges, 1 far from any.

    Edges are straight where the structure tensor of all gradients nearby has one large eigenvalue.
    """
    near = max(_NEAR * pixels.shape[1], 1.5)
    down, right = F.pad(pixels.diff(dim=1), (0, 0, 0, 1)), F.pad(pixels.diff(dim=2), (0, 1))
    tensor = torch.stack([(right * right).sum(0), (down * down).sum(0), (right * down).sum(0)])
    xx, yy, xy = blurred(tensor, near)
    energy, along = xx + yy, ((xx - yy).square() + 4 * xy.square()).sqrt()
    straight = (along / (energy + 1e-4)).square() * energy / (energy + _FAINT * energy.mean() + 1e-12)
    reach = round(near)
    widest = F.max_pool2d(straight[None], 2 * reach + 1, 1, reach)
    return blurred(1 / (1 + (widest / _STRAIGHT).square()), near)[0]


class Movable:
    """A picture whose pixels can be taken from between pixels, without losing what is fine."""

    def __init__(self, pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None) -> None:
        self._has_alpha = alpha is not None
        self._size = pixels.shape[1:]
        values = pixels if alpha is None else torch.cat([pixels * alpha, alpha])
        self._doubled = _doubled(_doubled(values, 1), 2)

    def moved(
        self, displacement: Float[Tensor, "2 h w"]
    ) -> tuple[Float[Tensor, "c h w"], Float[Tensor, "1 h w"] | None]:
        """Its colours and its transparency, each pixel's from as far below and to the right as given."""
        height, width = self._size
        down, right = displacement
        rows, columns = torch.arange(height)[:, None] + down, torch.arange(width) + right
        grid = torch.stack([(2 * columns + 0.5) / width - 1, (2 * rows + 0.5) / height - 1], -1)
        found = F.grid_sample(self._doubled[None], grid[None], "bicubic", "border", align_corners=False)[0]
        if not self._has_alpha:
            return found.clamp(-1, 1), None
        alpha = found[-1:].clamp(0, 1)
        return (found[:-1] / alpha.clamp_min(1e-3)).clamp(-1, 1), alpha


def _doubled(x: Float[Tensor, "c h w"], axis: int) -> Float[Tensor, "c y x"]:
    """Twice as many values along an axis, every second of which is given; no frequency that x has is lost."""
    length = x.shape[axis]
    found = torch.fft.rfft(torch.cat([x, x.flip(axis)], axis), dim=axis)
    return torch.fft.irfft(2 * found, n=4 * length, dim=axis).narrow(axis, 0, 2 * length)
