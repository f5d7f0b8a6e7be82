"""Large pictures of which little changes: only a part around it is worked on, and the rest stays as it is.

An engine shrinks pictures that are larger than its `max_side`. A task that changes only what is marked can do without:
it works on a part of the picture at full size, and the result has the size of the whole picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from unica.declare import parameters
from unica.engines.base import MAX_SIDE
from unica.jobs.models import has_maps, is_model
from unica.regions import Region
from unica.tasks import Task

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from unica.image import Picture

_AROUND = 1.5  # sides of the part, at least, as multiples of what is marked


@dataclass(frozen=True)
class Closeup:
    """A part of a picture, and the values of a task that works on it instead of the whole."""

    name: str  # the option whose file it is a part of
    whole: Picture
    rows: slice
    columns: slice
    values: dict[str, Any]
    region: Region  # what is marked of the part, at full size
    folder: TemporaryDirectory[str]  # has the part as a file, as long as this is there

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the part, before an engine may shrink it."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def put_back(
        self,
        pixels: Float[Tensor, "c h w"],
        alpha: Float[Tensor, "1 h w"] | None,
        new: Float[Tensor, "1 h w"],
    ) -> tuple[Float[Tensor, "c h2 w2"], Float[Tensor, "1 h2 w2"] | None]:
        """The whole picture, with what is new of the part in it. Everything else is the same in all bits."""
        from unica.image import resize

        share = resize(new[None], self.size, "bilinear")[0]
        if new.shape[1:] != self.size:  # the engine has shrunk the part, and its pixels reach over the border
            share = share * self._marked(self.size[0] / new.shape[1])

        def put(whole: Tensor, part: Tensor) -> Tensor:
            whole = whole.clone()
            before = whole[:, self.rows, self.columns]
            drawn = resize(part[None].cpu(), self.size, "bicubic")[0].clamp(-1, 1)
            whole[:, self.rows, self.columns] = before.lerp(drawn, share).where(share > 0, before)
            return whole

        below = self.whole.alpha
        return put(self.whole.pixels, pixels), None if below is None or alpha is None else put(below, alpha)

    def _marked(self, ratio: float) -> Bool[Tensor, "1 h w"]:
        """What may change at full size; an engine's pixel is `ratio` of those."""
        from unica.masks import feathered

        alpha = None if self.whole.alpha is None else self.whole.alpha[:, self.rows, self.columns]
        pixels = self.whole.pixels[:, self.rows, self.columns]
        part = replace(self.whole, pixels=pixels, alpha=alpha, original_size=self.size[::-1])
        marked = self.region.on(part, self.values.get("dilate", 0))
        return feathered(marked, round(ratio * self.values.get("feather", 0))) > 0

    def origins(self, origins: Int[Tensor, "h w 2"]) -> Int[Tensor, "h2 w2 2"]:
        """Where the pixels of the whole come from, by where those of the part come from."""
        import torch

        height, width = self.whole.pixels.shape[1:]
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        found = torch.stack([rows, columns], -1).int()
        part = found[self.rows, self.columns]
        steps = torch.tensor([part.shape[0] / origins.shape[0], part.shape[1] / origins.shape[1]])
        there = (part - part[0, 0]) / steps
        picked = origins.cpu()[there[..., 0].long(), there[..., 1].long()]
        found[self.rows, self.columns] = (picked * steps).int() + part[0, 0]
        return found


def closeup(task: Task, values: Mapping[str, Any]) -> Closeup | None:
    """The part of a large picture that a task works on; None where it works on the whole."""
    from unica.image import load, picture_bytes, png_bytes, read_header
    from unica.maps import is_ordinary

    name = None if task.local is None else task.local(values)
    if name is None or (name == "path" and is_model(values["path"])):
        return None
    if (name == "path" and has_maps(values)) or not is_ordinary(values[name]):
        return None  # it has several maps, or many channels
    if max(read_header(values[name]).size) <= _limit(values):
        return None
    whole = load(values[name])
    region = Region(**{field.name: values[field.name] for field in parameters(Region)})
    meant = region.on(whole)[0]
    rows, columns = (_window(meant.any(dim), _limit(values)) for dim in (1, 0))
    alpha = None if whole.alpha is None else whole.alpha[:, rows, columns]
    folder = TemporaryDirectory(prefix="unica-")
    part = Path(folder.name) / f"{whole.name}.png"
    part.write_bytes(picture_bytes(whole.pixels[:, rows, columns], alpha, whole.bits))
    inside = region.within(whole, columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    marked = {field.name: getattr(inside, field.name) for field in parameters(Region)}
    if inside.mask is not None:
        marked["mask"] = Path(folder.name) / "mask.png"
        marked["mask"].write_bytes(png_bytes(cast(Any, inside.mask)))
    return Closeup(name, whole, rows, columns, {**values, **marked, name: part}, inside, folder)


def _limit(values: Mapping[str, Any]) -> int:
    return values.get("max_side") or MAX_SIDE


def _window(marked: Any, limit: int) -> slice:
    """The rows (or columns) to work on: those around what is marked, at least `limit` of them if there are so many."""
    places = marked.nonzero()[:, 0]
    first, last = int(places[0]), int(places[-1]) + 1
    length = min(max(limit, round(_AROUND * (last - first))), len(marked))
    start = min(max((first + last - length) // 2, 0), len(marked) - length)
    return slice(start, start + length)
