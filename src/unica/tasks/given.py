"""Pictures of which a part stays as it is: pixel for pixel, whatever a model draws around it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from unica.errors import UnicaError
from unica.guides import Known
from unica.image import Picture
from unica.model import Model
from unica.regions import Mask, feathered


@dataclass(frozen=True)
class Given:
    """On the CPU, as finished pictures are."""

    pixels: Float[Tensor, "c h w"]
    alpha: Float[Tensor, "1 h w"] | None
    share: Float[Tensor, "1 h w"]  # of what is drawn: 0 where the picture stays, 1 where it goes
    origins: Int[Tensor, "h w 2"]  # in the source; -1 where only a comparison would tell

    @property
    def complete(self) -> bool:
        """Nothing of it is to be drawn."""
        return not bool(self.share.any())

    @property
    def free(self) -> bool:
        """All of it is to be drawn."""
        return bool((self.share > 0).all())

    def around(self, drawn: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
        """The drawn part, with what is given around it."""
        return _around(drawn, self.pixels, self.share)

    def alpha_around(self, drawn: Float[Tensor, "1 h w"] | None) -> Float[Tensor, "1 h w"] | None:
        if self.alpha is None:
            return drawn
        return _around(torch.ones_like(self.alpha) if drawn is None else drawn.cpu(), self.alpha, self.share)

    def origins_around(self, drawn: Int[Tensor, "h w 2"]) -> Int[Tensor, "h w 2"]:
        new = (self.share.movedim(0, -1) >= 0.5) | (self.origins < 0)
        return drawn.cpu().int().where(new, self.origins)

    def canvas(self, channels: int) -> Float[Tensor, "1 n h w"]:
        """As a model draws it, of which transparency may be a channel."""
        if self.alpha is None or channels == len(self.pixels):
            return self.pixels[None]
        return torch.cat([self.pixels * (self.alpha > 0), self.alpha * 2 - 1])[None]

    def known(self, model: Model) -> Known:
        """What a run may rely on: what stays as it is, and can be seen."""
        free = self.share > 0
        if self.alpha is not None and model.channels == len(self.pixels):
            free = free | (self.alpha == 0)
        return Known(self.canvas(model.channels).to(model.device), free[None].float().to(model.device))

    def extended(self, left: int, right: int, up: int, down: int, feather: int = 0) -> Given:
        """With so many pixels more on each side, which are to be drawn."""
        margins = (left, right, up, down)
        new = F.pad(torch.zeros_like(self.share), margins, value=1.0) > 0
        return Given(
            F.pad(self.pixels, margins),
            None if self.alpha is None else F.pad(self.alpha, margins),
            feathered(new, feather),
            F.pad(self.origins, (0, 0, *margins), value=-1),
        )

    def part(self, rows: slice, columns: slice) -> Given:
        return Given(
            self.pixels[:, rows, columns],
            None if self.alpha is None else self.alpha[:, rows, columns],
            self.share[:, rows, columns],
            self.origins[rows, columns],
        )


def given(picture: Picture, free: Mask | None = None, feather: int = 0) -> Given:
    """The source, of which `free` is to be drawn; nothing by default."""
    pixels, height, width = picture.pixels, *picture.pixels.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    free = torch.zeros(1, height, width, dtype=torch.bool) if free is None else free
    return Given(pixels, picture.alpha, feathered(free, feather), torch.stack([rows, columns], -1).int())


def foreign(picture: Picture, model: Model, free: Mask | None = None, feather: int = 0) -> Given:
    """Not the source, but with as many channels: a picture of which `free` is to be drawn; all by default."""
    pixels, (width, height) = picture.pixels, picture.size
    channels = len(model.picture.pixels)
    if len(pixels) != channels:
        pixels = pixels.mean(0, keepdim=True) if channels == 1 else pixels.expand(channels, -1, -1)
    alpha = picture.alpha
    if alpha is None and model.picture.alpha is not None:
        alpha = torch.ones(1, height, width)
    made = drawn_on(pixels, alpha, free=True)
    return made if free is None else replace(made, share=feathered(free, feather))


def drawn_on(pixels: Float[Tensor, "c h w"], alpha: Float[Tensor, "1 h w"] | None, free: bool = False) -> Given:
    """A picture that came from somewhere, all of which is finished, or `free` to be drawn."""
    share = torch.full_like(pixels[:1], float(free))
    return Given(pixels, alpha, share, torch.full((*pixels.shape[1:], 2), -1, dtype=torch.int32))


def pasted(whole: Given, part: Given, rows: slice, columns: slice) -> Given:
    """The whole with a part of it anew; both are finished, and so is what comes of them."""

    def paste(of: Tensor, this: Tensor) -> Tensor:
        of = of.clone()
        of[:, rows, columns] = this
        return of

    alpha = None if whole.alpha is None or part.alpha is None else paste(whole.alpha, part.alpha)
    origins = paste(whole.origins.movedim(-1, 0), part.origins.movedim(-1, 0)).movedim(0, -1)
    return Given(paste(whole.pixels, part.pixels), alpha, torch.zeros_like(whole.share), origins)


def check_feather(pixels: int, word: str = "feather") -> None:
    if not 0 <= pixels <= 256:
        raise UnicaError(f"{word} must lie between 0 and 256 pixels, not {pixels}")


def _around(drawn: Float[Tensor, "n h w"], given: Float[Tensor, "n h w"], share: Tensor) -> Float[Tensor, "n h w"]:
    return given.lerp(drawn, share).where(share > 0, given)
