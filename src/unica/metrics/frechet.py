"""The Fréchet distance between the features inside two images, as in SIFID.

Each position of the feature map is one sample of a Gaussian ("SinGAN", Shaham et al., ICCV 2019, Sec. 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unica.metrics.base import Network, Sample, Source, measure
from unica.weights import Weight, find

STEM = Weight(
    "inception_stem_relative.pt",
    None,
    "c4a4dab4ef4255b855f0ef15fdc9084e3b733b1486461f8dd6adfeabbb79a82c",
    "MIT",
)


class Gaussian(NamedTuple):
    mean: Float[Tensor, " d"]
    cov: Float[Tensor, "d d"]


class InceptionStem(nn.Sequential):
    """InceptionV3 up to its first pooling: Conv2d_1a (stride 2), 2a and 2b, with their batch norms folded in.

    Images are in [0, 1]: the running statistics of the batch norms fit photographs in [0, 1], not in [-1, 1].
    `weights` has, for each convolution, weight, stride, padding and the mean, var, beta and eps of its batch norm
    (there is no gamma).
    """

    def __init__(self, weights: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(*[module for layer in weights for module in (_folded(**layer), nn.ReLU())])
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path) -> InceptionStem:
        return cls(torch.load(path, map_location="cpu", weights_only=True))


def _folded(
    weight: Tensor, stride: int, padding: int, mean: Tensor, var: Tensor, beta: Tensor, eps: float
) -> nn.Conv2d:
    """One convolution that does (conv(x) − mean) / √(var + ε) + β."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], stride, padding)
    scale = (var + eps).rsqrt()
    conv.load_state_dict({"weight": weight * scale.view(-1, 1, 1, 1), "bias": beta - mean * scale})
    return conv


@torch.no_grad()
def frechet_features(image: Float[Tensor, "b c h w"], stem: nn.Module) -> Gaussian:
    """The Gaussian that fits the feature vectors of all positions. `stem` gets three channels in [0, 1]."""
    features = stem((image.expand(-1, 3, -1, -1) + 1) / 2).movedim(1, -1).flatten(0, -2).double()
    return Gaussian(features.mean(dim=0), features.T.cov())


def frechet_distance(
    mu1: Float[Tensor, " d"], cov1: Float[Tensor, "d d"], mu2: Float[Tensor, " d"], cov2: Float[Tensor, "d d"]
) -> float:
    """|μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁C₂)^½), the squared 2-Wasserstein distance of two Gaussians, in float64.

    tr (C₁C₂)^½ = tr (√C₁ C₂ √C₁)^½ is the sum of the singular values of √C₁ √C₂. This form takes no root of an
    eigenvalue that rounding has made negative.
    """
    mu1, cov1, mu2, cov2 = (x.double() for x in (mu1, cov1, mu2, cov2))
    cross = torch.linalg.svdvals(_root(cov1) @ _root(cov2)).sum()
    distance = (mu1 - mu2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross
    return max(distance.item(), 0.0)


def frechet_of_features(ours: Float[Tensor, "n d"], theirs: Float[Tensor, "m d"]) -> float:
    """The Fréchet distance of the Gaussians that fit two sets of features.

    Let A and B be the centred features over √(n − 1), so that C₁ = AᵀA and C₂ = BᵀB. Then the cross term tr (C₁C₂)^½
    is the sum of the singular values of ABᵀ. That matrix is small where there are fewer features than dimensions.
    """
    if min(len(ours), len(theirs)) > ours.shape[1]:
        fits = (Gaussian(x.mean(dim=0), x.T.cov()) for x in (ours.double(), theirs.double()))
        return frechet_distance(*(part for fit in fits for part in fit))
    mu1, mu2 = ours.double().mean(dim=0), theirs.double().mean(dim=0)
    a, b = (x.double() - mu for x, mu in ((ours, mu1), (theirs, mu2)))
    a, b = (x / max(len(x) - 1, 1) ** 0.5 for x in (a, b))
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return max(((mu1 - mu2).square().sum() + a.square().sum() + b.square().sum() - 2 * cross).item(), 0.0)


def single_image_frechet(output: Float[Tensor, "b c h w"], source: Float[Tensor, "k d y x"], stem: nn.Module) -> float:
    """The Fréchet distance between the features of two images."""
    return frechet_distance(*frechet_features(output, stem), *frechet_features(source, stem))


def _load(folder: Path | None) -> InceptionStem:
    return InceptionStem.load(find(STEM, folder))


@measure(
    "frechet_stem",
    "fidelity",
    "lower",
    "Fréchet of a stem (relative)",
    "Fréchet distance as in SIFID, on a small copy of Inception's first three convolutions;"
    " compare it only with other values of this protocol",
    network=Network(_load, (STEM,)),
)
def _frechet_stem(sample: Sample, stem: nn.Module) -> float:
    return frechet_distance(*frechet_features(sample.pixels, stem), *sample.source.once(_source_features, stem))


def _source_features(source: Source, stem: nn.Module) -> Gaussian:
    return frechet_features(source.pixels, stem)


def _root(cov: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    values, vectors = torch.linalg.eigh(cov)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
