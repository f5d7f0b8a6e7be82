"""Checkpoints of the authors' own code, read without running anything that is in them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unica.devices import find_device, find_dtype
from unica.errors import UnicaError
from unica.image import Picture, load, shrink
from unica.networks import SinDDMConfig, build
from unica.pyramid import Size, field_sizes
from unica.schedule import Discrete, cosine
from unica.sinddm import SinDDMRecipe, start_step
from unica.trained import TrainedModel

_NETWORK = "denoise_fn."


def import_checkpoint(
    path: str | os.PathLike[str],
    image: str | os.PathLike[str] | Any,
    sizes: Sequence[tuple[int, int]] | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> TrainedModel:
    """A model of what the authors' trainer saved (`model-12.pt`), and of the image that it was trained on.

    The averaged weights, the width, the number of levels and the blur are in the file. The sizes of the levels are not:
    they follow from the image by the authors' rule; `sizes`, (width, height) from coarse to fine, are for other rules.
    """
    where = find_device(device)
    path = Path(path)
    state, step = _read(path)
    picture = load(image)
    weights = {name.removeprefix(_NETWORK): x for name, x in state.items() if name.startswith(_NETWORK)}
    try:
        gammas, alpha_bar = state["gammas"], state["alphas_cumprod"]
        config = SinDDMConfig(weights["l2.net.0.weight"].shape[0], weights["l1.ds_conv.weight"].shape[0])
        network = build(config)
        network.load_state_dict(weights)
        schedule = _cosine(path, alpha_bar)
    except (KeyError, RuntimeError, IndexError) as error:
        raise _strange(path, f"it lacks {error}" if isinstance(error, KeyError) else "its weights do not fit") from None
    blur = [0.0, *(_blur(schedule, gamma) for gamma in gammas)]
    levels = _sizes(path, picture, len(blur), sizes)
    picture = shrink(_with_channels(picture, config.channels), levels[-1])
    recipe = SinDDMRecipe(
        network=config,
        sizes=levels,
        blur=tuple(blur),
        starts=(schedule.steps, *(start_step(schedule, b, "authors") for b in blur[1:])),
        rule="authors",
        output="eps",
        chain=schedule.steps,
    )
    training = {"preset": "imported", "steps": step}
    return TrainedModel(recipe, network, picture, training, where, find_dtype(precision, where))


def _read(path: Path) -> tuple[Mapping[str, Tensor], int]:
    """The averaged model's tensors, and how many steps it was trained for."""
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
    state = held.get("ema") if isinstance(held, dict) else None
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise _strange(path, "it has no averaged model (`ema`)")
    step = held.get("step", 0)
    return state, step if isinstance(step, int) else 0


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
    return UnicaError(f"{path} is not a checkpoint of SinDDM's authors: {why}")
