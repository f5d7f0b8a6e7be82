"""LPIPS v0.1 on AlexNet: how different two pictures look.

"The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (Zhang et al., CVPR 2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unica.metrics.base import ONE_SIZE, SIZE_OF_SOURCE, Network, Sample, SampleSet, at_least, measure
from unica.metrics.diversity import RunningVariance
from unica.weights import NotThere, Weight, find

ALEXNET = Weight(
    "alexnet-owt-7be5be79.pth",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "BSD-3-Clause",
)
LINEAR = Weight(
    "lpips_alex_lin_v0.1.pth",
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "BSD-2-Clause",
)
BOTH = Weight(  # the two above in one file
    "lpips_alex_v0.1.pt",
    None,
    "91b233243c42c3f92893923bce97838e952570704c6d0be5db43aaf7d5c7e54d",
    "BSD-3-Clause, BSD-2-Clause",
)

# ImageNet's channel means and deviations, for images in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """The LPIPS distance as a squared Euclidean distance.

    Eq. 1 of the paper, d(x, y) = Σ_l 1/(H_l W_l) Σ_hw Σ_c w_lc (f_lc(x) − f_lc(y))² with unit vectors f_l, is
    |e(x) − e(y)|² for the embedding e that concatenates √(w_lc / (H_l W_l)) f_lc over all layers. So an image goes
    through the network once, even if it is compared with many others.

    `weights` holds `trunk` (of each layer: weight, bias, stride, padding), `pool_before` (whether a 3×3 max pooling
    with stride 2 comes before the layer) and `lin` (of each layer: the calibrated w_l ≥ 0, as a 1×1 convolution).
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
        """LPIPS from the two published files: torchvision's AlexNet and the authors' linear layers."""
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

    def features(self, images: Float[Tensor, "b c h w"]) -> Iterator[Float[Tensor, "b d y x"]]:
        """The features of one layer after another, with unit vectors. A layer that is not asked for costs nothing."""
        x = (images.expand(-1, 3, -1, -1) - self.shift) / self.scale
        for layer in self.layers:
            x = layer(x)
            yield x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)

    def embed(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The vectors whose squared distances are LPIPS."""
        parts = [
            (unit * (root / (unit.shape[-2] * unit.shape[-1]) ** 0.5)).flatten(1)
            for unit, root in zip(self.features(images), self.roots, strict=True)
        ]
        return torch.cat(parts, dim=1)

    def forward(self, x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        return (self.embed(x) - self.embed(y)).square().sum(dim=1)

    @torch.no_grad()
    def mean_pairwise(self, samples: Iterable[Float[Tensor, "b c h w"]]) -> float:
        """The mean distance over all pairs of two or more samples.

        The mean of |e_i − e_j|² over pairs is twice the unbiased variance of the embeddings.
        """
        running = RunningVariance()
        for batch in samples:
            for sample in batch.split(1):
                running.add(self.embed(sample))
        if running.count < 2:
            raise ValueError("a mean over pairs needs two samples or more")
        return 2 * running.variance(1).sum().item()


def _load(folder: Path | None) -> Lpips:
    """LPIPS from one file if it is there, else from the two published ones."""
    try:
        return Lpips.load(find(BOTH, folder))
    except NotThere:
        return Lpips.from_published(find(ALEXNET, folder), find(LINEAR, folder))


LPIPS = Network(_load, (ALEXNET, LINEAR, BOTH))


@measure(
    "lpips_diversity",
    "diversity",
    "higher",
    "LPIPS of pairs (SinDDM)",
    "LPIPS v0.1 on AlexNet, mean over all pairs of samples",
    of="set",
    network=LPIPS,
    needs=(at_least(2), ONE_SIZE),
)
def _mean_pairwise(samples: SampleSet, lpips: Lpips) -> float:
    return samples.once(_of_pairs, lpips)


@measure(
    "lpips_eq9",
    "diversity",
    "higher",
    "LPIPS, Eq. 9 (SinDiffusion)",
    "the sum of LPIPS over all pairs, divided by (N - 1)(N - 2) / 2, as SinDiffusion writes it: N / (N - 2) times the"
    " mean, which is 1.25 times for its N = 10",
    of="set",
    network=LPIPS,
    needs=(at_least(3), ONE_SIZE),
)
def _eq9(samples: SampleSet, lpips: Lpips) -> float:
    return samples.once(_of_pairs, lpips) * len(samples) / (len(samples) - 2)


@measure(
    "lpips_source",
    "honesty",
    "higher",
    "LPIPS to the source",
    "LPIPS between a sample and the source",
    network=LPIPS,
    needs=(SIZE_OF_SOURCE,),
)
def _to_source(sample: Sample, lpips: Lpips) -> float:
    return lpips(sample.pixels, sample.source.pixels).item()


def _of_pairs(samples: SampleSet, lpips: Lpips) -> float:
    return lpips.mean_pairwise(samples.images)


def _layer(pool: bool, weight: Tensor, bias: Tensor, stride: int, padding: int) -> nn.Sequential:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], stride, padding)
    conv.load_state_dict({"weight": weight, "bias": bias})
    return nn.Sequential(*[nn.MaxPool2d(3, 2)] * pool, conv, nn.ReLU())
