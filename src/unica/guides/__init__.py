"""Guides: functions from the present estimate of the clean picture to another one (`unica.diffusion.Guide`)."""

from unica.guides.mirror import Mirror
from unica.guides.reference import Known, LowPass
from unica.guides.region import Placed, Places
from unica.guides.score import Ascent, Score

__all__ = ["Ascent", "Known", "LowPass", "Mirror", "Placed", "Places", "Score"]
