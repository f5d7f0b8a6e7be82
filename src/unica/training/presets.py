"""What the engines' `fast` presets have in common. How the values were found is in docs/notes/training.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FAST: Mapping[str, Any] = {
    "preset": "fast",
    "output": "residual",
    "steps": None,
    "loss": "l2",
    "optimizer": "muon",
    "learning_rate": 3e-3,
    "halved_at": None,
    "ema": 0.998,
    "clip_norm": 1.0,
    "warmup": 50,
    "random_resize": 0.25,
    "detail": "patches",
}
