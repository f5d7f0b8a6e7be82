"""SinDiffusion's network (Sec. 3.2, supplement A): a shallow U-Net without attention.

Each output pixel depends on a patch of the input, not on the whole picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from unica.declare import Whole
from unica.errors import whole
from unica.networks.embedding import sinusoids


@dataclass(frozen=True)
class UNetConfig:
    """The default is the paper's standard network; its enhanced one is `multipliers=(1, 2, 4, 8), blocks=2`."""

    width: Annotated[int, Whole(2, 4096)] = 64
    multipliers: tuple[Annotated[int, Whole(1, 16)], ...] = (
        1,
        2,
        4,
    )  # of the width, one for each stage; a stage halves both sides
    blocks: Annotated[int, Whole(1, 4)] = 1  # of each stage on the way down; there is one more on the way up
    channels: Annotated[int, Whole(1, 65)] = 3
    fold: Annotated[int, Whole(1, 8)] = 1  # blocks of fold x fold pixels become channels first
    norm: bool = True  # without norms, an output pixel depends on its receptive field and on nothing else
    levels: Annotated[int, Whole(1, 12)] = 1  # networks; several are one for each level of a pyramid
    ordered = False

    def __post_init__(self) -> None:
        whole("the number of multipliers", len(self.multipliers), 1, 5)

    @property
    def grid(self) -> int:
        """A shift of the input by a multiple of this many pixels shifts the output alike."""
        return self.fold * 2 ** (len(self.multipliers) - 1)

    @cached_property
    def receptive_field(self) -> int:
        """Side of the square of input pixels that one output pixel can depend on.

        Group norms are left out: through them, every pixel depends a little on the whole picture. The widest interval
        of inputs behind one output is found by following the deepest path from the output back to the input.
        """
        stages, widest = len(self.multipliers), 0
        for position in range(1000 * self.grid, 1001 * self.grid, self.fold):
            low = high = position // self.fold
            grow = 1 + 2 * (self.blocks + 1)  # the last convolution, and those of the blocks on the way up
            low, high = low - grow, high + grow
            for _ in range(stages - 1):  # a convolution after doubling, then the blocks of the next stage
                low, high = (low - 1) // 2, (high + 1) // 2
                low, high = low - 2 * (self.blocks + 1), high + 2 * (self.blocks + 1)
            for _ in range(stages - 1):  # blocks on the way down, then a convolution that halves
                low, high = low - 2 * self.blocks, high + 2 * self.blocks
                low, high = 2 * low - 1, 2 * high + 1
            low, high = low - 2 * self.blocks - 1, high + 2 * self.blocks + 1
            widest = max(widest, (high - low + 1) * self.fold)
        return widest


