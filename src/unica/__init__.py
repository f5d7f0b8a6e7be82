"""unica: a generative model from one image.

    import unica
    model = unica.open("photo.jpg")  # or unica.train("photo.jpg", budget="10m"), or unica.load("photo.unica")
    pictures = unica.sample(model, count=4, size=(512, 256), seed=7)
    for frame in unica.stream(unica.sample, model): ...

What is heavy is imported at first use, so that `import unica` costs nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from unica.errors import UnicaError

if TYPE_CHECKING:
    from unica.foreign import import_checkpoint
    from unica.guides.clip import Prompt
    from unica.instant import open
    from unica.model import Model
    from unica.regions import Region
    from unica.session import train
    from unica.tasks import (
        Frame,
        analogy,
        animate,
        edit,
        follow,
        harmonize,
        inpaint,
        mirror,
        objects,
        outpaint,
        paint,
        region,
        retarget,
        sample,
        stream,
        style,
        text,
        tile,
        upscale,
    )
    from unica.trained import TrainedModel, load

# torch's idle OpenMP threads would spin where the compiled loops' threads work; read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
__all__ = [
    "Frame",
    "Model",
    "Prompt",
    "Region",
    "TrainedModel",
    "UnicaError",
    "__version__",
    "analogy",
    "animate",
    "edit",
    "follow",
    "harmonize",
    "import_checkpoint",
    "inpaint",
    "load",
    "mirror",
    "objects",
    "open",
    "outpaint",
    "paint",
    "region",
    "retarget",
    "sample",
    "stream",
    "style",
    "text",
    "tile",
    "train",
    "upscale",
]

_HOMES = {
    "Frame": "tasks",
    "Model": "model",
    "Prompt": "guides.clip",
    "Region": "regions",
    "TrainedModel": "trained",
    "analogy": "tasks",
    "animate": "tasks",
    "edit": "tasks",
    "follow": "tasks",
    "harmonize": "tasks",
    "import_checkpoint": "foreign",
    "inpaint": "tasks",
    "load": "trained",
    "mirror": "tasks",
    "objects": "tasks",
    "open": "instant",
    "outpaint": "tasks",
    "paint": "tasks",
    "region": "tasks",
    "retarget": "tasks",
    "sample": "tasks",
    "stream": "tasks",
    "style": "tasks",
    "text": "tasks",
    "tile": "tasks",
    "train": "session",
    "upscale": "tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'unica' has no attribute {name!r}")
    return getattr(import_module(f"unica.{_HOMES[name]}"), name)
