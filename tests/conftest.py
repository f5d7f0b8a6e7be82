"""Generated pictures, a model of each engine, and how many inputs property tests try, which all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import unica  # noqa: F401  (before torch is loaded: it sets how idle threads wait)

# isort: split
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image
from torch import Tensor

from unica.engines.base import engines
from unica.image import to_pil

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("suite", max_examples=25, deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("fuzz", max_examples=650, deadline=None, print_blob=True, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

SHARED = Path(__file__).resolve().parents[2] / "shared"


def scenery(height: int = 48, width: int = 64, channels: int = 3, seed: int = 0) -> Tensor:
    """A small picture with a smooth sky, rough ground and a few dots. "c h w" in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.linspace(0, 1, height)[:, None].expand(height, width)
    ground = (rows > 0.6).float()
    noise = torch.rand(channels, height, width, generator=random) - 0.5
    picture = (rows - 0.5) * (1 - ground) + ground * (noise - 0.2)
    for _ in range(4):
        i = int(torch.randint(0, height // 2, (), generator=random))
        j = int(torch.randint(0, max(width - 4, 1), (), generator=random))
        picture[:, i : i + 4, j : j + 4] = torch.rand(channels, 1, 1, generator=random) * 1.8 - 0.9
    return picture.clamp(-1, 1)


@contextmanager
def full_disk() -> Iterator[None]:
    """Writing more than a few bytes to a file fails, as on a full disk."""
    resource = pytest.importorskip("resource")  # POSIX
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(scope="session", params=engines())
def any_model(request) -> Any:
    """A small model of each installed engine. All tests share it, because a run leaves nothing on it."""
    from engines import small_model

    return small_model(request.param, to_pil(scenery(48, 64)))


@pytest.fixture(scope="session", params=engines())
def tiny_model(request) -> Any:
    """A model of each engine, as quick as can be: of a smaller picture, or trained for two steps."""
    from engines import small_model

    size = (48, 64) if engines()[request.param].presets else (32, 40)
    return small_model(request.param, to_pil(scenery(*size)), steps=2)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = ((scenery(32, 40) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path
