"""The networks: plain modules with a frozen config each. There is no diffusion in them."""

from __future__ import annotations

import torch
from torch import nn

from unica.networks.folded import Folded, FoldedConfig
from unica.networks.sinddm import SinDDM, SinDDMConfig

NetworkConfig = SinDDMConfig | FoldedConfig
CONFIGS: dict[str, type[SinDDMConfig] | type[FoldedConfig]] = {"sinddm": SinDDMConfig, "folded": FoldedConfig}


def build(config: NetworkConfig) -> nn.Module:
    """A new network, its weights laid out as convolutions are fastest."""
    network = SinDDM(config) if isinstance(config, SinDDMConfig) else Folded(config)
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


__all__ = ["CONFIGS", "Folded", "FoldedConfig", "NetworkConfig", "SinDDM", "SinDDMConfig", "build"]
