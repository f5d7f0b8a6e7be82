"""A hybrid model of a picture: trained once, and then taken from the user's cache."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from unica import cache
from unica.devices import find_device, find_dtype
from unica.engines.base import MAX_SIDE, Report
from unica.engines.files import Damaged, StoredModel, read_model, write_model
from unica.engines.hybrid.presets import fast
from unica.engines.hybrid.process import HybridProcess
from unica.engines.trained import TrainedModel, read_trained
from unica.errors import UnicaError
from unica.image import Picture
from unica.maps import load_source
from unica.training.config import TrainingConfig
from unica.training.loop import Trainer

_FOLDER = "layouts"  # of the user's cache
_MOST_BYTES = 256 * 2**20  # some hundred networks
_SEED = 0


def open_picture(
    image: Any, device: str, precision: str, report: Report | None, max_side: int | None = None, **knobs: Any
) -> TrainedModel:
    """A model of a picture. Its network is in the cache, or is trained now."""
    where = find_device(device)
    dtype = find_dtype(precision, where)
    max_side = max_side or MAX_SIDE
    picture, config = load_source(image, max_side), fast()
    path = _path(picture, config, where, dtype)

    def of(stored: StoredModel) -> TrainedModel:
        whole = replace(stored, picture=picture, has_source=True)
        return read_trained(whole, HybridProcess, where, dtype, max_side, **knobs)

    if path.exists():
        with suppress(UnicaError, Damaged):  # of a damaged file, or one of another version: it is made again
            model = of(read_model(path))
            cache.used(path)
            return model
    stored = _trained(picture, config, where, dtype, report)
    with suppress(UnicaError, OSError):  # a cache that cannot be written to costs a training the next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(path, replace(stored, has_source=False))
        cache.bound(_FOLDER, _MOST_BYTES)
    return of(stored)


def _path(picture: Picture, config: TrainingConfig, device: torch.device, dtype: torch.dtype) -> Path:
    """The place of a network in the cache: it follows from all that decides the network."""
    decides = repr((picture.sha256, picture.size, *picture.maps, config, _SEED, device.type, dtype))
    return cache.folder() / _FOLDER / f"{picture.name}-{sha256(decides.encode()).hexdigest()[:16]}.unica"


def _trained(
    picture: Picture, config: TrainingConfig, device: torch.device, dtype: torch.dtype, report: Report | None
) -> StoredModel:
    trainer = Trainer(picture, config, _SEED, device, dtype)
    for now in trainer.run(every=0.5):
        if report is not None:
            report(now.fraction, f"learning the layout, once: {now.remaining:.0f} s left")
    model = trainer.model()
    assert isinstance(model, TrainedModel)
    return model.stored()
