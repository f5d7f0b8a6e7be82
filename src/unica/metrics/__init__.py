"""Measures of pictures that were made from one image.

Each module has functions from tensors to a number, and declares the measures that use them (see `base.py`). A new
module is found by itself. The imports below are shortcuts to functions; a new measure needs none.

Images are `Float[Tensor, "b c h w"]` in [-1, 1]. Where a network looks at a gray image (c = 1), it sees three equal
channels.
"""

from unica.metrics.base import Measure, Need, Network, Sample, SampleSet, Source, measure, measures
from unica.metrics.copies import Copies, copies, repetition
from unica.metrics.diversity import pixel_diversity
from unica.metrics.frechet import (
    Gaussian,
    InceptionStem,
    frechet_distance,
    frechet_features,
    frechet_of_features,
    single_image_frechet,
)
from unica.metrics.inception import Inception, sifid
from unica.metrics.iqa import pyiqa_metric
from unica.metrics.lpips import Lpips
from unica.metrics.niqe import niqe
from unica.metrics.patches import mean_patch_distance, nearest_patch_distances, patch_distance
from unica.metrics.sharpness import sharpness
from unica.metrics.wasserstein import sliced_wasserstein

__all__ = [
    "Copies",
    "Gaussian",
    "Inception",
    "InceptionStem",
    "Lpips",
    "Measure",
    "Need",
    "Network",
    "Sample",
    "SampleSet",
    "Source",
    "copies",
    "frechet_distance",
    "frechet_features",
    "frechet_of_features",
    "mean_patch_distance",
    "measure",
    "measures",
    "nearest_patch_distances",
    "niqe",
    "patch_distance",
    "pixel_diversity",
    "pyiqa_metric",
    "repetition",
    "sharpness",
    "sifid",
    "single_image_frechet",
    "sliced_wasserstein",
]
