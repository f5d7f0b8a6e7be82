"""Checkpoints of the authors' own code, read without running anything that is in them."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unica.devices import find_device, find_dtype
from unica.errors import UnicaError
from unica.image import Picture, load, shrink
from unica.networks import SinDDMConfig, UNetConfig, build
from unica.pyramid import Size, field_sizes
from unica.recipe import Recipe
from unica.schedule import Discrete, cosine
from unica.sinddm import SinDDMRecipe, start_step
from unica.sindiffusion import SinDiffusionRecipe
from unica.trained import TrainedModel

State = Mapping[str, Tensor]


def import_checkpoint(
    path: str | os.PathLike[str],
    image: str | os.PathLike[str] | Any,
    sizes: Sequence[tuple[int, int]] | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> TrainedModel:
    """A model of what the authors' trainers saved, and of the image that it was trained on.

    SinDDM (`model-12.pt`): the averaged weights, the width, the number of levels and the blur are in the file. The
    sizes of the levels are not: they follow from the image by the authors' rule; `sizes`, (width, height) from coarse
    to fine, are for other rules. SinDiffusion (`ema_0.9999_050000.pt`): the averaged weights, and all that the network
    is; a size, if one is given, is what the image is brought to.
    """
    where = find_device(device)
    path = Path(path)
    held = _read(path)
    if "input_blocks.0.0.weight" in held:
        make, weights, steps = _sindiffusion, held, _steps_of(path)
    else:
        make, weights, steps = _sinddm, *_averaged(path, held)
    recipe, weights, picture = make(path, weights, load(image), sizes)
    network = build(recipe.network)
    with _fitting(path):
        network.load_state_dict(weights)
    picture = shrink(picture, recipe.sizes[-1])
    training = {"preset": "imported", "steps": steps}
    return TrainedModel(recipe, network, picture, training, where, find_dtype(precision, where))


def _sinddm(
    path: Path, state: State, picture: Picture, sizes: Sequence[tuple[int, int]] | None
) -> tuple[Recipe, State, Picture]:
    weights = {name.removeprefix("denoise_fn."): x for name, x in state.items() if name.startswith("denoise_fn.")}
    with _fitting(path):
        gammas, alpha_bar = state["gammas"], state["alphas_cumprod"]
        config = SinDDMConfig(weights["l2.net.0.weight"].shape[0], weights["l1.ds_conv.weight"].shape[0])
        schedule = _cosine(path, alpha_bar)
    blur = [0.0, *(_blur(schedule, gamma) for gamma in gammas)]
    recipe = SinDDMRecipe(
        network=config,
        sizes=_sizes(path, picture, len(blur), sizes),
        blur=tuple(blur),
        starts=(schedule.steps, *(start_step(schedule, b, "authors") for b in blur[1:])),
        rule="authors",
        chain=schedule.steps,
    )
    return recipe, weights, _with_channels(picture, config.channels)


def _sindiffusion(
    path: Path, state: State, picture: Picture, sizes: Sequence[tuple[int, int]] | None
) -> tuple[Recipe, State, Picture]:
    with _fitting(path):
        config = _unet(state)
    if sizes is not None and len(sizes) != 1:
        raise UnicaError(f"{path} has one level and you gave {len(sizes)} sizes: give one (--sizes 248x186), or none")
    width, height = picture.size if sizes is None else sizes[0]
    recipe = SinDiffusionRecipe(network=config, sizes=((height, width),), starts=(1000,))
    weights = {f"0.{name}": x for name, x in state.items()}
    return recipe, weights, _with_channels(picture, config.channels)


def _unet(state: State) -> UNetConfig:
    """The structure, from the shapes: a stage ends where a convolution halves the sides."""
    width = state["time_embed.0.weight"].shape[1]
    stages: list[list[int]] = [[]]
    blocks = {int(name.split(".")[1]) for name in state if name.startswith("input_blocks.")}
    for index in sorted(blocks - {0}):
        if f"input_blocks.{index}.0.op.weight" in state:
            stages.append([])
        else:
            stages[-1].append(state[f"input_blocks.{index}.0.in_layers.2.weight"].shape[0])
    multipliers = tuple(stage[0] // width for stage in stages)
    return UNetConfig(width, multipliers, len(stages[0]), state["input_blocks.0.0.weight"].shape[1])


def _steps_of(path: Path) -> int:
    """SinDiffusion's trainer tells them in the file's name only."""
    found = re.search(r"_(\d+)$", path.stem)
    return int(found[1]) if found else 0


def _read(path: Path) -> Mapping[str, Any]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UnicaError(f"{path} does not exist") from None
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except pickle.UnpicklingError:
        raise _strange(path, "it holds more than tensors, which is not safe to read, or it is damaged") from None
    except Exception:  # torch raises nearly anything on damaged bytes
        raise _strange(path, "it is damaged, or no checkpoint at all") from None
    return held if isinstance(held, dict) else {}


def _averaged(path: Path, held: Mapping[str, Any]) -> tuple[State, int]:
    """The averaged model's tensors, and how many steps it was trained for."""
    state = held.get("ema")
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise _strange(path, "it has no averaged model (`ema`)")
    step = held.get("step", 0)
    return state, step if isinstance(step, int) else 0


@contextmanager
def _fitting(path: Path):
    """What is missing, and what has another shape than it should, makes a checkpoint strange."""
    try:
        yield
    except KeyError as error:
        raise _strange(path, f"it lacks {error}") from None
    except (RuntimeError, IndexError, ZeroDivisionError, AttributeError):
        raise _strange(path, "its weights do not fit") from None


def _cosine(path: Path, alpha_bar: Tensor) -> Discrete:
    schedule = cosine(len(alpha_bar))
    ours = torch.tensor(schedule.alpha_bar[1:])
    if alpha_bar.ndim != 1 or not torch.allclose(ours, alpha_bar.float(), atol=1e-5):
        raise _strange(path, "its noise schedule is not the cosine one")
    return schedule


def _blur(schedule: Discrete, gamma: Tensor) -> float:
    """The distance that gamma = min(sigma / alpha / distance, 1) was made of, from where it is most exact."""
    index = int(torch.where(gamma < 1, gamma, -1.0).argmax())
    t = index + 1
    return schedule.sigma(t) / schedule.alpha(t) / max(float(gamma[index]), 1e-6)


def _sizes(path: Path, picture: Picture, count: int, sizes: Sequence[tuple[int, int]] | None) -> tuple[Size, ...]:
    if sizes is None:
        width, height = picture.size
        found = field_sizes((height, width))
    else:
        found = [(height, width) for width, height in sizes]
    if len(found) != count:
        said = "you gave" if sizes is not None else f"an image of {picture.size[0]}x{picture.size[1]} makes"
        raise UnicaError(
            f"{path} has {count} levels and {said} {len(found)}: give the image that it was trained on, or the sizes of"
            " its levels (--sizes 64x48,90x67,...)"
        )
    return tuple(found)


def _with_channels(picture: Picture, channels: int) -> Picture:
    """The authors read every image as RGB: gray becomes three equal channels, transparency is dropped."""
    return replace(picture, pixels=picture.pixels.expand(channels, -1, -1), alpha=None, bits=8)


def _strange(path: Path, why: str) -> UnicaError:
    return UnicaError(f"{path} is not a checkpoint of SinDDM's or SinDiffusion's authors: {why}")
