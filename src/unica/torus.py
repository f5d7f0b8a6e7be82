"""Canvases whose opposite edges meet, along x, y or both: a torus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jaxtyping import Shaped
    from torch import Tensor

Axes = Literal["", "x", "y", "xy"]


def wrap_pad(x: Shaped[Tensor, "*b h w"], left: int, right: int, top: int, bottom: int) -> Shaped[Tensor, "*b H W"]:
    """Circular padding, which may be wider than the picture."""
    if not any((left, right, top, bottom)):
        return x
    import torch  # here, since declarations of tasks import this module for the type alone

    rows = torch.arange(-top, x.shape[-2] + bottom, device=x.device) % x.shape[-2]
    columns = torch.arange(-left, x.shape[-1] + right, device=x.device) % x.shape[-1]
    return x[..., rows, :][..., columns]
