"""The picture that everything is drawn from: an ordinary one, one of many channels, or several maps side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unica.errors import UnicaError, as_path, whole
from unica.image import (
    KINDS,
    SMALLEST,
    Kind,
    Map,
    Picture,
    check_channels,
    codes,
    fitted_size,
    load,
    parts,
    shrink,
    with_amplitudes,
)
from unica.maps.files import WRITTEN, is_ordinary, read_planes
from unica.maps.names import component, in_folder, kind_of, layers, meant_by
from unica.maps.planes import Planes
from unica.masks import filled
from unica.threads import compute

_MOST_LABELS = 64
_LENGTHS = (0.7, 1.3)  # of most vectors of a normal map
_MOST = 0.9  # how many are "most"


@dataclass(frozen=True)
class Maps:
    """Several maps of one thing: a file for each name, the one that is shown first. All have the same size."""

    files: Mapping[str, str | os.PathLike[str]]
    kinds: Mapping[str, Kind] = field(default_factory=dict)  # of those whose name does not say it
    weights: Mapping[str, float] = field(default_factory=dict)  # by name or kind: how much they count when compared
    preview: Sequence[int] | None = None  # three channels of all, from 1, to be shown as red, green and blue

    @classmethod
    def beginning_with(
        cls,
        first: Path,
        more: Mapping[str, Path],
        weights: Mapping[str, float] = {},
        preview: Sequence[int] | None = None,
    ) -> Maps:
        """A file or the maps of a folder, and more of them."""
        files = in_folder(first) if first.is_dir() else {meant_by(first.stem) or "color": first}
        for name in more:
            if name in files:
                raise UnicaError(f"{files[name]} is the map {name} already")
        return cls({**files, **more}, weights=weights, preview=preview)


def load_source(source: Any, max_side: int | None = None, smallest: int = SMALLEST) -> Picture:
    """The picture of a file, of a folder with maps, of a mapping from names to files, or a Pillow image."""
    if isinstance(source, Mapping):
        source = Maps(source)
    if isinstance(source, str | os.PathLike):
        path = as_path("a picture", source, "a file or a Pillow image")
        if path.is_dir():
            source = Maps.beginning_with(path, {})
    if isinstance(source, Maps):
        return _fitted(_joined(source), max_side, smallest)
    if not isinstance(source, str | os.PathLike) or is_ordinary(source):
        return load(source, max_side, smallest)
    return _fitted(_of_channels(as_path("a picture", source)), max_side, smallest)


def load_content(content: Any, like: Picture) -> Picture:
    """Another picture for a source: an ordinary one, or one with the same maps, in the working range of the source."""
    if not like.maps or (like.maps[0].kind == "color" and not _has_maps(content)):
        return load(content)
    found = load_source(content, smallest=1)
    if [(one.kind, one.channels) for one in found.maps] != [(one.kind, one.channels) for one in like.maps]:
        told = ", ".join(f"{one.name} ({one.kind}, {one.channels})" for one in like.maps)
        raise UnicaError(f"{found.name} must be a picture in colours, or have the same maps as the source: {told}")
    planes = []
    for (one, channels), own in zip(parts(found.maps), like.maps):
        values = one.decoded(found.pixels[channels])
        if own.labels and not {*np.unique(codes(values)).tolist()} <= {*own.labels}:
            raise UnicaError(f"the map {own.name} of {found.name} has labels that the source does not have")
        planes.append(own.encoded(values).clamp(-own.amplitude, own.amplitude))
    return replace(found, pixels=torch.cat(planes), maps=like.maps, exact={}, unknown=None)


def _has_maps(content: Any) -> bool:
    """Whether something that can be opened is more than an ordinary picture."""
    if isinstance(content, str | os.PathLike):
        return os.path.isdir(content) or not is_ordinary(content)
    return isinstance(content, Mapping | Maps)


def _of_channels(path: Path) -> Picture:
    """The picture of one file with any number of channels: of several maps, if the names of its channels say that."""
    compute()
    planes = read_planes(path)
    found = layers(planes.names)
    several = {"color": planes}
    if len(found) > 1:
        several = {name: planes.layer(channels) for name, channels in found.items()}
    parts = [_Part.of_file(name, path, some, None) for name, some in several.items()]
    return _picture(parts, {}, path.stem, _sha256(path))


def _joined(maps: Maps) -> Picture:
    """One picture with the channels of all maps."""
    compute()
    files = {name: as_path(f"the map {name}", path) for name, path in maps.files.items()}
    if not files:
        raise UnicaError("no maps were given")
    found = [_Part.read(name, path, maps.kinds.get(name)) for name, path in files.items()]
    first = found[0]
    for one in found[1:]:
        if one.size != first.size:
            raise UnicaError(
                f"{files[one.map.name]} has {one.size[1]}x{one.size[0]} pixels, and {files[first.map.name]} has"
                f" {first.size[1]}x{first.size[0]}: all maps must have the same size"
            )
    digest = sha256("".join(f"{name} {_sha256(path)}\n" for name, path in files.items()).encode()).hexdigest()
    return _picture(found, maps.weights, next(iter(files.values())).stem, digest, maps.preview)


@dataclass(frozen=True)
class _Part:
    """One map of a picture that is being made."""

    map: Map
    planes: Float[Tensor, "n h w"]  # as if its amplitude were 1
    alpha: Float[Tensor, "1 h w"] | None = None
    exact: Float[Tensor, "n h w"] | None = None
    known: Bool[Tensor, "1 h w"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.planes.shape[-2], self.planes.shape[-1]

    @classmethod
    def read(cls, name: str, path: Path, kind: Kind | None) -> _Part:
        if is_ordinary(path) and (kind or kind_of(name, 3)) == "color":
            return cls._of_picture(name, load(path))
        return cls.of_file(name, path, read_planes(path), kind)

    @classmethod
    def of_file(cls, name: str, path: Path, planes: Planes, kind: Kind | None) -> _Part:
        """The map of a file's numbers, or of some of them."""
        suffix = path.suffix.lower() if path.suffix.lower() in WRITTEN else ".png"
        try:
            return cls._of_planes(name, kind or _kind(name, planes), planes, suffix)
        except UnicaError as error:
            raise UnicaError(f"{path} {error}") from None

    @classmethod
    def _of_picture(cls, name: str, picture: Picture) -> _Part:
        """An ordinary picture as a map."""
        top, channels = 2**picture.bits - 1, len(picture.pixels)
        made = Map(name, "color", f"uint{picture.bits}", (0.0,) * channels, (float(top),) * channels)
        return cls(made, made.encoded(made.decoded(picture.pixels)), picture.alpha)

    @classmethod
    def _of_planes(cls, name: str, kind: Kind, planes: Planes, suffix: str) -> _Part:
        values, facts = planes.values, {**planes.facts, **({"names": list(planes.names)} if planes.names else {})}
        alpha = None
        if kind in ("color", "normal") and values.shape[2] in (2, 4):
            values, alpha = _without_alpha(planes, kind)
        known = _known(values)
        if not known.any():
            raise UnicaError("has no numbers at all.")
        for channel in range(values.shape[2]):
            if not np.isfinite(values[..., channel]).any():
                raise UnicaError(f"has no numbers in its channel {channel + 1}.")
        if kind == "labels":
            made = _labels(name, values, suffix, facts)
        else:
            if kind == "normal":
                values = _vectors(values)
            low, high = _ends(kind, values, known)
            made = Map(name, kind, values.dtype.name, low, high, suffix=suffix, facts=facts)
        complete = bool(known.all())
        encoded = made.encoded(values if complete else np.where(known[..., None], values, 0))
        mask = torch.from_numpy(known)[None]
        exact = torch.from_numpy(np.moveaxis(values, -1, 0).astype(np.float32)) if made.real else None
        return cls(made, encoded if complete else filled(encoded, mask), alpha, exact, None if complete else mask)


