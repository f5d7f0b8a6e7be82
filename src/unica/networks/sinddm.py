"""SinDDM's network (supplement B): four convolutional blocks, told the time and the level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from unica.declare import Whole
from unica.networks.embedding import sinusoids

_EMBEDDING = 32  # of the time, of the level, and of both together


@dataclass(frozen=True)
class SinDDMConfig:
    dim: Annotated[int, Whole(2, 4096)] = 160  # channels of the widest blocks; 160 in the paper
    channels: Annotated[int, Whole(1, 65)] = 3
    fold = grid = 1  # pixels are not folded into channels
    norm = False
    levels = 1  # one network draws all levels
    ordered = False

    @property
    def receptive_field(self) -> int:
        """Side of the square of input pixels that one output pixel depends on.

        Four blocks, each with a 5x5 and two 3x3 convolutions, make 33. The paper says 35.
        """
        return 1 + 4 * (4 + 2 + 2)


class SinDDM(nn.Module):
    """Estimates the noise in x at time t of level s; 0 is the least noisy state. Weights have the authors' names."""

    def __init__(self, config: SinDDMConfig) -> None:
        super().__init__()
        half = config.dim // 2
        self.config = config
        self.time_mlp = nn.Sequential(
            nn.Linear(2 * _EMBEDDING, 4 * _EMBEDDING), nn.GELU(), nn.Linear(4 * _EMBEDDING, _EMBEDDING)
        )
        self.l1 = Block(config.channels, half)
        self.l2 = Block(half, config.dim)
        self.l3 = Block(config.dim, config.dim)
        self.l4 = Block(config.dim, half)
        self.final_conv = nn.Sequential(nn.Conv2d(half, config.channels, 1))

    def forward(
        self, x: Float[Tensor, "b c h w"], t: Real[Tensor, "b"], s: Real[Tensor, "b"]
    ) -> Float[Tensor, "b c h w"]:
        embedded = self.time_mlp(torch.cat([sinusoids(t, _EMBEDDING), sinusoids(s, _EMBEDDING)], -1))
        for block in (self.l1, self.l2, self.l3, self.l4):
            x = block(x, embedded)
        return self.final_conv(x)


class Block(nn.Module):
    """Convolutions around a shortcut; time and level add a bias to each channel."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.GELU(), nn.Linear(_EMBEDDING, _EMBEDDING))
        self.time_reshape = nn.Conv2d(_EMBEDDING, inner, 1)
        self.ds_conv = nn.Conv2d(inner, inner, 5, padding=2, groups=inner)
        self.net = nn.Sequential(
            nn.Conv2d(inner, outer, 3, padding=1), nn.GELU(), nn.Conv2d(outer, outer, 3, padding=1)
        )
        self.res_conv = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"], embedded: Float[Tensor, "b e"]) -> Float[Tensor, "b d h w"]:
        bias = self.time_reshape(self.mlp(embedded)[:, :, None, None])
        return self.net(self.ds_conv(x) + bias) + self.res_conv(x)
