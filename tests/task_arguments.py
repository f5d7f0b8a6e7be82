"""Arguments with which every task runs on a picture of 40x32 or more. A test that claims "every task" uses these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import scenery

from unica import Region
from unica.image import to_pil
from unica.tasks import tasks

OTHER = to_pil(scenery(36, 44, seed=9))
CLIP = str(Path(__file__).parent / "clip")
HOLE = Region(box=[(12, 6, 10, 16)])
PLACEMENT = ((3, 3, 14, 14), (24, 8, 14, 14))


def redness(pictures: Any) -> Any:
    """A score: how much redder than green and blue a picture is."""
    return (pictures[:, 0] - pictures[:, 1:].mean(1)).mean((1, 2))


ARGUMENTS: dict[str, dict[str, Any]] = {
    "analogy": {"content": OTHER},
    "animate": {"frames": 2, "strength": 1.0},
    "edit": {"move": [PLACEMENT]},
    "follow": {"score": redness},
    "harmonize": {"content": OTHER, "where": HOLE},
    "inpaint": {"where": HOLE},
    "mirror": {},
    "objects": {"size_factor": 0.8},
    "outpaint": {"left": 6, "down": 8},
    "paint": {"content": OTHER},
    "region": {"put": [PLACEMENT]},
    "retarget": {"size": (34, 40)},
    "sample": {},
    "style": {"content": OTHER},
    "text": {"prompts": "a red picture", "clip": CLIP, "views": 1},
    "tile": {"axis": "x"},
    "tiles": {"side": 64},
    "upscale": {"factor": 1.5},
}


def every_task() -> list[Any]:
    """A parameter of a test for each task there is. A task without arguments here fails its test."""
    return [pytest.param(name, ARGUMENTS.get(name), id=name) for name in tasks()]
