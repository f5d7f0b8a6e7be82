"""Small models of every engine, for tests of what all of them can do."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from unica.engines.base import Model, engines, find
from unica.image import load
from unica.networks import FoldedConfig, UNetConfig
from unica.training.loop import Trainer

ENGINES = tuple(engines())
TRAINED = tuple(name for name, engine in engines().items() if engine.presets)
NETWORKS = {
    "hybrid": FoldedConfig(16, 1, ordered=True),
    "sinddm": FoldedConfig(32, 1),
    "sindiffusion": UNetConfig(16, (1, 1), fold=2, norm=False),
}


def small_model(engine: str, picture: Image.Image, steps: int = 30) -> Model:
    """What is trained draws everything with its network, unless the engine cannot."""
    if not find(engine).presets:
        return find(engine).open(picture)
    source = load(picture)
    config = find(engine).config("fast", source)
    trainer = Trainer(
        source, replace(config, network=NETWORKS[engine], steps=steps, batch_pixels=4000, detail="network")
    )
    for _ in trainer.run():
        pass
    return trainer.model()
