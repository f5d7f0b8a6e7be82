"""Guidance by the gradient of a score, which is any differentiable function of a picture.

This is the text guidance of SinDDM (§3.3, supplement E.1) and of SinDiffusion (Eq. 5).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.diffusion import Denoiser, Level, Prediction
from unica.errors import UnicaError
from unica.guides.reference import low_pass
from unica.schedule import Blend

Image = Float[Tensor, "b c h w"]
Score = Callable[[Image], Float[Tensor, " b"]]  # of pictures in [0, 1]; a higher score is better
Step = tuple[str, int, float]  # the part that draws a level, the level's index, and a time


class Scored:
    """Anything guided by a score: it records what the score was at each step."""

    def __init__(self) -> None:
        self.scores: list[Float[Tensor, " b"]] = []  # of x0 at each guided step, before it is changed
        self.mask: Float[Tensor, "b 1 h w"] | None = None  # where the guide acts; None: everywhere, or not known yet


class Ascent(Scored):
    """Moves x0 along the gradient of the score, inside a mask (SinDDM, supplement, Eq. 8 and 9).

    - The first gradient makes the mask: the pixels where it is among the strongest `fill` of its picture. The mask is
      upsampled to the next levels. As in the authors' code, the first gradient is shortened by the length at which the
      mask was cut.
    - A step is `strength` times as long as x0 inside the mask.
    - Inside the mask x0 is `momentum` times the denoiser's estimate, and the rest is from the step before. Otherwise
      the denoiser would undo the guidance.
    - Only the given `steps` are guided.
    - `hold` is for engines that copy the source's patches, which undo the guidance in the other steps. There, after the
      first guided step, what was gained is kept as far as it is larger than `hold` pixels.

    It remembers: make a fresh one for each run.
    """

    def __init__(
        self, score: Score, steps: Collection[Step], fill: float, strength: float, momentum: float,
        hold: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.score, self.steps, self.fill, self.strength, self.momentum = score, steps, fill, strength, momentum
        self.hold = hold
        self._before: Image | None = None

    def __call__(self, x0: Image, t: float, level: Level) -> Image:
        guided = (level.part, level.index, t) in self.steps
        if self.mask is not None and self._before is not None:
            self.mask, self._before = (_fit(x, level.size) for x in (self.mask, self._before))
            if guided:
                x0 = x0.clamp(-1, 1)
                x0 = x0.lerp(self._before, self.mask * (1 - self.momentum))
            elif self.hold is not None:
                gained = (1 - self.momentum) * self.mask * (self._before - x0)
                return (x0 + low_pass(gained, self.hold)).clamp(-1, 1)
        if not guided:
            return x0
        x0 = x0.clamp(-1, 1)
        score, gradient = slope(self.score, x0)
        self.scores.append(score)
        if self.mask is None:
            gradient, self.mask = _strongest(gradient, self.fill)
        self._before = _moved(x0, gradient * self.mask, self.strength, self.mask)
        return self._before


class Held(Scored):
    """Keeps, inside the mask, what is larger than `size` pixels of pictures that were changed before the run.

    Without a size it does nothing but record the scores.
    """

    def __init__(
        self, target: Image, mask: Float[Tensor, "b 1 h w"], scores: list[Float[Tensor, " b"]], size: float | None
    ) -> None:
        super().__init__()
        self.target, self.mask, self.scores, self.size = target, mask, scores, size

    def __call__(self, x0: Image, t: float, level: Level) -> Image:
        if self.size is None or self.mask is None:
            return x0
        return (x0 + low_pass(self.mask * (self.target - x0), self.size)).clamp(-1, 1)


class Steered(Scored):
    """A denoiser whose mean moves by `scale` times the gradient of the score with respect to x_t (SinDiffusion, Eq. 5).

    The gradient goes through the network. The paper's step becomes one for x0 and eps, which suits every update:
    eps - scale * sigma_t * gradient (Dhariwal & Nichol 2021, Alg. 2). Only the given `steps` are guided.
    """

    def __init__(self, denoiser: Denoiser, score: Score, scale: float, steps: Collection[Step]) -> None:
        super().__init__()
        self.denoiser, self.score, self.scale, self.steps = denoiser, score, scale, steps

    def __call__(self, x_t: Image, t: float, level: Level, blend: Blend) -> Prediction:
        if (level.part, level.index, t) not in self.steps:
            return self.denoiser(x_t, t, level, blend)
        with torch.enable_grad():
            x_t = x_t.detach().requires_grad_()
            seen = self.denoiser(x_t, t, level, blend)
            score = self.score(seen.x0.clamp(-1, 1) * 0.5 + 0.5)
            gradient = _checked(torch.autograd.grad(score.sum(), x_t)[0])
        self.scores.append(score.detach())
        alpha, sigma = level.schedule.alpha(t), level.schedule.sigma(t)
        eps = seen.eps.detach() - self.scale * sigma * gradient
        return Prediction(seen.x0.detach() + self.scale * sigma**2 / alpha * gradient, eps)


def climb(score: Score, pictures: Image, steps: int, strength: float) -> tuple[Image, list[Float[Tensor, " b"]]]:
    """Pictures after steps along the gradient, each `strength` times as long as x0, and the score before each step."""
    scores = []
    for _ in range(steps):
        value, gradient = slope(score, pictures)
        scores.append(value)
        pictures = _moved(pictures, gradient, strength, torch.ones_like(pictures[:, :1]))
    return pictures, scores


def slope(score: Score, x0: Image) -> tuple[Float[Tensor, " b"], Image]:
    """The score of pictures in [-1, 1], and its gradient."""
    with torch.enable_grad():
        x0 = x0.detach().requires_grad_()
        value = score(x0 * 0.5 + 0.5)
        return value.detach(), _checked(torch.autograd.grad(value.sum(), x0)[0])


def _checked(gradient: Image) -> Image:
    if not gradient.isfinite().all():
        raise UnicaError("the score's gradient must be finite everywhere, and it is not for this picture")
    return gradient


def _moved(x0: Image, gradient: Image, strength: float, mask: Float[Tensor, "b 1 h w"]) -> Image:
    """x0 after a step that is `strength` times as long as x0 inside the mask (the adaptive delta of Eq. 3)."""
    delta = _norm(x0 * mask) / _norm(gradient).clamp_min(1e-12)
    return (x0 + strength * delta * gradient).clamp(-1, 1)


def _strongest(gradient: Image, fill: float) -> tuple[Image, Float[Tensor, "b 1 h w"]]:
    """The gradient, shortened by the length that a share `fill` of the pixels exceeds, and where it is not zero."""
    length = gradient.norm(dim=1, keepdim=True)
    if (length.flatten(1).amax(1) == 0).any():
        raise UnicaError("the score does not change with the picture, so it cannot guide")
    limit = torch.quantile(length.flatten(1), 1 - fill, dim=1, interpolation="nearest").view(-1, 1, 1, 1)
    most = length.flatten(1).amax(1).view(-1, 1, 1, 1)
    limit = limit * ((limit < most) & (fill < 1))  # no limit if all pixels are wanted, or all are equal
    excess = (length - limit).clamp_min(0)
    return excess * gradient / length.clamp_min(1e-12), (excess > 0).to(gradient)


def _norm(x: Image) -> Float[Tensor, "b 1 1 1"]:
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)


def _fit(x: Image, size: tuple[int, int]) -> Float[Tensor, "b c y x"]:
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear")
