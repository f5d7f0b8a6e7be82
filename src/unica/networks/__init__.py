"""The networks: plain modules with a frozen config each. There is no diffusion in them."""

from __future__ import annotations

import torch
from torch import nn

from unica.networks.folded import Folded, FoldedConfig
from unica.networks.sinddm import SinDDM, SinDDMConfig
from unica.networks.unet import UNetConfig, UNets, structure

NetworkConfig = SinDDMConfig | FoldedConfig | UNetConfig
_NETWORKS = {SinDDMConfig: SinDDM, FoldedConfig: Folded, UNetConfig: UNets}
CONFIGS: dict[str, type[NetworkConfig]] = {"sinddm": SinDDMConfig, "folded": FoldedConfig, "unet": UNetConfig}


def build(config: NetworkConfig, frugal: bool = False) -> nn.Module:
    """A new network, its weights laid out as convolutions are fastest. A frugal one keeps less for backward passes and
    computes it again."""
    network = _NETWORKS[type(config)](config)
    for part in network.modules():
        if hasattr(part, "frugal"):
            part.frugal = frugal
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


__all__ = [
    "CONFIGS",
    "Folded",
    "FoldedConfig",
    "NetworkConfig",
    "SinDDM",
    "SinDDMConfig",
    "UNetConfig",
    "UNets",
    "build",
    "structure",
]
