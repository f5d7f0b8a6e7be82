"""Training as a generator of progress. Read `Trainer` from top to bottom.

The plan of a training is its config, its source and its seed; all else is its state, which `state` writes at any step
and takes up again. On a CPU, a training that was interrupted gives the same bits as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unica.diffusion import noised, upsample
from unica.errors import UnicaError
from unica.image import Picture, resize
from unica.networks import build, order_channels
from unica.process import Times
from unica.schedule import Blend
from unica.seeds import generator_of
from unica.threads import compute
from unica.training.average import Average
from unica.training.clock import Clock, Estimates, planned
from unica.training.config import TrainingConfig

if TYPE_CHECKING:
    from unica.engines.base import Model

SMALLEST = 42  # pixels of the short side: SinDDM's coarsest level


class Progress(NamedTuple):
    """How far a training is."""

    step: int
    steps: int
    fraction: float  # of the schedule
    losses: tuple[float, ...]  # a running mean of |eps - estimate| for each level
    seconds: float  # of training so far, over all sessions
    remaining: float  # seconds, as expected
    pixels: float  # trained in a second


class Pair(NamedTuple):
    """A level of the source, and the level below it upsampled to the same size."""

    sharp: Float[Tensor, "1 c h w"]
    blurred: Float[Tensor, "1 c h w"] | None  # of the coarsest level: None
    known: Float[Tensor, "1 1 h w"] | None = None  # how much of each pixel the source's file says; None: all

    def part(self, rows: slice, columns: slice) -> Pair:
        return Pair(*(None if x is None else x[..., rows, columns] for x in self))  # pyright: ignore[reportArgumentType]


class Batch(NamedTuple):
    """What a step trains on: copies of one level, each with a time of its own."""

    x0: Float[Tensor, "b c h w"]
    blurred: Float[Tensor, "1 c h w"] | None
    t: Times
    order: Float[Tensor, "b 2 h w"] | None  # what an ordered network is told
    known: Float[Tensor, "1 1 h w"] | None  # as in `Pair`


class Trainer:
    """A training that is under way."""

    def __init__(
        self,
        picture: Picture,
        config: TrainingConfig,
        seed: int = 0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if min(picture.size) < SMALLEST:
            width, height = picture.size
            raise UnicaError(
                f"a source of {width}x{height} is too small to train on; both sides must be at least {SMALLEST}"
            )
        compute()
        self.config, self.seed = config, seed
        self.device, self.dtype, self.layout = torch.device(device), dtype, torch.channels_last
        levels = config.levels(picture)
        self.picture = config.source(picture, levels)
        known = None if picture.unknown is None else (~picture.unknown[None]).float().to(self.device)
        self.pairs = pairs([level.to(self.device) for level in levels], known)
        self.process = config.process(levels)
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(generator_of(seed).get_state())
            self.network = build(self.process.network, config.checkpointing).to(self.device)
        self.average = Average(self.network, config.ema, config.ema_from, config.ema_every)
        self.optimizers = config.optimizers(self.network)
        self.random = generator_of(seed)  # of levels, sizes and times
        self.noise = generator_of(seed + 1, self.device)
        self.step, self.seconds = 0, 0.0
        self.losses = torch.full((len(self.pairs),), torch.nan, device=self.device)
        self.clock = Clock(0, 0.0, config.steps or 0)

    def run(self, budget: float | None = None, every: float = 1.0) -> Iterator[Progress]:
        """Train for the config's number of steps, or until `budget` seconds are used; yield about `every` seconds.

        The seconds of earlier sessions count. Budgets: see `clock`.
        """
        began, before, pixels, shown = time.perf_counter(), self.seconds, 0, -every
        if budget is not None:
            self.clock = planned(self, budget)
        first, estimates = self.step, None if budget is None else Estimates(self.clock, self.step, budget)
        while self.step < self.clock.end:
            level = int(torch.randint(len(self.pairs), (), generator=self.random))
            pixels += self.train_step(level)
            now = time.perf_counter() - began
            self.seconds = before + now
            seconds_a_step = now / (self.step - first)
            if estimates is not None:
                self.clock = estimates.update(self.clock, self.step, self.seconds, seconds_a_step)
            if now - shown >= every or self.step >= self.clock.end:
                shown = now
                if not self.losses[level].isfinite():
                    raise UnicaError(f"the training broke down at step {self.step}; begin again with another seed")
                remaining = max(self.clock.end - self.step, 0) * seconds_a_step
                fraction, losses = self.clock.fraction(self.step), tuple(self.losses.tolist())
                yield Progress(self.step, self.clock.end, fraction, losses, self.seconds, remaining, pixels / now)

    def train_step(self, level: int) -> int:
        """One step of Alg. 1 on a level. Returns the number of pixels that it trained on."""
        with at_most_threads(self.config.threads):
            return self._train_step(level)

    def _train_step(self, level: int) -> int:
        batch = self._batch(level)
        eps = torch.randn(batch.x0.shape, generator=self.noise, device=self.device)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate()
        loss, error = self.loss(self.network, level, *batch, eps)
        loss.backward()
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.average.update(self.network, self.step)
        mean = self.losses[level]
        self.losses[level] = torch.where(mean.isnan(), error, mean.lerp(error, 0.02))
        return batch.x0.shape[0] * batch.x0.shape[2] * batch.x0.shape[3]

    def _batch(self, level: int) -> Batch:
        """Copies of a level at different times (Alg. 1, lines 2, 3 and 8)."""
        config = self.config
        whole = self._resized(level) if config.random_resize else self.pairs[level]
        part, span = self._cropped(whole)
        count = self.batch_size(part.sharp.shape[-2] * part.sharp.shape[-1])
        latest = self.process.chain
        if config.visited_times and float(torch.rand((), generator=self.random)) < config.visited_times:
            latest = min(self.process.starts[level] + 1, latest)
        u = torch.rand(count, generator=self.random)
        if config.batch_images is None:  # one time from each of `count` equal parts: the same distribution, more even
            u = (torch.arange(count) + u) / count
        t = (1 + u**config.time_power * latest).long().clamp(max=latest)
        # A network that folds pixels must see the picture folded in each possible way, so its first rows and columns
        # are cut off at random.
        top, left = torch.randint(self.process.network.fold, (2,), generator=self.random).tolist()
        part = part.part(slice(top, None), slice(left, None))
        x0 = part.sharp.expand(count, -1, -1, -1)
        return Batch(x0, part.blurred, t.view(-1, 1, 1, 1), self._order(x0, span), part.known)

    def _cropped(self, pair: Pair) -> tuple[Pair, tuple[float, float]]:
        """A part of a level, and where its rows begin and end in the whole. So borders tell little of the layout."""
        if not any(self.config.random_crop):
            return pair, (0.0, 1.0)
        grid = self.process.network.grid
        cuts = []
        drawn = torch.rand(2, 2, generator=self.random).tolist()
        for side, most, (share, place) in zip(pair.sharp.shape[-2:], self.config.random_crop, drawn):
            length = max(round(side * (1 - most * share) / grid) * grid, grid)
            start = round((side - length) * place / grid) * grid
            cuts.append(slice(start, start + length))
        rows, columns = cuts
        return pair.part(rows, columns), (rows.start / pair.sharp.shape[-2], min(rows.stop / pair.sharp.shape[-2], 1.0))

    def _order(self, x0: Float[Tensor, "b c h w"], span: tuple[float, float]) -> Float[Tensor, "b 2 h w"] | None:
        """Where rows lie, told with every strength, so that any can be asked for in drawing."""
        if not self.process.network.ordered:
            return None
        strength = torch.rand(len(x0), 1, 1, 1, generator=self.random)
        error = 2 * (1 - strength) * torch.randn(len(x0), 1, 1, 1, generator=self.random)
        height, width = x0.shape[-2:]
        return order_channels(strength, torch.linspace(*span, height), width, error).to(x0)

    def _resized(self, level: int) -> Pair:
        """A level whose sides are changed by random factors. A network that sees one size only learns it by heart."""
        (finest, _, known), grid = self.pairs[-1], self.process.network.grid
        factors = 1 + self.config.random_resize * (2 * torch.rand(2, generator=self.random) - 1)

        def at(index: int) -> Tensor:
            sides = [round(side * by / grid) * grid for side, by in zip(self.process.sizes[index], factors.tolist())]
            longest = [math.inf] * 2 if self.config.enlarge else finest.shape[-2:]
            height, width = (int(min(side, limit)) for side, limit in zip(sides, longest))
            return resize(finest, (height, width), "bicubic").clamp(-1, 1)

        sharp = at(level)
        size = sharp.shape[-2], sharp.shape[-1]
        return Pair(sharp, upsample(at(level - 1), size) if level else None, _shrunk(known, size))

    def batch_size(self, area: int) -> int:
        """How many pictures of this many pixels are in a batch."""
        return self.config.batch_images or max(round((self.config.batch_pixels or area) / area), 1)

    def loss(
        self,
        network: nn.Module,
        level: int,
        x0: Float[Tensor, "b c h w"],
        blurred: Float[Tensor, "1 c h w"] | None,
        t: Times,
        order: Float[Tensor, "b 2 h w"] | None,
        known: Float[Tensor, "1 1 h w"] | None,
        eps: Float[Tensor, "b c h w"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """What is minimised, and the mean of |eps - estimate| (Alg. 1, lines 9 to 11), where the source is known."""
        process = self.process
        mean = Blend(blurred, process.gamma(level)).mix(x0, t)
        x_t = noised(mean, eps, t, process.schedule).contiguous(memory_format=self.layout)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            error = process.eps(network, x_t, t, level, order).float() - eps
        loss = error.abs() if self.config.loss == "l1" else (error * process.loss_weight(x0, t)).square()
        return _mean(loss, known), _mean(error.detach().abs(), known)

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        config = self.config
        rate = config.learning_rate * (min((self.step + 1) / config.warmup, 1.0) if config.warmup else 1.0)
        if config.halved_at is None:
            return rate * max(1 - self.clock.fraction(self.step), 0.0)
        return rate * 0.5 ** sum(self.step >= step for step in config.halved_at)

    def validate(self, times: int = 10) -> tuple[float, ...]:
        """|eps - estimate| of the averaged network for each level, with fixed noise at times spread over the chain.

        An ordered network is told nothing of where rows lie.
        """
        noise = torch.Generator(self.device).manual_seed(0)
        t = torch.linspace(1, self.process.chain, times).round().long().view(-1, 1, 1, 1)
        errors = []
        for level, (sharp, blurred, known) in enumerate(self.pairs):
            x0 = sharp.expand(times, -1, -1, -1)
            eps = torch.randn(x0.shape, generator=noise, device=self.device)
            with torch.no_grad():
                errors.append(self.loss(self.average.network, level, x0, blurred, t, None, known, eps)[1].item())
        return tuple(errors)

    def twin(self) -> Trainer:
        """A trainer like this one at its beginning. Its steps leave this one's random numbers as they are."""
        twin = Trainer(self.picture, self.config, self.seed, self.device, self.dtype)
        twin.clock = Clock(0, 0.0, 1)
        return twin

    def model(self) -> Model:
        """A model of the averaged network as it is now, ready to draw from."""
        training = {
            "preset": self.config.preset,
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
        }
        network = deepcopy(self.average.network)
        return self.config.model(self.process, network, self.picture, training, self.device, self.dtype)


