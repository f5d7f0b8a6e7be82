"""Training a picture with any engine that can be trained: `unica.train`."""

from __future__ import annotations

import inspect
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from unica.declare import checked, parameters
from unica.devices import find_device, find_dtype
from unica.engines.base import MAX_SIDE, Model, training_engine
from unica.errors import UnicaError, one_of, whole
from unica.maps import load_source
from unica.training.session import Session, open_session, seconds

_MOST_STEPS = 10**9
_LARGEST_SEED = 2**63 - 2


def begin(
    image: str | os.PathLike[str] | Any,
    engine: str | None = None,
    preset: str | None = None,
    budget: str | float | None = None,
    steps: int | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    max_side: int | None = MAX_SIDE,
    device: str = "auto",
    precision: str = "auto",
    source: bool = True,
    **training_knobs: Any,
) -> Session:
    """A training that is ready to run: a new one, or with `resume` one that goes on.

    `budget` is a time ("10m", or seconds), those of earlier sessions included; `steps` is an exact number of steps.
    Without either, the preset's own number counts, or ten minutes. The training knobs are those of the engine.
    """
    chosen = training_engine(engine)
    declared = parameters(chosen.training_knobs)
    knobs = checked(declared, training_knobs, f"training with the {chosen.name} engine")
    name = one_of("preset", next(iter(chosen.presets)) if preset is None else preset, list(chosen.presets))
    if budget is not None and steps is not None:
        raise UnicaError("give a budget or a number of steps, not both")
    if steps is not None:
        steps = whole("steps", steps, 1, _MOST_STEPS)
    limit = None if budget is None else seconds(budget)
    seed = whole("seed", seed, 0, _LARGEST_SEED)
    where = find_device(device)
    dtype = find_dtype(precision, where)
    picture = load_source(image, max_side)
    config = chosen.config(name, picture, **knobs)
    config = config if steps is None else replace(config, steps=steps)
    path = None if output is None else Path(output)
    return open_session(picture, config, limit, path, resume, seed, where, dtype, source)


def train(image: str | os.PathLike[str] | Any, **settings: Any) -> Model:
    """A model trained on one picture. The settings are those of `begin`."""
    session = begin(image, **settings)
    for _ in session.run():
        pass
    return session.trainer.model()


train.__signature__ = inspect.signature(begin).replace(return_annotation=Model)  # pyright: ignore[reportFunctionMemberAccess]
