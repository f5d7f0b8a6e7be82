"""The closed-form denoiser: the exact posterior over patches, the fast search, and the denoiser made of both."""

from unica.patches.denoiser import PatchDenoiser
from unica.patches.exact import Edges, Posterior, posterior
from unica.patches.healing import continued
from unica.patches.kernels import compiled
from unica.patches.match import match, nearest_origins
from unica.patches.order import even_heights, heights_of, measure_order, row_means, row_prior
from unica.patches.patchwork import Patchwork
from unica.patches.settings import PatchSettings

__all__ = [
    "Edges",
    "PatchDenoiser",
    "PatchSettings",
    "Patchwork",
    "Posterior",
    "compiled",
    "continued",
    "even_heights",
    "heights_of",
    "match",
    "measure_order",
    "nearest_origins",
    "posterior",
    "row_means",
    "row_prior",
]