@contextmanager
def at_most_threads(most: int | None) -> Iterator[None]:
    """Small steps are slower on many threads, which wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, most or before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pairs(levels: Sequence[Float[Tensor, "c _ _"]], known: Float[Tensor, "1 1 h w"] | None = None) -> list[Pair]:
    """Each level of a source with the level below it, from coarse to fine."""
    sharp = [level[None] for level in levels]
    sizes = [(x.shape[-2], x.shape[-1]) for x in sharp]
    blurred = [None, *(upsample(x, size) for x, size in zip(sharp, sizes[1:]))]
    return [Pair(x, below, _shrunk(known, size)) for x, below, size in zip(sharp, blurred, sizes)]


def _shrunk(known: Float[Tensor, "1 1 h w"] | None, size: tuple[int, int]) -> Float[Tensor, "1 1 y x"] | None:
    """How much of each pixel is known at another size."""
    return None if known is None else resize(known, size, "bilinear").clamp(0, 1)


def _mean(values: Float[Tensor, "b c h w"], known: Float[Tensor, "1 1 h w"] | None) -> Float[Tensor, ""]:
    """The mean of what is known; of parts where nothing is, zero."""
    if known is None:
        return values.mean()
    return (values * known).sum() / known.expand_as(values).sum().clamp_min(1)
