"""What the channels of a picture mean, if it is not an ordinary picture: maps of several kinds, side by side.

A map is a file's numbers, in a part of the picture's channels. There, they lie in a *working range*: -1 stands for the
lowest value and 1 for the highest, times the map's amplitude. That decides how much a map counts when patches are
compared, beside the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unica.errors import UnicaError, listed

Kind = Literal["color", "normal", "scalar", "labels"]
KINDS: tuple[Kind, ...] = ("color", "normal", "scalar", "labels")
MOST_CHANNELS = 64  # of all maps of a picture together
WEIGHTS: dict[Kind, float] = {"color": 1.0, "normal": 0.5, "scalar": 0.5, "labels": 0.5}  # by kind, beside each other
_COLOUR = 3.0  # the squared weights of all channels together are at most those of a colour picture
_ROUNDED = 1e-6  # lengths that differ by less are the same
_ON_LEVEL = 0.02  # how near to a level of its file, in levels, a number is that level
_SHORT = 1e-3  # vectors are not shorter than this, so that they have a direction


@dataclass(frozen=True)
class Map:
    """What a file's numbers are, and where they lie in the working range."""

    name: str
    kind: Kind
    dtype: str  # of the file's numbers, as NumPy calls it
    low: tuple[float, ...]  # for each channel of the file, the value at the lower end of the working range
    high: tuple[float, ...]  # at the upper end
    labels: tuple[int, ...] = ()  # all values there are, if it is of labels
    amplitude: float = 1.0
    suffix: str = ".png"  # of the file
    facts: Mapping[str, Any] = field(default_factory=dict)  # what else the file says, to be written again

    @property
    def channels(self) -> int:
        """Of the file."""
        return len(self.low)

    @property
    def planes(self) -> int:
        """Channels of the picture: labels have one for each label, -1 or 1."""
        return len(self.labels) or self.channels

    @property
    def real(self) -> bool:
        """Whether its numbers are no whole numbers."""
        return self.dtype.startswith("float")

    def encoded(self, values: np.ndarray) -> Float[Tensor, "n h w"]:
        """The numbers of a file, h x w x channels, in the working range."""
        if self.kind == "labels":
            flat = torch.from_numpy(codes(values))
            return torch.stack([(flat == label).float() * 2 - 1 for label in self.labels]) * self.amplitude
        low, high = (np.array(ends, np.float64) for ends in (self.low, self.high))
        shares = (values.astype(np.float64) - low) / np.maximum(high - low, np.finfo(np.float64).tiny)
        return torch.from_numpy((shares * 2 - 1).astype(np.float32)).movedim(-1, 0).contiguous() * self.amplitude

    def decoded(self, planes: Float[Tensor, "n h w"]) -> np.ndarray:
        """The numbers that a file would have, h x w x channels. What lies beyond the working range is cut off."""
        if self.kind == "labels":
            flat = np.array(self.labels, np.int64)[planes.argmax(0).numpy()]
            return uncoded(flat, self.channels).astype(self.dtype)
        low, high = (np.array(ends, np.float64) for ends in (self.low, self.high))
        shares = (planes.movedim(0, -1).double().numpy() / self.amplitude + 1) / 2
        values = low + shares.clip(0, 1) * (high - low)
        return (values if self.real else values.round()).astype(self.dtype)


def codes(values: np.ndarray) -> np.ndarray:
    """Labels as one whole number each: colours of several channels are one number, too."""
    flat = values[..., 0].astype(np.int64)
    for channel in range(1, values.shape[-1]):
        flat = flat * 65536 + values[..., channel]
    return flat


def uncoded(flat: np.ndarray, channels: int) -> np.ndarray:
    """The labels' values, h x w x channels."""
    if channels == 1:
        return flat[..., None]
    return np.stack([flat >> 16 * (channels - 1 - channel) & 65535 for channel in range(channels)], -1)