class UNet(nn.Module):
    """Estimates the noise in x at time t; 0 is the least noisy state. Names and order of layers are the authors'."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.checkpointing = False  # compute features again in the backward pass instead of keeping them
        channels, embedding = config.channels * config.fold**2, 4 * config.width
        widths = [config.width * by for by in config.multipliers]
        self.time_embed = nn.Sequential(
            nn.Linear(config.width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )  # fmt: skip
        self.input_blocks = nn.ModuleList([Steps(nn.Conv2d(channels, widths[0], 3, padding=1))])
        skips, inner = [widths[0]], widths[0]
        for stage, width in enumerate(widths):
            for _ in range(config.blocks):
                self.input_blocks.append(Steps(Residual(inner, width, embedding, config.norm)))
                skips.append(inner := width)
            if stage < len(widths) - 1:
                self.input_blocks.append(Steps(Down(width)))
                skips.append(width)
        self.output_blocks = nn.ModuleList()
        skips[-1] = 0  # the way up begins from the deepest features, which need no shortcut
        for stage, width in reversed(list(enumerate(widths))):
            for block in range(config.blocks + 1):
                steps: list[nn.Module] = [Residual(inner + skips.pop(), width, embedding, config.norm)]
                inner = width
                if stage and block == config.blocks:
                    steps.append(Up(width))
                self.output_blocks.append(Steps(*steps))
        self.out = nn.Sequential(_norm(inner, config.norm), nn.SiLU(), _zero(nn.Conv2d(inner, channels, 3, padding=1)))

    def forward(self, x: Float[Tensor, "b c h w"], t: Real[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
        height, width = x.shape[-2:]
        grid, fold = self.config.grid, self.config.fold
        x = F.pad(x, (0, -width % grid, 0, -height % grid), mode="replicate")
        time = sinusoids(t, self.config.width, cosines_first=True, endpoint=False)
        embedded = F.silu(self.time_embed(time))
        kept = []
        x = F.pixel_unshuffle(x, fold)
        for steps in self.input_blocks:
            kept.append(x := self._through(steps, x, embedded))
        kept.pop()
        x = self._through(self.output_blocks[0], x, embedded)
        for steps in list(self.output_blocks)[1:]:
            x = self._through(steps, torch.cat([x, kept.pop()], 1), embedded)
        return F.pixel_shuffle(self.out(x), fold)[..., :height, :width]

    def _through(self, steps: nn.Module, x: Tensor, embedded: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(steps, x, embedded, use_reentrant=False, preserve_rng_state=False)  # pyright: ignore
        return steps(x, embedded)


class UNets(nn.ModuleList):
    """One U-Net, or one for each level: the multi-scale baseline of SinDiffusion's ablation (Table 3)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(UNet(config) for _ in range(config.levels))

    def forward(
        self, x: Float[Tensor, "b c h w"], t: Real[Tensor, "b"], s: Real[Tensor, "b"]
    ) -> Float[Tensor, "b c h w"]:
        return self[int(s[0]) if len(self) > 1 else 0](x, t)


class Steps(nn.Sequential):
    """Layers in a row. Residual blocks among them are told the time."""

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        for layer in self:
            x = layer(x, embedded) if isinstance(layer, Residual) else layer(x)
        return x


class Residual(nn.Module):
    """Two convolutions around a shortcut; the time scales and shifts the features between them."""

    def __init__(self, inner: int, outer: int, embedding: int, norm: bool) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(_norm(inner, norm), nn.SiLU(), nn.Conv2d(inner, outer, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.Identity(), nn.Linear(embedding, 2 * outer))
        self.out_layers = nn.Sequential(
            _norm(outer, norm), nn.SiLU(), nn.Identity(), _zero(nn.Conv2d(outer, outer, 3, padding=1))
        )
        self.skip_connection = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Float[Tensor, "b d h w"], embedded: Float[Tensor, "b e"]) -> Float[Tensor, "b d_ h w"]:
        scale, shift = self.emb_layers(embedded)[:, :, None, None].chunk(2, dim=1)
        normed = self.out_layers[0](self.in_layers(x))
        return self.skip_connection(x) + self.out_layers[1:](torch.addcmul(normed + shift, normed, scale))


class Down(nn.Module):
    """Halves both sides by a strided convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h_ w_"]:
        return self.op(x)


class Up(nn.Module):
    """Doubles both sides by nearest-neighbour upsampling and a convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h_ w_"]:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def structures(like: UNetConfig) -> Sequence[UNetConfig]:
    """The networks among which a receptive field is chosen: one to four stages of one or two blocks."""
    multipliers = (1, 2, 4, 8)
    return [
        replace(like, multipliers=multipliers[:stages], blocks=blocks) for stages in (1, 2, 3, 4) for blocks in (1, 2)
    ]


def with_receptive_field(like: UNetConfig, pixels: float) -> UNetConfig:
    """The network of `structures` whose receptive field is nearest to this many pixels, by their ratio."""
    return min(structures(like), key=lambda config: abs(math.log(config.receptive_field / pixels)))


def _norm(width: int, norm: bool) -> nn.Module:
    return nn.GroupNorm(math.gcd(32, width), width) if norm else nn.Identity()


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    return layer
