"""The networks: plain modules with a frozen config each. There is no diffusion in them."""

from __future__ import annotations

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