def with_amplitudes(maps: Sequence[Map], weights: Mapping[str, float] = {}) -> tuple[Map, ...]:
    """The maps with amplitudes in proportion to their weights: given by name or by kind, or the usual ones.

    All together are made smaller, so that many channels do not count more than three colours.
    """
    own = [weights.get(one.name, weights.get(one.kind, WEIGHTS[one.kind])) for one in maps]
    total = sum(weight**2 * one.planes for weight, one in zip(own, maps))
    loud = min(1.0, math.sqrt(_COLOUR / total)) if total else 1.0
    return tuple(replace(one, amplitude=max(weight, 0.02) * loud) for weight, one in zip(own, maps))


def parts(maps: Sequence[Map]) -> list[tuple[Map, slice]]:
    """Each map, and its channels of the picture."""
    found, first = [], 0
    for one in maps:
        found.append((one, slice(first, first + one.planes)))
        first += one.planes
    return found


def settled(pixels: Float[Tensor, "c h w"], maps: Sequence[Map]) -> Float[Tensor, "c h w"]:
    """A drawn picture, as its kinds of maps can be: vectors of length 1, each pixel of one label."""
    if all(one.kind in ("color", "scalar") for one in maps):
        return pixels
    pixels = pixels.clone()
    for one, channels in parts(maps):
        if one.kind == "normal":
            pixels[channels] = _unit(pixels[channels], one)
        elif one.kind == "labels":
            most = pixels[channels].argmax(0, keepdim=True)
            pixels[channels] = torch.full_like(pixels[channels], -one.amplitude).scatter(0, most, one.amplitude)
    return pixels


def _unit(planes: Float[Tensor, "3 h w"], one: Map) -> Float[Tensor, "3 h w"]:
    """Vectors of length 1. Those of a file's levels stay, if they are as long as rounding lets them be."""
    shares = planes / one.amplitude
    length = shares.norm(dim=0, keepdim=True)
    if one.real:
        stays = (length - 1).abs() <= _ROUNDED
    else:
        step = 2 / (one.high[0] - one.low[0])
        levels = (shares + 1) / step
        on_levels = ((levels - levels.round()).abs() < _ON_LEVEL).all(0, keepdim=True)
        stays = on_levels & ((length - 1).abs() <= math.sqrt(3) * step / 2 + _ROUNDED)
    return torch.where(stays, planes, planes / length.clamp_min(_SHORT))


def smooth(maps: Sequence[Map]) -> Bool[Tensor, " c"]:
    """Which channels may take values between those of the source: all but labels."""
    return torch.tensor([one.kind != "labels" for one, _ in parts(maps) for _ in range(one.planes)])


def signs(maps: Sequence[Map], axis: Literal["x", "y"]) -> Float[Tensor, " c"]:
    """What channels are multiplied by where a picture is mirrored: vectors turn."""
    turned = "xy".index(axis)
    return torch.tensor(
        [-1.0 if one.kind == "normal" and at == turned else 1.0 for one in maps for at in range(one.planes)]
    )


def check_channels(maps: Sequence[Map]) -> None:
    """Refuse maps that are too many together."""
    count = sum(one.planes for one in maps)
    if count > MOST_CHANNELS:
        raise UnicaError(
            f"{listed([one.name for one in maps])} have {count} channels together (a label counts as one), and at most"
            f" {MOST_CHANNELS} are possible"
        )


def preview(
    pixels: Float[Tensor, "c h w"], maps: Sequence[Map], channels: Sequence[int] | None = None
) -> Float[Tensor, "n h w"]:
    """What is shown of a picture, in [-1, 1]: one channel or three.

    That is the first map: three of its channels, or one. `channels` names others of the picture's, from 1.
    """
    if not maps:
        return pixels
    if channels is not None:
        loud = torch.cat([torch.full((one.planes,), one.amplitude) for one in maps]).to(pixels)
        at = torch.tensor([channel - 1 for channel in channels], device=pixels.device)
        return (pixels[at] / loud[at, None, None]).clamp(-1, 1)
    first = maps[0]
    planes = pixels[: first.planes] / first.amplitude
    if first.kind == "labels":
        return planes.argmax(0, keepdim=True) / (len(first.labels) - 1) * 2 - 1
    return planes[: 3 if len(planes) >= 3 else 1].clamp(-1, 1)
