"""How many inputs property tests try: few in the suite, many with `HYPOTHESIS_PROFILE=fuzz`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("suite", max_examples=50, deadline=None, suppress_health_check=_SLOW)
settings.register_profile("fuzz", max_examples=650, deadline=None, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
