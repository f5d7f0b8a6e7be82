"""LPIPS v0.1 on AlexNet: how different two pictures look.

"The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (Zhang et al., CVPR 2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unica.metrics.diversity import Spread

# ImageNet's channel means and deviations, carried over from [0, 1] to [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """The LPIPS distance as a squared Euclidean distance.

    Eq. 1 of the paper, d(x, y) = Σ_l 1/(H_l W_l) Σ_hw Σ_c w_lc (f_lc(x) − f_lc(y))² with unit vectors f_l, is
    |e(x) − e(y)|² for the embedding e = √(w_lc / (H_l W_l)) f_lc, all layers in a row. So an image goes
    through the network once, however many others it is compared with.

    `weights` holds `trunk` (per layer: weight, bias, stride, padding), `pool_before` (does a 3×3 max pooling
    with stride 2 come before the layer?) and `lin` (the calibrated w_l ≥ 0, a 1×1 convolution a layer).
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, weights: Mapping[str, Any]) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor(SHIFT).view(-1, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(-1, 1, 1))
        self.layers = nn.ModuleList(
            _layer(pool, **conv) for pool, conv in zip(weights["pool_before"], weights["trunk"], strict=True)
        )
        self.roots = nn.ParameterList(lin.flatten().sqrt().view(-1, 1, 1) for lin in weights["lin"])
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path) -> Lpips:
        return cls(torch.load(path, map_location="cpu", weights_only=True))

    @classmethod
    def from_published(cls, trunk: str | Path, lin: str | Path) -> Lpips:
        """From torchvision's AlexNet and the authors' linear layers, as both are published."""
        alexnet, lins = (torch.load(path, map_location="cpu", weights_only=True) for path in (trunk, lin))
        convs = [
            {
                "weight": alexnet[f"features.{i}.weight"],
                "bias": alexnet[f"features.{i}.bias"],
                "stride": s,
                "padding": p,
            }
            for i, s, p in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))
        ]
        weights = [lins[f"lin{n}.model.1.weight"] for n in range(5)]
        return cls({"trunk": convs, "pool_before": [False, True, True, False, False], "lin": weights})

    def embed(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        x = (images.expand(-1, 3, -1, -1) - self.shift) / self.scale
        parts = []
        for layer, root in zip(self.layers, self.roots, strict=True):
            x = layer(x)
            unit = x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)
            parts.append((unit * (root / (x.shape[-2] * x.shape[-1]) ** 0.5)).flatten(1))
        return torch.cat(parts, dim=1)

    def forward(self, x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        return (self.embed(x) - self.embed(y)).square().sum(dim=1)

    @torch.no_grad()
    def mean_pairwise(self, samples: Iterable[Float[Tensor, "b c h w"]]) -> float:
        """The mean distance over all pairs of two or more samples.

        The mean of |e_i − e_j|² over pairs is twice the unbiased variance of the embeddings.
        """
        spread = Spread()
        for batch in samples:
            for sample in batch.split(1):
                spread.add(self.embed(sample))
        if spread.count < 2:
            raise ValueError("a mean over pairs needs two samples or more")
        return 2 * spread.variance(1).sum().item()


def _layer(pool: bool, weight: Tensor, bias: Tensor, stride: int, padding: int) -> nn.Sequential:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], stride, padding)
    conv.load_state_dict({"weight": weight, "bias": bias})
    return nn.Sequential(*[nn.MaxPool2d(3, 2)] * pool, conv, nn.ReLU())
