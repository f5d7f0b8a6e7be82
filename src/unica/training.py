"""Training, as a generator of progress: read `Trainer.run` from top to bottom.

All that a run depends on is in its plan, its source and its state; the state can be written at any step and taken up
again, and on a CPU what follows is the same to the bit.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from unica.checkpoint import read_tensors, write_tensors
from unica.diffusion import upsample
from unica.errors import UnicaError
from unica.image import Picture, resize, shrink
from unica.networks import build
from unica.plan import Plan
from unica.sinddm import Pair, pairs
from unica.trained import TrainedModel

SMALLEST = 42  # pixels of the short side: SinDDM's coarsest level
_SHORTEST = 10.0  # seconds that a budget must have ...
_FEWEST = 20  # ... and steps there must be time for
_RESERVE = 0.03  # of the budget, for saving and for showing
_CHAPTERS = 20  # how often a budget is planned anew


class Progress(NamedTuple):
    """Where a training stands."""

    step: int
    steps: int
    fraction: float  # of the schedule
    losses: tuple[float, ...]  # a running mean for each level, of |eps - estimate|
    seconds: float  # trained so far, over all sessions
    remaining: float  # seconds, as expected
    pixels: float  # trained on a second


class Trainer:
    """A training that is under way."""

    def __init__(
        self,
        picture: Picture,
        plan: Plan,
        seed: int = 0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if min(picture.size) < SMALLEST:
            width, height = picture.size
            raise UnicaError(
                f"a source of {width}x{height} is too small to train on; both sides must be at least {SMALLEST}"
            )
        self.plan, self.seed = plan, seed
        self.device, self.dtype, self.layout = torch.device(device), dtype, torch.channels_last
        levels = plan.levels(picture)
        self.picture = shrink(picture, (levels[-1].shape[-2], levels[-1].shape[-1]))
        self.pairs = pairs([level.to(self.device) for level in levels])
        self.recipe = plan.recipe(levels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build(self.recipe.network, plan.frugal).to(self.device)
        self.average = deepcopy(self.network).requires_grad_(False)
        self.optimizers = plan.optimizers(self.network)
        self.random = torch.Generator().manual_seed(seed)  # levels and times
        self.noise = torch.Generator(self.device).manual_seed(seed + 1)
        self.step, self.seconds = 0, 0.0
        self.losses = torch.full((len(self.pairs),), torch.nan, device=self.device)
        self.line = _Line(0, 0.0, plan.steps or 0)

    def run(self, budget: float | None = None, every: float = 1.0) -> Iterator[Progress]:
        """Train to the end of the plan, or until `budget` seconds are used, those of earlier sessions included; a
        progress about every so many seconds. A budget's steps are planned by the pace there is, again and again."""
        began, before, pixels, shown = time.perf_counter(), self.seconds, 0, -every
        if budget is not None:
            self._plan_for(budget)
        first, chapter = self.step, max((self.line.end - self.step) // _CHAPTERS, 1)
        while self.step < self.line.end:
            level = int(torch.randint(len(self.pairs), (), generator=self.random))
            pixels += self._train_step(level)
            now = time.perf_counter() - began
            self.seconds = before + now
            pace = now / (self.step - first)
            if budget is not None and (self.step - first) % chapter == 0:
                self._replan(pace, budget * (1 - _RESERVE / 2) - self.seconds)
            if now - shown >= every or self.step >= self.line.end:
                shown = now
                if not self.losses[level].isfinite():
                    raise UnicaError(f"the training broke down at step {self.step}; begin again with another seed")
                left = max(self.line.end - self.step, 0) * pace
                fraction = self.line.fraction(self.step)
                losses = tuple(self.losses.tolist())
                yield Progress(self.step, self.line.end, fraction, losses, self.seconds, left, pixels / now)

    def _train_step(self, level: int) -> int:
        """One step of Alg. 1; the number of pixels it looked at."""
        rate = self._rate(self.line.fraction(self.step))
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = rate
        x, blurred, t = self._batch(level)
        eps = torch.randn(x.shape, generator=self.noise, device=self.device)
        loss, error = self._loss(self.network, level, x, blurred, t, eps)
        loss.backward()
        if self.plan.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._update_average()
        mean = self.losses[level]
        self.losses[level] = torch.where(mean.isnan(), error, mean.lerp(error, 0.02))
        return x.shape[0] * x.shape[2] * x.shape[3]

    def _batch(self, level: int) -> tuple[Tensor, Tensor | None, Int[Tensor, "b"]]:
        """Copies of a level at different times (Alg. 1, lines 2, 3, 8)."""
        sharp, blurred = self._stretched(level) if self.plan.stretch else self.pairs[level]
        plan = self.plan
        count = self._count(sharp.shape[-2] * sharp.shape[-1])
        latest = self.recipe.chain
        if plan.sampled and float(torch.rand((), generator=self.random)) < plan.sampled:
            latest = min(self.recipe.starts[level] + 1, latest)
        drawn = torch.rand(count, generator=self.random)
        if plan.images is None:  # one time from each of `count` equal parts: less chance, the same distribution
            drawn = (torch.arange(count) + drawn) / count
        t = (1 + drawn**self.plan.lean * latest).long().clamp(max=latest)
        # A network that folds pixels must see every picture in each of the ways it can be folded.
        top, left = torch.randint(self.recipe.network.fold, (2,), generator=self.random).tolist()
        blurred = None if blurred is None else blurred[..., top:, left:]
        return sharp[..., top:, left:].expand(count, -1, -1, -1), blurred, t

    def _stretched(self, level: int) -> Pair:
        """A level with sides of other lengths. A source that is only ever seen as it is, is learned by heart."""
        finest, grid = self.pairs[-1].sharp, self.recipe.network.grid
        factors = 1 + self.plan.stretch * (2 * torch.rand(2, generator=self.random) - 1)

        def at(index: int) -> Tensor:
            sides = [round(side * by / grid) * grid for side, by in zip(self.recipe.sizes[index], factors.tolist())]
            longest = [math.inf] * 2 if self.plan.enlarge else finest.shape[-2:]
            height, width = (int(min(side, limit)) for side, limit in zip(sides, longest))
            return resize(finest, (height, width), "bicubic").clamp(-1, 1)

        sharp = at(level)
        return Pair(sharp, upsample(at(level - 1), (sharp.shape[-2], sharp.shape[-1])) if level else None)

    def _count(self, area: int) -> int:
        """Pictures in a batch of a level of so many pixels."""
        return self.plan.images or max(round((self.plan.pixels or area) / area), 1)

    def _loss(
        self,
        network: nn.Module,
        level: int,
        x: Float[Tensor, "b c h w"],
        blurred: Float[Tensor, "1 c h w"] | None,
        t: Int[Tensor, "b"],
        eps: Float[Tensor, "b c h w"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """What is minimised, and the mean of |eps - estimate| (Alg. 1, line 11)."""
        recipe = self.recipe
        mean = x
        if blurred is not None and recipe.blurred:
            gamma = recipe.gamma(level)
            mix = torch.tensor([gamma(int(time)) for time in t.tolist()], device=x.device).view(-1, 1, 1, 1)
            mean = mix * blurred + (1 - mix) * x
        alpha, sigma = recipe.noise(x, t)
        x_t = (alpha * mean + sigma * eps).contiguous(memory_format=self.layout)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            error = recipe.eps(network, x_t, t, level).float() - eps
        loss = error.abs() if self.plan.loss == "l1" else (error * recipe.loss_weight(x, t)).square()
        return loss.mean(), error.detach().abs().mean()

    def _rate(self, fraction: float) -> float:
        plan = self.plan
        rate = plan.rate * (min((self.step + 1) / plan.warmup, 1.0) if plan.warmup else 1.0)
        if plan.halvings is None:
            return rate * max(1 - fraction, 0.0)
        return rate * 0.5 ** sum(self.step >= step for step in plan.halvings)

    def _update_average(self) -> None:
        """A copy at first, then an exponential average; where there is no such start, a warm-up stands for it."""
        plan = self.plan
        if self.step % plan.ema_every:
            return
        keep = plan.ema if plan.ema_from else min(plan.ema, (1 + self.step) / (10 + self.step))
        keep = 0.0 if self.step < plan.ema_from else keep
        with torch.no_grad():
            for average, weight in zip(self.average.parameters(), self.network.parameters()):
                average.lerp_(weight, 1 - keep)

    def validate(self, times: int = 10) -> tuple[float, ...]:
        """|eps - estimate| of the averaged network for each level: fixed noise, times all over the schedule."""
        noise = torch.Generator(self.device).manual_seed(0)
        t = torch.linspace(1, self.recipe.chain, times).round().long()
        errors = []
        for level, (sharp, blurred) in enumerate(self.pairs):
            x = sharp.expand(times, -1, -1, -1)
            eps = torch.randn(x.shape, generator=noise, device=self.device)
            with torch.no_grad():
                errors.append(self._loss(self.average, level, x, blurred, t, eps)[1].item())
        return tuple(errors)

    def memory(self) -> float:
        """Bytes that a step is expected to need at most: what is kept for the backward pass, as two small pictures
        tell, and the weights with all that belongs to them."""
        level = len(self.pairs) - 1
        sharp, blurred = self.pairs[level]

        def kept(side: int) -> float:
            sizes: dict[int, int] = {}

            def note(x: Tensor) -> Tensor:
                sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
                return x

            x = sharp[..., :1, :1].expand(-1, -1, side, side)
            soft = None if blurred is None else blurred[..., :1, :1].expand(-1, -1, side, side)
            with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
                _ = self._loss(self.network, level, x, soft, torch.ones(1, dtype=torch.long), torch.zeros_like(x))
            return sum(sizes.values())

        small, large = 32, 64
        pixel = (kept(large) - kept(small)) / (large**2 - small**2)
        growth = (1 + self.plan.stretch) ** 2 if self.plan.enlarge else 1.0
        area = sharp.shape[-2] * sharp.shape[-1]
        weights = sum(weight.nbytes for weight in self.network.parameters())
        return pixel * self._count(area) * area * growth + 5 * weights

    def _plan_for(self, budget: float) -> None:
        if not budget >= _SHORTEST:  # nor is it no number
            raise UnicaError(f"a budget of {budget:g} seconds is too short to train; give at least {_SHORTEST:g}")
        if self.line.fraction(self.step) == 1 and self.step and self.seconds > budget * (1 - 2 * _RESERVE):
            raise UnicaError(f"the budget of {budget:g} seconds is used up; give a longer one to go on")
        fraction = min(self.line.fraction(self.step), self.seconds / budget)  # a longer budget reopens what was done
        self.line = _Line(self.step, fraction, self.step + 1)
        began = time.perf_counter()
        pace = self._seconds_a_step(budget / 4)
        self._replan(pace, budget * (1 - _RESERVE) - self.seconds - (time.perf_counter() - began))
        if self.step == 0 and self.line.end < _FEWEST:
            raise UnicaError(
                f"a budget of {budget:g} seconds is too short: a step takes {pace:.1f}, and there must be time for"
                f" {_FEWEST}; give at least {math.ceil(_FEWEST * pace * 1.5)}"
            )

    def _seconds_a_step(self, limit: float) -> float:
        """Measured on a twin, so that this run's random numbers stay what they are; for little more than `limit`."""
        twin = Trainer(self.picture, self.plan, self.seed, self.device, self.dtype)
        twin.line = _Line(0, 0.0, 1)
        began, paces = time.perf_counter(), {}
        for level in list(range(len(self.pairs))) * 2:  # the first time is slower than those that follow
            step = time.perf_counter()
            pixels = twin._train_step(level)
            paces[level] = (time.perf_counter() - step) / pixels
            if time.perf_counter() - began > limit:
                break
        areas = [pair.sharp.shape[-2] * pair.sharp.shape[-1] for pair in self.pairs]
        known = paces[max(paces)]  # of levels that there was no time for
        return sum(self._count(area) * area * paces.get(i, known) for i, area in enumerate(areas)) / len(areas)

    def _replan(self, pace: float, seconds: float) -> None:
        """As many steps as there is time for, and what is left of the schedule over them."""
        self.line = _Line(self.step, self.line.fraction(self.step), self.step + max(int(seconds / pace), 0))

    def model(self) -> TrainedModel:
        """The averaged network as it is now, ready to draw from."""
        training = {
            "preset": self.plan.preset,
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
        }
        network = deepcopy(self.average)
        return TrainedModel(self.recipe, network, self.picture, training, self.device, self.dtype)

    def save(self, path: Path) -> None:
        """Everything that a later session needs to go on as if there had been no break."""
        tensors = {f"network.{name}": weight for name, weight in self.network.state_dict().items()}
        tensors |= {f"average.{name}": weight for name, weight in self.average.state_dict().items()}
        for number, optimizer in enumerate(self.optimizers):
            for index, weight in enumerate(optimizer.param_groups[0]["params"]):
                for key, value in optimizer.state[weight].items():
                    tensors[f"optimizer.{number}.{index}.{key}"] = value
        tensors |= {"random": self.random.get_state(), "noise": self.noise.get_state(), "losses": self.losses}
        head = {
            "plan": _as_json(self.plan),
            "source": self.picture.sha256,
            "seed": self.seed,
            "step": self.step,
            "seconds": self.seconds,
            "line": self.line,
            "device": self.device.type,
        }
        write_tensors(path, "training", tensors, head)

    def resume(self, path: Path) -> None:
        """Go on from what `save` wrote; of another picture or another plan, it is refused."""
        tensors, head = read_tensors(path, "training")
        try:
            self._refuse_others(path, head)
            for part, module in (("network", self.network), ("average", self.average)):
                module.load_state_dict(
                    {name.removeprefix(f"{part}."): x for name, x in tensors.items() if name.startswith(f"{part}.")}
                )
            for name, tensor in tensors.items():
                if name.startswith("optimizer."):
                    _, number, index, key = name.split(".")
                    optimizer = self.optimizers[int(number)]
                    weight = optimizer.param_groups[0]["params"][int(index)]
                    optimizer.state[weight][key] = tensor if key == "step" else tensor.to(self.device)
            self.random.set_state(tensors["random"])
            if head["device"] == self.device.type:
                self.noise.set_state(tensors["noise"])
            else:  # whose generators are of another kind
                self.noise.manual_seed(self.seed + 1 + head["step"])
            self.losses.copy_(tensors["losses"])
            self.step, self.seconds = head["step"], head["seconds"]
            line = _Line(*head["line"])
            self.line = line if head["plan"]["steps"] == self.plan.steps else _Line(0, 0.0, self.plan.steps or line.end)
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            raise UnicaError(f"{path} is damaged: {type(error).__name__} in the training state") from None

    def _refuse_others(self, path: Path, head: dict[str, Any]) -> None:
        if head["source"] != self.picture.sha256:
            raise UnicaError(f"{path} is a training on another picture; resume with the one it began with")
        if head["seed"] != self.seed:
            raise UnicaError(f"{path} began with seed {head['seed']}, not {self.seed}; resume with that")
        ours, theirs = _as_json(self.plan), head["plan"]
        different = ", ".join(sorted(key for key in ours if ours[key] != theirs.get(key) and key != "steps"))
        if different:
            raise UnicaError(
                f"{path} began with the preset {theirs['preset']} and other settings ({different}); resume with those"
            )


class _Line(NamedTuple):
    """The schedule's clock: it shows `start` at step `begin`, and runs evenly to 1 at step `end`."""

    begin: int
    start: float
    end: int

    def fraction(self, step: int) -> float:
        if step >= self.end:
            return 1.0
        return self.start + (1 - self.start) * (step - self.begin) / (self.end - self.begin)


def _as_json(plan: Plan) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(plan)))
