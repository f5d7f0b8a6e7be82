"""Distances between the patches of images, at several scales: is everything in one image also in the other?

`patch_distance(output, source)` is faithfulness (nothing in the output that the source lacks),
`patch_distance(source, output)` is coverage (nothing in the source that the output lacks): the two halves of
"Summarizing Visual Data Using Bidirectional Similarity" (Simakov et al., CVPR 2008).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

SCALES = (1.0, 0.5, 0.25)
QUERIES, KEYS = 1024, 2048  # a block of the distance matrix: 8 MiB
COORDINATES = 16  # principal ones, kept in a sketch of a patch
SAMPLE = 32  # blocks that the principal coordinates are found from
ROUNDING = 1e-5  # of the lower bound, relative to |q|²


@torch.no_grad()
def nearest_patch_distances(
    queries: Float[Tensor, "b c h w"],
    source: Float[Tensor, "k c y x"],
    patch: int = 7,
    scales: Sequence[float] = SCALES,
    limit: int | None = None,
    generator: torch.Generator | None = None,
) -> list[Float[Tensor, " n"]]:
    """For each scale, min_j √mean((q_i − s_j)²): the RMSE of `queries` patches to the nearest of `source`.

    All patches in reading order; or, with a `limit`, that many a scale, drawn with `generator` (by default a
    fresh one of seed 0). A scale below 1 shrinks both images (bicubic, antialiased) and not the patches.
    """
    generator = generator or torch.Generator().manual_seed(0)
    centre = source.mean(dim=(0, 2, 3), keepdim=True)  # smaller numbers, same distances
    distances = []
    for scale in scales:
        ours, theirs = (windows(shrink(image - centre, scale), patch) for image in (queries, source))
        count = ours[..., 0, 0, 0].numel()
        drawn = torch.arange(count) if limit is None else torch.randperm(count, generator=generator)[:limit]
        rows = ours[torch.unravel_index(drawn.to(ours.device), ours.shape[:3])]
        distances.append(_nearest(rows.flatten(1), _bands(theirs)).sqrt())
    return distances


def patch_distance(
    queries: Float[Tensor, "b c h w"],
    source: Float[Tensor, "k c y x"],
    patch: int = 7,
    scales: Sequence[float] = SCALES,
    limit: int | None = None,
    generator: torch.Generator | None = None,
) -> float:
    """√ of the mean over patches of min_j mean((q_i − s_j)²), averaged over the scales."""
    distances = nearest_patch_distances(queries, source, patch, scales, limit, generator)
    return torch.stack([d.square().mean().sqrt() for d in distances]).mean().item()


def mean_patch_distance(
    queries: Float[Tensor, "b c h w"],
    source: Float[Tensor, "k c y x"],
    patch: int = 7,
    scales: Sequence[float] = SCALES,
    limit: int | None = None,
    generator: torch.Generator | None = None,
) -> float:
    """Mean over patches of min_j √mean((q_i − s_j)²), averaged over the scales; at most `patch_distance`."""
    distances = nearest_patch_distances(queries, source, patch, scales, limit, generator)
    return torch.stack([d.mean() for d in distances]).mean().item()


def shrink(images: Float[Tensor, "b c h w"], scale: float) -> Float[Tensor, "b c y x"]:
    if scale == 1:
        return images
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images, size, mode="bicubic", antialias=True)


def windows(images: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b y x c p p"]:
    if min(images.shape[-2:]) < size:
        raise ValueError(f"no {size}x{size} patch fits in {images.shape[-1]}x{images.shape[-2]} pixels")
    return images.unfold(2, size, 1).unfold(3, size, 1).movedim(1, 3)


def _bands(windows: Float[Tensor, "b y x c p p"]) -> list[Float[Tensor, "b _ x c p p"]]:
    """Views of some KEYS patches each: unfolded all at once, a large picture fills the memory."""
    return list(windows.split(max(1, KEYS // (windows.shape[0] * windows.shape[2])), dim=1))


def _flat(band: Float[Tensor, "b _ x c p p"]) -> Float[Tensor, "m d"]:
    return band.reshape(-1, band[0, 0, 0].numel())


def _nearest(queries: Float[Tensor, "n d"], bands: Sequence[Float[Tensor, "b _ x c p p"]]) -> Float[Tensor, " n"]:
    """min_j mean((q_i − k_j)²) over the patches of all bands, one after another."""
    gram = torch.stack([keys.mT @ keys for keys in map(_flat, bands[:: max(1, len(bands) // SAMPLE)])]).sum(0)
    basis = torch.linalg.eigh(gram).eigenvectors[:, -COORDINATES:]  # any basis is exact, this one is quick
    counts = [band[..., 0, 0, 0].numel() for band in bands]
    sketches = queries.new_empty(sum(counts), basis.shape[1] + 1).split(
        counts
    )  # one allocation: many would leave holes
    blocks = list(zip(bands, sketches, strict=True))
    for band, sketch in blocks:
        sketch.copy_(_sketch(_flat(band), basis))
    some = zip(queries.split(QUERIES), _sketch(queries, basis).split(QUERIES), strict=True)
    return torch.cat([_search(query, sketch, blocks) for query, sketch in some]) / queries.shape[1]


def _sketch(x: Float[Tensor, "n d"], basis: Float[Tensor, "d r"]) -> Float[Tensor, "n s"]:
    """The coordinates along an orthonormal basis, and the length of the rest.

    |q − k|² = |Bq − Bk|² + |rest q − rest k|² ≥ |Bq − Bk|² + (|rest q| − |rest k|)²: sketches are closer.
    """
    along = x @ basis
    rest = _square_norm(x) - _square_norm(along)
    return torch.cat([along, rest.clamp(min=0).sqrt()[:, None]], dim=1)


def _search(
    queries: Float[Tensor, "n d"], sketch: Float[Tensor, "n r"], blocks: Sequence[tuple[Tensor, Tensor]]
) -> Float[Tensor, " n"]:
    """min_j |q_i − k_j|² over blocks of (a band of keys, their sketch).

    The sketches give each block a candidate and a lower bound. Only the blocks whose bound is below the best
    candidate, a few in a hundred, are then searched in full. The result is exact.
    """
    nearest = torch.full_like(queries[:, 0], torch.inf)
    slack = ROUNDING * _square_norm(queries)
    bounds = queries.new_empty(len(blocks), len(queries))
    for n, (band, short) in enumerate(blocks):
        bound, candidate = _closest(sketch, short)
        nearest = nearest.minimum((queries - _flat(band)[candidate]).square().sum(dim=1))
        bounds[n] = bound - slack
    for (band, _), bound in zip(blocks, bounds, strict=True):
        (left,) = torch.where(bound < nearest)
        if not len(left):
            continue
        keys = _flat(band)
        _, winner = _closest(queries[left], keys)
        exact = (queries[left] - keys[winner]).square().sum(dim=1)
        nearest[left] = nearest[left].minimum(exact)
    return nearest


def _closest(
    queries: Float[Tensor, "n d"], keys: Float[Tensor, "m d"]
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """The least |q|² + |k|² − 2 q·k and its key.

    One matrix product, but it cancels badly where it matters most, near zero: good for finding the key, not
    for measuring the distance.
    """
    least, key = torch.addmm(_square_norm(keys), queries, keys.mT, alpha=-2).min(dim=1)
    return least + _square_norm(queries), key


def _square_norm(x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    return torch.linalg.vector_norm(x, dim=1).square()