def _picture(
    found: list[_Part], weights: Mapping[str, float], name: str, digest: str, shown: Sequence[int] | None = None
) -> Picture:
    for one in weights:
        if one not in (*KINDS, *(part.map.name for part in found)):
            raise UnicaError(
                f"there is no map {one} to give a weight: there are {', '.join(p.map.name for p in found)}"
            )
    maps = with_amplitudes([one.map for one in found], weights)
    check_channels(maps)
    if shown is not None:
        for channel in shown:
            whole("preview", channel, 1, sum(made.planes for made in maps))
        if len(shown) not in (1, 3):
            raise UnicaError(f"preview names one channel or three, as 4,2,1, not {len(shown)}")
    pixels = torch.cat([one.planes * made.amplitude for one, made in zip(found, maps)])
    known = [one.known for one in found if one.known is not None]
    if known and not torch.stack(known).all(0).any():
        raise UnicaError(f"no pixel of {name} has numbers in all maps")
    height, width = pixels.shape[1:]
    return Picture(
        pixels, found[0].alpha, 8 if all(made.dtype == "uint8" for made in maps) else 16, digest, name, (width, height),
        maps, {one.map.name: one.exact for one in found if one.exact is not None},
        ~torch.stack(known).all(0) if known else None, None if shown is None else tuple(shown),
    )  # fmt: skip


