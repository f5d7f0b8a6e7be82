"""How relevant each part of a picture is to a score: what lets words choose which parts of a source are used."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unica.guides.score import Score

_SHARES = (0.5, 0.3)  # sides of the windows, as fractions of the picture's
_OVERLAP = 0.5  # of neighbouring windows


def relevance(score: Score, picture: Float[Tensor, "c h w"], shares: Sequence[float] = _SHARES) -> Float[Tensor, "h w"]:
    """The score of what is around each pixel, with mean 0 and standard deviation 1.

    The score sees windows of the picture at several sizes. A pixel gets the weighted mean of the windows that contain
    it; windows with their middle near it weigh more. Each size counts the same.
    """
    height, width = picture.shape[-2:]
    total = torch.zeros(height, width, device=picture.device)
    for share in shares:
        size = max(round(height * share), 1), max(round(width * share), 1)
        window = torch.outer(*(torch.hann_window(side + 2, device=picture.device)[1:-1] for side in size))
        values, weights = torch.zeros_like(total), torch.full_like(total, 1e-6)
        found = []
        for rows in _places(height, size[0]):
            for columns in _places(width, size[1]):
                with torch.no_grad():
                    value = score(picture[None, :, rows, columns] * 0.5 + 0.5)[0]
                found.append(value)
                values[rows, columns] += value * window
                weights[rows, columns] += window
        mean, std = torch.stack(found).mean(), torch.stack(found).std().clamp_min(1e-6)
        total += (values / weights - mean) / std
    return (total - total.mean()) / total.std().clamp_min(1e-6)


def _places(length: int, side: int) -> list[slice]:
    """Windows of a side that cover a length evenly."""
    count = max(round((length - side) / (side * _OVERLAP)) + 1, 1)
    starts = [round((length - side) * n / max(count - 1, 1)) for n in range(count)]
    return [slice(start, start + side) for start in starts]
