"""How good are pictures drawn from one image? Functions from tensors to a number.

Images are `Float[Tensor, "b c h w"]` in [-1, 1]; a gray image (c = 1) counts as three equal channels where a
network looks at it. Weights are read from a path.
"""

from unica.metrics.copies import Copies, copies, repetition
from unica.metrics.diversity import pixel_diversity, sharpness
from unica.metrics.frechet import (
    Gaussian,
    InceptionStem,
    frechet_distance,
    frechet_features,
    frechet_of_features,
    single_image_frechet,
)
from unica.metrics.inception import Inception, sifid
from unica.metrics.iqa import judge
from unica.metrics.lpips import Lpips
from unica.metrics.niqe import niqe
from unica.metrics.patches import mean_patch_distance, nearest_patch_distances, patch_distance
from unica.metrics.wasserstein import sliced_wasserstein

__all__ = [
    "Copies",
    "Gaussian",
    "Inception",
    "InceptionStem",
    "Lpips",
    "copies",
    "frechet_distance",
    "frechet_features",
    "frechet_of_features",
    "judge",
    "mean_patch_distance",
    "nearest_patch_distances",
    "niqe",
    "patch_distance",
    "pixel_diversity",
    "repetition",
    "sharpness",
    "sifid",
    "single_image_frechet",
    "sliced_wasserstein",
]
