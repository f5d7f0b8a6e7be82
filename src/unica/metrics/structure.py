"""Whether things hang together as in the source: deep features of a picture against those of the source.

Each feature sees 131x131 pixels. Tears, floating pieces and merged things give features that the source has nowhere;
bending and moving change features less. The source is seen at three sizes, so that a thing may be drawn somewhat
smaller or larger.
"""

from __future__ import annotations

from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from unica.metrics.base import Image, Sample, Source, every_side, measure
from unica.metrics.lpips import LPIPS, Lpips
from unica.metrics.patches import closest, resized

LAYER = 3  # of AlexNet, counted from 0: the fourth convolution and its ReLU
SIZES = (0.8, 1.0, 1.25)  # that the source is seen at, as multiples of its own
PERCENTILE = 0.95
LEAST = 39  # pixels a side; at 0.8 of that, AlexNet still gives one feature
BLOCK = 2**22  # distances in memory at a time: 16 MiB


@torch.no_grad()
def deep_features(image: Image, lpips: Lpips) -> Float[Tensor, "n d"]:
    """The feature vectors of all positions, of unit length."""
    unit = next(islice(lpips.features(image), LAYER, None))
    return unit.movedim(1, -1).flatten(0, -2)


def source_features(image: Image, lpips: Lpips) -> Float[Tensor, "m d"]:
    """The feature vectors of a source at all SIZES."""
    return torch.cat([deep_features(resized(image, size), lpips) for size in SIZES])


@torch.no_grad()
def structure(ours: Float[Tensor, "n d"], theirs: Float[Tensor, "m d"]) -> float:
    """The 95th percentile over i of min_j |f_i − g_j|, for features f of a picture and g of its source."""
    distances = []
    for some in ours.split(max(1, BLOCK // len(theirs))):
        _, nearest = closest(some, theirs)
        distances.append(torch.linalg.vector_norm(some - theirs[nearest], dim=1))
    return torch.cat(distances).quantile(PERCENTILE).item()


@measure(
    "structure",
    "fidelity",
    "lower",
    "structure",
    "Euclidean distance of a feature of the output (AlexNet's fourth convolution, unit length) to the nearest of the"
    " source, seen at 0.8, 1 and 1.25 times its size: 95th percentile over the positions; needs sides of at least"
    f" {LEAST} pixels",
    network=LPIPS,
    needs=(every_side(LEAST),),
    captioned=True,
)
def _structure(sample: Sample, lpips: Lpips) -> float:
    return structure(deep_features(sample.pixels, lpips), sample.source.once(_source_features, lpips))


def _source_features(source: Source, lpips: Lpips) -> Tensor:
    return source_features(source.pixels, lpips)
