"""Small models of every engine, for tests of what all of them can do."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

import unica
from unica.image import load
from unica.model import TRAINED, Model
from unica.networks import FoldedConfig, UNetConfig
from unica.presets import preset
from unica.training import Trainer

ENGINES = ("instant", *TRAINED)
_NETWORKS = {"sinddm": FoldedConfig(32, 1), "sindiffusion": UNetConfig(16, (1, 1), fold=2, norm=False)}


def small_model(engine: str, picture: Image.Image, steps: int = 30) -> Model:
    if engine == "instant":
        return unica.open(picture)
    plan = replace(preset(engine, "fast"), network=_NETWORKS[engine], steps=steps, pixels=4000)
    trainer = Trainer(load(picture), plan)
    for _ in trainer.run():
        pass
    return trainer.model()
