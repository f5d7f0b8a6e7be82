"""Following a given picture: keep a part of it as it is, or follow its low frequencies (SinDiffusion, Eq. 6 and 7).

The paper replaces parts of x_{t-1} by the noised reference. Here x0 is replaced instead, and the update derives the
noise from the new x0. The result is the same, and the noise stays the chain's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from unica.diffusion import Kept, Level
from unica.image import resize

Image = Float[Tensor, "b c h w"]


def kept_at(picture: Float[Tensor, "1 c h w"], new: Float[Tensor, "1 1 h w"], size: tuple[int, int]) -> Kept:
    """What is kept of a canvas, at the (height, width) of a level.

    `new` is 0 where the picture stays and above 0 where it is drawn. A pixel of a coarser level is kept only if all of
    it stays.
    """
    stays = (new <= 0).to(picture)
    kept, share = (_shrunk(x, size) for x in (picture * stays, stays))
    return Kept((kept / share.clamp_min(1e-6)).clamp(-1, 1), share >= 1 - 1e-4)


class LowPass:
    """Replaces the low frequencies of x0 by the picture's (Eq. 7). `size` is the filter's, in pixels.

    It acts in the first `share` of all steps of the run's `levels`; the other steps turn it into detail. The filter's
    size is that on the finest level; coarser levels use a proportionally smaller one.
    """

    def __init__(self, picture: Image, levels: Sequence[Level], size: float = 8, share: float = 0.8) -> None:
        self.picture, self.size, self.finest = picture, size, levels[-1].size
        times = [(level.part, level.index, t) for level in levels for t in level.times[:-1]]
        self.guided = set(times[: round(share * len(times))])

    def __call__(self, x0: Image, t: float, level: Level) -> Image:
        if (level.part, level.index, t) not in self.guided:
            return x0
        height, width = level.size
        size = self.size * (height * width / (self.finest[0] * self.finest[1])) ** 0.5
        picture = resize(self.picture, level.size, "bicubic").to(x0)
        return x0 + low_pass(picture - x0, max(size, 1.0))


def low_pass(x: Image, size: float) -> Image:
    """x shrunk by the factor `size` and enlarged again: a linear filter (Choi et al. 2021)."""
    height, width = x.shape[-2:]
    small = (max(round(height / size), 1), max(round(width / size), 1))
    if small == (height, width):
        return x
    return resize(resize(x, small, "bicubic"), (height, width), "bicubic")


def _shrunk(x: Image, size: tuple[int, int]) -> Float[Tensor, "b c y x"]:
    return interpolate(x, size, mode="area") if x.shape[-2:] != size else x
