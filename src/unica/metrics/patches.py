"""Distances between the patches of images, at several scales: is everything in one image also in the other?

`patch_distance(output, source)` is coherence: it is 0 if the source has every patch of the output.
`patch_distance(source, output)` is completeness: it is 0 if the output has every patch of the source. They are the two
halves of "Summarizing Visual Data Using Bidirectional Similarity" (Simakov et al., CVPR 2008).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from unica.metrics.base import Sample, every_side, measure

SCALES = (1.0, 0.5, 0.25)
LIMIT = 1000  # patches of each picture and scale that coherence and completeness look at
WINDOW = 15  # side of a window, in patches
WINDOW_SIDE = 42  # pixels a side that have one window at half size
DENSE = 20_000  # patches of a picture that are all searched for its worst window; of more patches, only ...
SPARSE = 5  # ... those in every fifth row and column, which still cover every pixel
QUERIES, KEYS = 1024, 2048  # a block of the distance matrix: 8 MiB
COORDINATES = 16  # principal coordinates that a sketch of a patch keeps
SAMPLE = 32  # blocks that the principal coordinates are computed from
ROUNDING = 1e-5  # error of the lower bound, relative to |q|²


@torch.no_grad()
def nearest_patch_distances(
    queries: Float[Tensor, "b c h w"],
    source: Float[Tensor, "k c y x"],
    patch: int = 7,
    scales: Sequence[float] = SCALES,
    limit: int | None = None,
    generator: torch.Generator | None = None,
) -> list[Float[Tensor, " n"]]:
    """For each scale, min_j √mean((q_i − s_j)²): the RMSE of each patch of `queries` to the nearest one of `source`.

    Without a `limit`, the patches are all, in reading order. With it, `generator` draws that many of each scale (the
    default generator is a new one of seed 0). A scale below 1 shrinks both images (bicubic, antialiased); the patches
    keep their size in pixels.
    """
    generator = generator or torch.Generator().manual_seed(0)
    distances = []
    for scale in scales:
        ours, theirs = _windows_of_both(queries, source, patch, scale)
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
    """Mean over patches of min_j √mean((q_i − s_j)²), averaged over the scales. Never above `patch_distance`."""
    distances = nearest_patch_distances(queries, source, patch, scales, limit, generator)
    return torch.stack([d.mean() for d in distances]).mean().item()


@measure(
    "coherence",
    "fidelity",
    "lower",
    "coherence: output in source",
    f"RMSE of a 7x7 patch of the output to the nearest of the source: mean over {LIMIT:,} random patches (fixed seed),"
    " then over the scales 1, 1/2 and 1/4",
    captioned=True,
)
def _coherence(sample: Sample) -> float:
    return mean_patch_distance(sample.pixels, sample.source.pixels, limit=LIMIT)


@measure(
    "completeness", "fidelity", "lower", "completeness: source in output", "the same from the source to the output"
)
def _completeness(sample: Sample) -> float:
    return mean_patch_distance(sample.source.pixels, sample.pixels, limit=LIMIT)


@torch.no_grad()
def worst_window(output: Float[Tensor, "1 c h w"], source: Float[Tensor, "k c y x"]) -> float:
    """The largest mean over a window of min_j √mean((q_i − s_j)²), for 7x7 patches at half size.

    A window has WINDOW x WINDOW neighbouring patches. If there are more than DENSE patches, only every SPARSE-th row
    and column is searched: the time is the number of patches searched times that of the source's.
    """
    ours, theirs = _windows_of_both(output, source, 7, 0.5)
    step = SPARSE if ours[..., 0, 0, 0].numel() > DENSE else 1
    searched = ours[:, ::step, ::step]
    distances = _nearest(_flat(searched), _bands(theirs)).sqrt().view(searched.shape[:3])
    return F.avg_pool2d(distances, WINDOW // step, stride=1).max().item()


@measure(
    "worst_window",
    "fidelity",
    "lower",
    "worst window",
    "RMSE of each 7x7 patch of the output to the nearest of the source, both at half size: mean over each window of"
    f" {WINDOW}x{WINDOW} patches, the largest of these; where the output has more than {DENSE:,} patches, only of every"
    f" {SPARSE}th row and column of them; needs sides of at least {WINDOW_SIDE} pixels",
    needs=(every_side(WINDOW_SIDE),),
    captioned=True,
)
def _worst_window(sample: Sample) -> float:
    return worst_window(sample.pixels, sample.source.pixels)


def resized(images: Float[Tensor, "b c h w"], scale: float) -> Float[Tensor, "b c y x"]:
    """The images at `scale` times their size (bicubic, antialiased)."""
    if scale == 1:
        return images
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images, size, mode="bicubic", antialias=True)


def windows(images: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b y x c p p"]:
    """Every patch of `size` pixels a side, as a view."""
    if min(images.shape[-2:]) < size:
        raise ValueError(f"no {size}x{size} patch fits in {images.shape[-1]}x{images.shape[-2]} pixels")
    return images.unfold(2, size, 1).unfold(3, size, 1).movedim(1, 3)


def _windows_of_both(
    queries: Float[Tensor, "b c h w"], source: Float[Tensor, "k c y x"], patch: int, scale: float
) -> tuple[Float[Tensor, "b _ _ c p p"], Float[Tensor, "k _ _ c p p"]]:
    """Every patch of both images at `scale`. Both are centred on the source: same distances, with less rounding."""
    centre = source.mean(dim=(0, 2, 3), keepdim=True)
    ours, theirs = (windows(resized(image - centre, scale), patch) for image in (queries, source))
    return ours, theirs


def _bands(windows: Float[Tensor, "b y x c p p"]) -> list[Float[Tensor, "b _ x c p p"]]:
    """Views of about KEYS patches each. All patches of a large picture at once would fill the memory."""
    return list(windows.split(max(1, KEYS // (windows.shape[0] * windows.shape[2])), dim=1))


def _flat(band: Float[Tensor, "b _ x c p p"]) -> Float[Tensor, "m d"]:
    return band.reshape(-1, band[0, 0, 0].numel())


def _nearest(queries: Float[Tensor, "n d"], bands: Sequence[Float[Tensor, "b _ x c p p"]]) -> Float[Tensor, " n"]:
    """min_j mean((q_i − k_j)²) over the patches of all bands, one after another."""
    gram = torch.stack([keys.mT @ keys for keys in map(_flat, bands[:: max(1, len(bands) // SAMPLE)])]).sum(0)
    basis = torch.linalg.eigh(gram).eigenvectors[
        :, -COORDINATES:
    ]  # the result is exact with any basis; this one is fast
    counts = [band[..., 0, 0, 0].numel() for band in bands]
    # One allocation: many small ones would fragment the memory.
    sketches = queries.new_empty(sum(counts), basis.shape[1] + 1).split(counts)
    blocks = list(zip(bands, sketches, strict=True))
    for band, sketch in blocks:
        sketch.copy_(_sketch(_flat(band), basis))
    some = zip(queries.split(QUERIES), _sketch(queries, basis).split(QUERIES), strict=True)
    return torch.cat([_search(query, sketch, blocks) for query, sketch in some]) / queries.shape[1]


def _sketch(x: Float[Tensor, "n d"], basis: Float[Tensor, "d r"]) -> Float[Tensor, "n s"]:
    """The coordinates along an orthonormal basis, and the length of the remainder.

    |q − k|² = |Bq − Bk|² + |rest q − rest k|² ≥ |Bq − Bk|² + (|rest q| − |rest k|)². So the distance of two sketches
    is never larger than that of their patches.
    """
    along = x @ basis
    rest = _square_norm(x) - _square_norm(along)
    return torch.cat([along, rest.clamp(min=0).sqrt()[:, None]], dim=1)


def _search(
    queries: Float[Tensor, "n d"], sketch: Float[Tensor, "n r"], blocks: Sequence[tuple[Tensor, Tensor]]
) -> Float[Tensor, " n"]:
    """min_j |q_i − k_j|² over blocks of (a band of keys, their sketch).

    The sketches give a candidate and a lower bound for each block. Only blocks whose bound is below the best
    candidate are then searched in full; they are a few percent. The result is exact.
    """
    nearest = torch.full_like(queries[:, 0], torch.inf)
    slack = ROUNDING * _square_norm(queries)
    bounds = queries.new_empty(len(blocks), len(queries))
    for n, (band, short) in enumerate(blocks):
        bound, candidate = closest(sketch, short)
        nearest = nearest.minimum((queries - _flat(band)[candidate]).square().sum(dim=1))
        bounds[n] = bound - slack
    for (band, _), bound in zip(blocks, bounds, strict=True):
        (left,) = torch.where(bound < nearest)
        if not len(left):
            continue
        keys = _flat(band)
        _, winner = closest(queries[left], keys)
        exact = (queries[left] - keys[winner]).square().sum(dim=1)
        nearest[left] = nearest[left].minimum(exact)
    return nearest


def closest(queries: Float[Tensor, "n d"], keys: Float[Tensor, "m d"]) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """The least |q|² + |k|² − 2 q·k, and the key that has it.

    One matrix product. It loses digits to cancellation near zero, so it serves to find the key, not to measure the
    distance.
    """
    least, key = torch.addmm(_square_norm(keys), queries, keys.mT, alpha=-2).min(dim=1)
    return least + _square_norm(queries), key


def _square_norm(x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    return torch.linalg.vector_norm(x, dim=1).square()
