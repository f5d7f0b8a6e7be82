"""The networks: plain modules with a frozen config each. There is no diffusion in them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from unica.networks.folded import Folded, FoldedConfig, order_channels
from unica.networks.sinddm import SinDDM, SinDDMConfig
from unica.networks.unet import UNet, UNetConfig, UNets, with_receptive_field

NetworkConfig = SinDDMConfig | FoldedConfig | UNetConfig
_NETWORKS = {SinDDMConfig: SinDDM, FoldedConfig: Folded, UNetConfig: UNets}
CONFIGS: dict[str, type[NetworkConfig]] = {"sinddm": SinDDMConfig, "folded": FoldedConfig, "unet": UNetConfig}


def build(config: NetworkConfig, checkpointing: bool = False) -> nn.Module:
    """A new network, laid out in memory as convolutions run fastest.

    `checkpointing` saves memory when training: the backward pass computes features again instead of keeping them. Only
    the U-Net can do that.
    """
    network = _NETWORKS[type(config)](config)
    for part in network.modules():
        if isinstance(part, UNet):
            part.checkpointing = checkpointing
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def weights_of(config: NetworkConfig) -> dict[str, torch.Tensor]:
    """The names, shapes and types of a network's weights, as tensors that take no memory."""
    if isinstance(config, UNetConfig) and config.levels > 1:
        one = weights_of(replace(config, levels=1))
        return {f"{level}{name[1:]}": weight for level in range(config.levels) for name, weight in one.items()}
    with torch.device("meta"):
        return build(config).state_dict()


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
    "order_channels",
    "weights_of",
    "with_receptive_field",
]
