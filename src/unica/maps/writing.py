"""A drawn picture of several maps as files, one for each map, with numbers as their sources have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unica.image import Map, Picture, parts
from unica.maps.files import encoded
from unica.maps.planes import Planes

_NOTHING = 1e-3  # of half the working range: a change that nobody sees


def copied(pixels: Float[Tensor, "c h w"], source: Picture, origins: Int[Tensor, "h w 2"]) -> Float[Tensor, "c h w"]:
    """The picture, with the very numbers of the source where healing has moved them by next to nothing."""
    rows, columns = origins.long().clamp_min(0).unbind(-1)
    there = source.pixels[:, rows, columns]
    nothing = torch.cat([torch.full((one.planes,), one.amplitude * _NOTHING) for one in source.maps])
    return there.where(((pixels - there).abs() < nothing[:, None, None]) & (origins[..., 0] >= 0), pixels)


def numbers(
    source: Picture, pixels: Float[Tensor, "c h w"], origins: Int[Tensor, "h w 2"] | None
) -> dict[str, np.ndarray]:
    """The numbers of each map, h x w x channels.

    Where a pixel is the very one of the source, floats are the source's; elsewhere they follow from the working range.
    """
    found = {}
    for one, channels in parts(source.maps):
        values = one.decoded(pixels[channels])
        exact = source.exact.get(one.name)
        if exact is not None and origins is not None:
            rows, columns = origins.long().clamp_min(0).unbind(-1)
            same = (pixels[channels] == source.pixels[channels][:, rows, columns]).all(0) & (origins[..., 0] >= 0)
            copied = exact[:, rows, columns].movedim(0, -1).numpy().astype(values.dtype)
            values = np.where(same.numpy()[..., None], copied, values)
        found[one.name] = values
    return found


def is_one_file(maps: Sequence[Map]) -> bool:
    """Whether the maps are channels of one file."""
    places = [one.facts.get("layer") for one in maps]
    alike = len({(one.suffix, one.dtype) for one in maps}) == 1
    if len(maps) < 2 or not alike or not all(isinstance(some, list) and some for some in places):
        return False
    every = [at for some in places for at in some or ()]
    return sorted(every) == list(range(len(every)))


def map_files(
    maps: Sequence[Map],
    values: Mapping[str, np.ndarray],
    alpha: Float[Tensor, "1 h w"] | None,
    text: Mapping[str, str],
    suffix: str,
) -> dict[str, tuple[str, bytes]]:
    """The ending and the data of each file, by the map that gives it its name. `suffix` is that of the first."""
    if is_one_file(maps):
        return {maps[0].name: (suffix, _stack_bytes(maps, values, alpha, text, suffix))}
    endings = [suffix, *(one.suffix for one in maps[1:])]
    alphas = [alpha, *[None] * (len(maps) - 1)]
    return {
        one.name: (ending, _map_bytes(one, values[one.name], seen, text, ending))
        for one, ending, seen in zip(maps, endings, alphas)
    }


def _stack_bytes(
    maps: Sequence[Map], values: Mapping[str, np.ndarray], alpha: Float[Tensor, "1 h w"] | None,
    text: Mapping[str, str], suffix: str,
) -> bytes:  # fmt: skip
    """What the file of which all maps are channels holds."""
    found = [_with_alpha(values[one.name], alpha if one is maps[0] else None) for one in maps]
    places = [at for one in maps for at in one.facts["layer"]]
    names = [name for one in maps for name in one.facts.get("names", ())]
    order = sorted(range(len(places)), key=places.__getitem__)
    told = tuple(names[at] for at in order) if len(names) == len(places) else ()
    return encoded(suffix, Planes(np.concatenate(found, -1)[..., order], told, maps[0].facts), text)


def _with_alpha(values: np.ndarray, alpha: Float[Tensor, "1 h w"] | None) -> np.ndarray:
    """The numbers, and those of transparency behind them."""
    if alpha is None:
        return values
    real = values.dtype.kind == "f"
    share = alpha.movedim(0, -1).numpy() * (1 if real else np.iinfo(values.dtype).max)
    return np.concatenate([values, (share if real else share.round()).astype(values.dtype)], -1)


def _map_bytes(
    one: Map, values: np.ndarray, alpha: Float[Tensor, "1 h w"] | None, text: Mapping[str, str], suffix: str
) -> bytes:
    """What the file of a map holds."""
    values = _with_alpha(values, alpha)
    names = tuple(one.facts.get("names", ()))
    names = names if len(names) == values.shape[2] else ()
    return encoded(suffix, Planes(values, names, one.facts), text)


def working_range(maps: tuple[Map, ...]) -> dict[str, dict[str, list[float]]]:
    """The values at -1 and 1 of each map whose numbers are floats: the affine map of the working range."""
    return {one.name: {"low": list(one.low), "high": list(one.high)} for one in maps if one.real}


def stacked(values: Mapping[str, np.ndarray]) -> Float[Tensor, "c h w"]:
    """The numbers of all maps side by side."""
    return torch.from_numpy(np.concatenate([one.astype(np.float32) for one in values.values()], -1)).movedim(-1, 0)
