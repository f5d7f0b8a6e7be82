"""Guides: functions from the present estimate of the clean picture to another one (`unica.diffusion.Guide`)."""

from unica.guides.score import Ascent, Score

__all__ = ["Ascent", "Score"]
