"""The instant engine: an exact reference, a fast search, and the denoiser made of both."""

from unica.patches.denoiser import PatchDenoiser, Recipe
from unica.patches.exact import Edges, Posterior, posterior
from unica.patches.match import match

__all__ = ["Edges", "PatchDenoiser", "Posterior", "Recipe", "match", "posterior"]
