"""Which device and which numbers: what `--device` and `--precision` mean."""

from __future__ import annotations

import torch

from unica.errors import UnicaError


def find_device(name: str) -> torch.device:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if name not in there:
        raise UnicaError(f"device must be auto, cpu, cuda or mps, not {name}")
    if not there[name]:
        raise UnicaError(f"this machine has no {name} device that torch can use; leave --device at auto")
    return torch.device(name)


def find_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Of matrix products and convolutions. bf16 where the device multiplies it faster than float32."""
    if precision not in ("auto", "float32", "bf16"):
        raise UnicaError(f"precision must be auto, float32 or bf16, not {precision}")
    if precision == "auto":
        return torch.bfloat16 if _multiplies_bf16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type == "cpu":
        return any(
            bool(getattr(torch.cpu, name, bool)()) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
    return False
