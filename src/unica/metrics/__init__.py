"""How good are pictures drawn from one image? Functions from tensors to a number.

Images are `Float[Tensor, "b c h w"]` in [-1, 1]; a gray image (c = 1) counts as three equal channels where a
network looks at it. Weights are read from a path.
"""

from unica.metrics.diversity import pixel_diversity, sharpness
from unica.metrics.frechet import (
    Gaussian,
    InceptionStem,
    frechet_distance,
    frechet_features,
    single_image_frechet,
)
from unica.metrics.lpips import Lpips
from unica.metrics.patches import mean_patch_distance, nearest_patch_distances, patch_distance

__all__ = [
    "Gaussian",
    "InceptionStem",
    "Lpips",
    "frechet_distance",
    "frechet_features",
    "mean_patch_distance",
    "nearest_patch_distances",
    "patch_distance",
    "pixel_diversity",
    "sharpness",
    "single_image_frechet",
]
