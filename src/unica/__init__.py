"""unica: a generative model from one image.

    import unica
    model = unica.open("photo.jpg")  # or unica.train("photo.jpg", budget="10m"), or unica.load("photo.unica")
    pictures = unica.sample(model, count=4, size=(512, 256), seed=7)
    for frame in unica.stream(unica.sample, model): ...

Every task (`sample`, `outpaint`, `inpaint`, ...) is a function here and a method of a model. What is heavy is imported
at first use, so that `import unica` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unica.errors import UnicaError
from unica.threads import set_defaults

if TYPE_CHECKING:
    from unica.engines.author_checkpoints import import_checkpoint
    from unica.engines.base import Engine, Model, open
    from unica.engines.files import load
    from unica.engines.train import train
    from unica.engines.trained import TrainedModel
    from unica.maps import Maps
    from unica.pipeline import Pipeline
    from unica.prompts import Prompt
    from unica.regions import Region
    from unica.tasks.declare import stream
    from unica.tasks.large import LargeCanvas, canvas
    from unica.tasks.run import Frame

set_defaults()

__version__ = "0.1.0"
__all__ = [
    "Engine",
    "Frame",
    "LargeCanvas",
    "Maps",
    "Model",
    "Pipeline",
    "Prompt",
    "Region",
    "TrainedModel",
    "UnicaError",
    "__version__",
    "canvas",
    "import_checkpoint",
    "load",
    "open",
    "stream",
    "train",
]

_HOMES = {
    "Engine": "engines.base",
    "Frame": "tasks.run",
    "LargeCanvas": "tasks.large",
    "Maps": "maps.source",
    "Model": "engines.base",
    "Pipeline": "pipeline",
    "Prompt": "prompts",
    "Region": "regions",
    "TrainedModel": "engines.trained",
    "canvas": "tasks.large",
    "import_checkpoint": "engines.author_checkpoints",
    "load": "engines.files",
    "open": "engines.base",
    "stream": "tasks.declare",
    "train": "engines.train",
}


def __getattr__(name: str) -> Any:
    """A public name, from its module; or a task."""
    if name.startswith("__"):
        raise AttributeError(name)
    functions = import_module("unica.tasks").FUNCTIONS  # also makes the tasks methods of models
    if name in _HOMES:
        return getattr(import_module(f"unica.{_HOMES[name]}"), name)
    if name in functions:
        return functions[name]
    raise AttributeError(f"module 'unica' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *import_module("unica.tasks").FUNCTIONS])
