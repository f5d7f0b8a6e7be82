"""What a trained model is besides its weights and its source: sizes, noise, and how the network's output is read.

The forward process, the levels of a run and the training batches follow from it. Each engine has its own kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from unica.diffusion import Axes, Level
from unica.errors import UnicaError
from unica.networks import NetworkConfig
from unica.pyramid import Size
from unica.schedule import Discrete, no_blur

Output = Literal["eps", "residual"]


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """`starts` has an entry for each level: the time that its chain begins at, the coarsest's being T."""

    network: NetworkConfig
    sizes: tuple[Size, ...]
    starts: tuple[int, ...]
    chain: int = 100  # T
    output: Output = "eps"
    spread: float = 1.0  # standard deviation of the source's pixels

    engine: ClassVar[str]
    words: ClassVar[tuple[str, ...]]  # what a user can say about drawing; fields, but for `start_steps`

    @property
    @abstractmethod
    def schedule(self) -> Discrete: ...

    @abstractmethod
    def levels(self, sizes: Sequence[Size], wrap: Axes = "") -> list[Level]:
        """What draws on a canvas that has these sizes."""

    @property
    def blurred(self) -> bool:
        """Whether training mixes in the blur of the coarser level."""
        return False

    def gamma(self, index: int) -> Callable[[float], float]:
        return no_blur

    @property
    def settings(self) -> dict[str, Any]:
        """The present value of each word."""
        starts = ",".join(map(str, self.starts[1:]))
        return {word: starts if word == "start_steps" else getattr(self, word) for word in self.words}

    def tuned(self, **words: Any) -> Recipe:
        """The recipe with what a user said about drawing. Start steps are of all levels above the coarsest."""
        for word in words:
            if word not in self.words:
                known = " and ".join(self.words).replace("_", "-")
                raise UnicaError(f"{word.replace('_', '-')} is not for models of the {self.engine} engine; {known} are")
        if "start_steps" in words:
            words["starts"] = (self.chain, *self._checked(words.pop("start_steps")))
        return replace(self, **words)

    def _checked(self, starts: Sequence[int]) -> Sequence[int]:
        finer = len(self.sizes) - 1
        if len(starts) != finer:
            raise UnicaError(
                f"start-steps must be {finer} numbers, one for each level above the coarsest, not {len(starts)}"
            )
        if not all(1 <= start <= self.chain for start in starts):
            raise UnicaError(f"start-steps must lie between 1 and {self.chain}, not {','.join(map(str, starts))}")
        return starts

    def eps(
        self, network: nn.Module, x: Float[Tensor, "b c h w"], t: Int[Tensor, "b"], index: int
    ) -> Float[Tensor, "b c h w"]:
        """The noise in x at times t (on the CPU), read from the network's output.

        `eps`: the output is the noise. `residual` (Karras et al. 2022, Table 1, for a variance-preserving chain): what
        the best guess that looks at single pixels leaves to be said, at unit scale for input and output alike.
        """
        time = (t - 1).to(x.device)
        level = torch.full_like(time, index)
        if self.output == "eps":
            return network(x, time, level)
        alpha, sigma, scale = self._scales(x, t)
        output = network(x / scale, time, level)
        return sigma / scale**2 * x - alpha * self.spread / scale * output

    def loss_weight(self, x: Tensor, t: Tensor) -> Tensor:
        """What turns an error of eps into one of the network's output."""
        if self.output == "eps":
            return torch.ones((), device=x.device)
        alpha, _, scale = self._scales(x, t)
        return scale / (alpha * self.spread)

    def _scales(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        alpha, sigma = self.noise(x, t)
        return alpha, sigma, (alpha**2 * self.spread**2 + sigma**2).sqrt()

    def noise(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma at each picture's time, to multiply pictures with."""
        alpha, sigma = self._noise[:, t].view(2, -1, 1, 1, 1).to(x)
        return alpha, sigma

    @cached_property
    def _noise(self) -> Float[Tensor, "2 times"]:
        alpha_bar = torch.tensor(self.schedule.alpha_bar, dtype=torch.float64)
        return torch.stack([alpha_bar.sqrt(), (1 - alpha_bar).sqrt()])


def spread(finest: Float[Tensor, "c _ _"]) -> float:
    return max(finest.std().item(), 1e-3)
