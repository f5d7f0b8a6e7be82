"""SinDDM's network (supplement B): four convolutional blocks that see 35x35 pixels, told the time and the level."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

_EMBEDDING = 32  # of the time, of the level, and of both together


@dataclass(frozen=True)
class SinDDMConfig:
    dim: int = 160  # the widest blocks' channels; the paper's
    channels: int = 3
    fold = grid = 1  # it works on pixels as they are
    norm = False

    @property
    def field(self) -> int:
        """Side of the square of pixels that one output pixel depends on. The paper says 35; its layers, 5x5 and twice
        3x3 in each of four blocks, make 33."""
        return 1 + 4 * (4 + 2 + 2)


class SinDDM(nn.Module):
    """Estimates the noise in x at time t (0 is the least noisy state) of level s. Names are the authors'."""

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
        embedded = self.time_mlp(torch.cat([sinusoids(t), sinusoids(s)], -1))
        for block in (self.l1, self.l2, self.l3, self.l4):
            x = block(x, embedded)
        return self.final_conv(x)


class Block(nn.Module):
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


def sinusoids(position: Real[Tensor, "b"]) -> Float[Tensor, "b e"]:
    """Sines, then cosines, of wavelengths from 2 pi to 10,000 times as long (Vaswani et al. 2017)."""
    half = _EMBEDDING // 2
    frequency = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half, device=position.device))
    angle = position[:, None].float() * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)
