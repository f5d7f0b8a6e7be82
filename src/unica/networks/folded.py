"""A fast network with about SinDDM's receptive field.

Blocks of fold x fold pixels become channels. With a fold of 2, convolutions reach as far with half as many layers, on a
quarter of the positions; the time that this saves is spent on more channels. Time and level scale and shift the
features of every convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor, nn

from unica.declare import Whole
from unica.networks.embedding import sinusoids

_EMBEDDING = 64  # of time and level together
ORDER_CHANNELS = 2


@dataclass(frozen=True)
class FoldedConfig:
    width: Annotated[int, Whole(1, 4096)] = 96
    blocks: Annotated[int, Whole(0, 32)] = 3
    norm = False
    levels = 1  # one network draws all levels
    fold: Annotated[int, Whole(1, 8)] = 2
    channels: Annotated[int, Whole(1, 65)] = 3
    ordered: bool = False  # whether the network is told how far down the picture it is

    @property
    def grid(self) -> int:
        """A shift of the input by a multiple of this many pixels shifts the output alike."""
        return self.fold

    @property
    def receptive_field(self) -> int:
        """Side of the square of input pixels that one output pixel can depend on."""
        return self.fold * (1 + 2 * (2 * self.blocks + 2))


class Folded(nn.Module):
    """A residual network on folded pixels. It estimates what `SinDDM` does."""

    def __init__(self, config: FoldedConfig) -> None:
        super().__init__()
        folded = config.channels * config.fold**2
        seen = folded + ORDER_CHANNELS * config.fold**2 * config.ordered
        self.config = config
        self.embed = nn.Sequential(
            nn.Linear(_EMBEDDING, _EMBEDDING), nn.SiLU(), nn.Linear(_EMBEDDING, _EMBEDDING), nn.SiLU()
        )
        self.first = nn.Conv2d(seen, config.width, 3, padding=1)
        self.modulate = Modulation(config.width)
        self.blocks = nn.ModuleList(Residual(config.width) for _ in range(config.blocks))
        self.last = nn.Conv2d(config.width, folded, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(
        self,
        x: Float[Tensor, "b c h w"],
        t: Real[Tensor, "b"],
        s: Real[Tensor, "b"],
        order: Float[Tensor, "b 2 h w"] | None = None,
    ) -> Float[Tensor, "b c h w"]:
        height, width = x.shape[-2:]
        if self.config.ordered:
            x = torch.cat([x, x.new_zeros(len(x), ORDER_CHANNELS, height, width) if order is None else order], 1)
        fold = self.config.fold
        embedded = self.embed(torch.cat([sinusoids(t, _EMBEDDING // 2), sinusoids(s, _EMBEDDING // 2)], -1))
        x = F.pad(x, (0, -width % fold, 0, -height % fold), mode="replicate")
        x = self.modulate(self.first(F.pixel_unshuffle(x, fold)), embedded)
        for block in self.blocks:
            x = block(x, embedded)
        return F.pixel_shuffle(self.last(F.silu(x)), fold)[..., :height, :width]


def order_channels(
    strength: Float[Tensor, "b 1 1 1"],
    heights: Float[Tensor, " h"],
    width: int,
    error: Float[Tensor, "b 1 1 1"] | float = 0.0,
) -> Float[Tensor, "b 2 h w"]:
    """What a network is told of order: the relative row, from -1 at the top to 1, and how far it can be trusted.

    `heights` go from 0 at the top to 1. A strength of 0 tells nothing. In training the row has an error that is as
    large as the strength is small, so that the network learns what each strength means.
    """
    row = strength * (2 * heights.to(strength.device).view(1, 1, -1, 1) - 1 + error)
    return torch.cat([row, strength.expand_as(row)], 1).expand(-1, -1, -1, width)


class Residual(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.modulate = Modulation(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.conv2.weight *= 0.3  # each block starts as a small change of its input

    def forward(self, x: Float[Tensor, "b d h w"], embedded: Float[Tensor, "b e"]) -> Float[Tensor, "b d h w"]:
        return x + self.conv2(F.silu(self.modulate(self.conv1(F.silu(x)), embedded)))


class Modulation(nn.Module):
    """Scales and shifts features by time and level. It starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(_EMBEDDING, 2 * width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "b d h w"], embedded: Float[Tensor, "b e"]) -> Float[Tensor, "b d h w"]:
        scale, shift = self.linear(embedded)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(x + shift, x, scale)