def picture_of_numbers(
    maps: Sequence[Map], values: Mapping[str, Tensor], alpha: Tensor | None, **about: Any
) -> Picture:
    """The picture of these maps with these numbers, n x h x w each."""
    planes, exact, known = [], {}, torch.ones(1, *next(iter(values.values())).shape[1:], dtype=torch.bool)
    for one in maps:
        if one.real:
            exact[one.name] = values[one.name].float()
            known &= exact[one.name].isfinite().all(0, keepdim=True)
        planes.append(one.encoded(values[one.name].nan_to_num(0, 0, 0).movedim(0, -1).numpy()))
    pixels, whole = torch.cat(planes).clamp(-1, 1), bool(known.all())
    if not known.any():
        raise UnicaError("its maps have no numbers")
    return Picture(
        pixels if whole else filled(pixels, known), alpha, maps=tuple(maps), exact=exact,
        unknown=None if whole else ~known, **about,
    )  # fmt: skip


def _fitted(picture: Picture, max_side: int | None, smallest: int) -> Picture:
    """The picture, shrunk until no side is longer."""
    width, height = fitted_size(picture.size, max_side)
    if min(width, height) < smallest:
        raise UnicaError(f"{picture.name} is {width}x{height} pixels, and the shorter side needs at least {smallest}")
    return shrink(picture, (height, width))


def _kind(name: str, planes: Planes) -> Kind:
    """The kind of a map, by its name and its channels. Of a file alone, only red, green and blue are colours."""
    channels = planes.values.shape[2]
    found = kind_of(name, channels)
    if found == "color":
        names = tuple(map(component, planes.names[: min(channels, 3)]))
        unnamed = not names and channels in (1, 3)
        coloured = planes.facts.get("colour") or names in (("R", "G", "B"), ("Y",)) or unnamed
        return "color" if coloured else "scalar"
    return found


def _without_alpha(planes: Planes, kind: Kind) -> tuple[np.ndarray, Tensor | None]:
    """Colours, and their transparency where the last channel is that."""
    values, last = planes.values[..., :-1], planes.values[..., -1:]
    if kind == "normal":
        if not (last == last.max()).all():
            raise UnicaError("is no normal map: it is transparent.")
        return values, None
    top = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    alpha = torch.from_numpy((last.astype(np.float32) / top).clip(0, 1)).movedim(-1, 0).contiguous()
    return values, alpha


def _labels(name: str, values: np.ndarray, suffix: str, facts: Mapping[str, Any]) -> Map:
    if values.dtype.kind == "f" and not (values == values.round()).all():
        raise UnicaError("is no map of labels: it has fractions.")
    if values.shape[2] not in (1, 3):
        raise UnicaError(f"is no map of labels: it has {values.shape[2]} channels.")
    found = np.unique(codes(values))
    if len(found) > _MOST_LABELS:
        raise UnicaError(
            f"has {len(found):,} different labels, and at most {_MOST_LABELS} are possible: give things of one kind"
            " the same label, and save it without losses."
        )
    if len(found) < 2:
        raise UnicaError("has one label everywhere, so there is nothing to learn from.")
    channels = values.shape[2]
    none = (0.0,) * channels
    return Map(name, "labels", values.dtype.name, none, none, tuple(map(int, found)), suffix=suffix, facts=facts)


def _vectors(values: np.ndarray) -> np.ndarray:
    if values.shape[2] != 3:
        raise UnicaError(f"is no normal map: it has {values.shape[2]} channels and not 3.")
    low, high = _ends("normal", values, _known(values))
    middle, half = (np.array(high) + low) / 2, (np.array(high) - low) / 2
    length = np.linalg.norm((values.astype(np.float32) - middle) / half, axis=-1)
    close = ((length > _LENGTHS[0]) & (length < _LENGTHS[1])).mean()
    if close < _MOST:
        raise UnicaError(
            f"is no normal map: only {close:.0%} of its vectors have a length near 1. If its numbers mean something"
            " else, give the map another name."
        )
    return values


def _ends(kind: Kind, values: np.ndarray, known: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values at the ends of the working range."""
    channels = values.shape[2]
    if kind == "normal":
        whole = values.dtype.kind != "f"
        low = 0.0 if whole or values[known].min() > -0.01 else -1.0
        return (low,) * 3, (float(np.iinfo(values.dtype).max) if whole else 1.0,) * 3
    if kind == "color" and values.dtype.kind != "f":
        return (0.0,) * channels, (float(np.iinfo(values.dtype).max),) * channels
    flat = values[known]
    low, high = flat.min(0).astype(float), flat.max(0).astype(float)
    if kind == "color":  # the channels of a colour keep their proportions
        low, high = np.full(channels, low.min()), np.full(channels, high.max())
    high = np.where(high > low, high, low + 1)
    return tuple(low.tolist()), tuple(high.tolist())


def _known(values: np.ndarray) -> np.ndarray:
    """Where there are numbers, h x w."""
    return np.asarray(np.isfinite(values).all(-1))


def _sha256(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {error.strerror or error}.") from None
