"""Guides: functions from the current estimate of the clean picture to another one (`unica.diffusion.Guide`)."""

from unica.guides.mirror import Mirror
from unica.guides.reference import LowPass, kept_at, kept_on, placed_at
from unica.guides.region import Placed, Places
from unica.guides.score import Ascent, Held, Score, Scored, Steered

__all__ = [
    "Ascent",
    "Held",
    "LowPass",
    "Mirror",
    "Placed",
    "Places",
    "Score",
    "Scored",
    "Steered",
    "kept_at",
    "kept_on",
    "placed_at",
]
