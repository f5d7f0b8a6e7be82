"""The state of a training in a file: all that a later session needs to go on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from unica.declare import Number, Whole
from unica.errors import UnicaError, shown
from unica.records import read_record
from unica.tensor_files import check_finite, check_tensor, check_tensors, read_tensors, write_tensors
from unica.training.clock import Clock
from unica.training.config import TrainingConfig
from unica.training.loop import Trainer
from unica.training.muon import Muon

_KEPT = {torch.optim.Adam: ("step", "exp_avg", "exp_avg_sq"), Muon: ("average",)}  # of each weight, by optimizers
_LARGEST_COUNT = 2**24  # Adam counts steps in float32, which has no whole numbers beyond

Step = Annotated[int, Whole(0, 10**9)]


@dataclass(frozen=True)
class _Head:
    """What the header of a file says."""

    config: Mapping
    source: str
    seed: int
    step: Step
    seconds: Annotated[float, Number(0, 1e10)]
    clock: tuple[Step, Annotated[float, Number(0, 1)], Step]
    device: str

    def __post_init__(self) -> None:
        begin, _, end = self.clock
        if begin > min(self.step, end):
            raise UnicaError(f"clock must begin at step {min(self.step, end)} or before, not at {begin}")


def save_state(trainer: Trainer, path: Path) -> None:
    """Write the state of a training, if it can be read again."""
    tensors = {f"network.{name}": weight for name, weight in trainer.network.state_dict().items()}
    tensors |= {f"average.{name}": weight for name, weight in trainer.average.network.state_dict().items()}
    for number, optimizer in enumerate(trainer.optimizers):
        for index, weight in enumerate(optimizer.param_groups[0]["params"]):
            for key, value in optimizer.state[weight].items():
                tensors[f"optimizer.{number}.{index}.{key}"] = value
    try:
        for name, tensor in tensors.items():
            check_finite(name, tensor)
    except UnicaError:
        raise UnicaError(
            f"the training broke down at step {trainer.step}; {path} stays as it was: begin again with another seed"
        ) from None
    tensors |= {"random": trainer.random.get_state(), "noise": trainer.noise.get_state(), "losses": trainer.losses}
    head = {
        "config": _as_json(trainer.config),
        "source": trainer.picture.sha256,
        "seed": trainer.seed,
        "step": trainer.step,
        "seconds": trainer.seconds,
        "clock": trainer.clock,
        "device": trainer.device.type,
    }
    write_tensors(path, "training", tensors, head)


def restore_state(trainer: Trainer, path: Path) -> None:
    """Bring a trainer to the state that `save_state` wrote. A state of another picture or config is refused."""
    tensors, head = read_tensors(path, "training")
    if "plan" in head:
        raise UnicaError(
            f"{path} was begun by an earlier version of unica and cannot be continued; its model still opens"
        )
    with _damaged(path):
        about = read_record(_Head, head)
    _refuse_others(trainer, path, about)
    with _damaged(path):
        _check_tensors(trainer, tensors, about.step)
        _restore_random(trainer, tensors, about)
    for part, module in (("network", trainer.network), ("average", trainer.average.network)):
        module.load_state_dict(
            {name.removeprefix(f"{part}."): x for name, x in tensors.items() if name.startswith(f"{part}.")}
        )
    for number, index, key, name in _optimizer_names(trainer):
        if name in tensors:
            optimizer = trainer.optimizers[number]
            device = "cpu" if key == "step" else trainer.device
            optimizer.state[optimizer.param_groups[0]["params"][index]][key] = tensors[name].to(device, copy=True)
    trainer.losses.copy_(tensors["losses"])
    trainer.step, trainer.seconds, trainer.clock = about.step, about.seconds, Clock(*about.clock)
    if about.config.get("steps") != trainer.config.steps:
        trainer.clock = Clock(0, 0.0, trainer.config.steps or trainer.clock.end)


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """Turns what is wrong with a value into a sentence about the file."""
    try:
        yield
    except UnicaError as error:
        raise UnicaError(f"{path} is damaged: {error}") from None


def _refuse_others(trainer: Trainer, path: Path, head: _Head) -> None:
    if head.source != trainer.picture.sha256:
        raise UnicaError(f"{path} is a training on another picture; resume with the one it began with")
    if head.seed != trainer.seed:
        raise UnicaError(f"{path} began with seed {head.seed}, not {trainer.seed}; resume with that")
    ours, theirs = _as_json(trainer.config), head.config
    different = ", ".join(sorted(key for key in ours if ours[key] != theirs.get(key) and key != "steps"))
    if different:
        raise UnicaError(
            f"{path} began with the preset {shown(theirs.get('preset'))} and other settings ({different}); resume with"
            " those"
        )


def _check_tensors(trainer: Trainer, tensors: Mapping[str, Tensor], step: int) -> None:
    """Refuse tensors that are not those of a training of this kind after this many steps."""
    others = {"losses", "random", "noise"}
    wanted = {f"network.{name}": weight for name, weight in trainer.network.state_dict().items()}
    wanted |= {f"average.{name}": weight for name, weight in trainer.average.network.state_dict().items()}
    counts = []
    for number, index, key, name in _optimizer_names(trainer):
        optimizer = trainer.optimizers[number]
        keys = _KEPT.get(type(optimizer), ())
        if any(f"{name.removesuffix(key)}{other}" in tensors for other in keys):
            wanted[name] = torch.zeros(()) if key == "step" else optimizer.param_groups[0]["params"][index]
            counts += [name] if key == "step" else []
    check_tensors({name: tensor for name, tensor in tensors.items() if name not in others}, wanted)
    for name in sorted(others - tensors.keys()):
        raise UnicaError(f"{name} is missing")
    wanted["losses"] = trainer.losses
    check_tensor("losses", tensors["losses"], tuple(trainer.losses.shape))
    for name, like in wanted.items():
        if tensors[name].dtype != like.dtype:
            raise UnicaError(f"{name} must hold {_kind(like)}, not {_kind(tensors[name])}")
    if tensors["losses"].isinf().any():
        raise UnicaError("losses must be finite")
    for name, tensor in tensors.items():
        if name.endswith(".exp_avg_sq") and tensor.min() < 0:
            raise UnicaError(f"{name} must not be negative")
    # Each step trains the weights of one level, so those that were trained most often had their share at least.
    for name in counts:
        if not 0 <= float(tensors[name]) <= step:
            raise UnicaError(f"{name} must be from 0 to {step}, not {float(tensors[name]):g}")
    most = max((float(tensors[name]) for name in counts), default=0.0)
    if not min(step, _LARGEST_COUNT) / len(trainer.pairs) <= most <= step:
        raise UnicaError(f"step is {step}, and its weights have been trained for {most:g} steps")


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _optimizer_names(trainer: Trainer) -> Iterator[tuple[int, int, str, str]]:
    """What optimizers may keep: the number of the optimizer, the weight's index, a key, and the name in the file."""
    for number, optimizer in enumerate(trainer.optimizers):
        for index in range(len(optimizer.param_groups[0]["params"])):
            for key in _KEPT.get(type(optimizer), ()):
                yield number, index, key, f"optimizer.{number}.{index}.{key}"


def _restore_random(trainer: Trainer, tensors: Mapping[str, Tensor], head: _Head) -> None:
    """Bring the random numbers to where they were."""
    same_device = head.device == trainer.device.type
    for name, generator in (("random", trainer.random), ("noise", trainer.noise)):
        state = tensors[name]
        if name == "noise" and not same_device:  # generators of another device cannot take over this one's state
            generator.manual_seed(trainer.seed + 1 + head.step)
            continue
        now = generator.get_state()
        try:
            if state.dtype != now.dtype or state.shape != now.shape:
                raise RuntimeError
            generator.set_state(state)
        except RuntimeError:
            raise UnicaError(f"{name} is not the state of a generator of random numbers") from None


def _as_json(config: TrainingConfig) -> dict[str, Any]:
    return json.loads(json.dumps({"engine": config.engine, **asdict(config)}))
