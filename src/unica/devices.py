"""Devices and number formats: what `--device` and `--precision` mean."""

from __future__ import annotations

import torch

from unica.errors import UnicaError, one_of

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bf16")


def find_device(name: str) -> torch.device:
    """The device of this name. "auto" is a GPU if torch can use one, and else the CPU."""
    one_of("device", name, DEVICES)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, usable in there.items() if usable)
    if not there[name]:
        raise UnicaError(f"this machine has no {name} device that torch can use; leave --device at auto")
    return torch.device(name)


def find_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The number format of matrix products and convolutions. "auto" is bf16 where the device computes it faster."""
    one_of("precision", precision, PRECISIONS)
    if precision == "auto":
        return torch.bfloat16 if _bf16_is_fast(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _bf16_is_fast(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type == "cpu":
        return any(
            bool(getattr(torch.cpu, name, bool)()) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
    return False
