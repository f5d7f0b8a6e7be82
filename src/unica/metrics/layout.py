"""Whether the layout of a picture is made of parts of the source's: the distance of large patches, seen small.

At a quarter of the size, a 15x15 patch covers 60x60 pixels. It shows how large parts meet, and little of their texture.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from unica.metrics.base import Sample, every_side, measure
from unica.metrics.patches import nearest_patch_distances

PATCH = 15
SCALE = 0.25
LEAST = 60  # pixels a side that have one patch
LIMIT = 4000  # patches of a picture that are looked at; 250x188 pixels have 1,584


def layout_distances(output: Float[Tensor, "b c h w"], source: Float[Tensor, "k c y x"]) -> Float[Tensor, " n"]:
    """min_j √mean((q_i − s_j)²) of the patches of `output`, or of LIMIT random ones if there are more."""
    (distances,) = nearest_patch_distances(output, source, PATCH, (SCALE,), LIMIT)
    return distances


@measure(
    "layout",
    "fidelity",
    "lower",
    "layout: mean",
    f"RMSE of a {PATCH}x{PATCH} patch of the output to the nearest of the source, both at a quarter of their size: mean"
    f" over all patches, or over {LIMIT:,} random ones (fixed seed) if there are more; needs sides of at least {LEAST}"
    " pixels",
    needs=(every_side(LEAST),),
)
def _layout(sample: Sample) -> float:
    return sample.once(_distances).mean().item()


@measure(
    "layout_p95",
    "fidelity",
    "lower",
    "layout: 95th percentile",
    "the same, but the 95th percentile over the patches",
    needs=(every_side(LEAST),),
)
def _layout_p95(sample: Sample) -> float:
    return sample.once(_distances).quantile(0.95).item()


def _distances(sample: Sample) -> Tensor:
    return layout_distances(sample.pixels, sample.source.pixels)
