"""unica: a generative model from one image.

    import unica
    model = unica.open("photo.jpg")
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
    from unica.model import Model, open
    from unica.tasks import Frame, sample, stream

# torch's idle OpenMP threads would spin where the compiled loops' threads work; read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
__all__ = ["Frame", "Model", "UnicaError", "__version__", "open", "sample", "stream"]

_HOMES = {"Model": "model", "open": "model", "Frame": "tasks", "sample": "tasks", "stream": "tasks"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'unica' has no attribute {name!r}")
    return getattr(import_module(f"unica.{_HOMES[name]}"), name)
