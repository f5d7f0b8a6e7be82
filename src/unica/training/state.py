"""The state of a training in a file: all that a later session needs to go on as if nothing had happened."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unica.errors import UnicaError
from unica.tensor_files import read_tensors, write_tensors
from unica.training.clock import Clock
from unica.training.config import TrainingConfig
from unica.training.loop import Trainer


def save_state(trainer: Trainer, path: Path) -> None:
    """Write the state of a training."""
    tensors = {f"network.{name}": weight for name, weight in trainer.network.state_dict().items()}
    tensors |= {f"average.{name}": weight for name, weight in trainer.average.network.state_dict().items()}
    for number, optimizer in enumerate(trainer.optimizers):
        for index, weight in enumerate(optimizer.param_groups[0]["params"]):
            for key, value in optimizer.state[weight].items():
                tensors[f"optimizer.{number}.{index}.{key}"] = value
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
    try:
        _refuse_others(trainer, path, head)
        for part, module in (("network", trainer.network), ("average", trainer.average.network)):
            module.load_state_dict(
                {name.removeprefix(f"{part}."): x for name, x in tensors.items() if name.startswith(f"{part}.")}
            )
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, index, key = name.split(".")
                optimizer = trainer.optimizers[int(number)]
                weight = optimizer.param_groups[0]["params"][int(index)]
                optimizer.state[weight][key] = tensor if key == "step" else tensor.to(trainer.device)
        trainer.random.set_state(tensors["random"])
        if head["device"] == trainer.device.type:
            trainer.noise.set_state(tensors["noise"])
        else:  # generators of another device cannot take over this one's state
            trainer.noise.manual_seed(trainer.seed + 1 + head["step"])
        trainer.losses.copy_(tensors["losses"])
        trainer.step, trainer.seconds = head["step"], head["seconds"]
        trainer.clock = Clock(*head["clock"])
        if head["config"]["steps"] != trainer.config.steps:
            trainer.clock = Clock(0, 0.0, trainer.config.steps or trainer.clock.end)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise UnicaError(f"{path} is damaged: {type(error).__name__} in the training state") from None


def _refuse_others(trainer: Trainer, path: Path, head: dict[str, Any]) -> None:
    if head["source"] != trainer.picture.sha256:
        raise UnicaError(f"{path} is a training on another picture; resume with the one it began with")
    if head["seed"] != trainer.seed:
        raise UnicaError(f"{path} began with seed {head['seed']}, not {trainer.seed}; resume with that")
    ours, theirs = _as_json(trainer.config), head["config"]
    different = ", ".join(sorted(key for key in ours if ours[key] != theirs.get(key) and key != "steps"))
    if different:
        raise UnicaError(
            f"{path} began with the preset {theirs['preset']} and other settings ({different}); resume with those"
        )


def _as_json(config: TrainingConfig) -> dict[str, Any]:
    return json.loads(json.dumps({"engine": config.engine, **asdict(config)}))
