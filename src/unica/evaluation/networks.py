"""Loading the networks that measures look through. If one cannot be had, its measures are absent; the others run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unica.errors import UnicaError
from unica.metrics import Network, measures


@dataclass(frozen=True)
class Networks:
    """The networks that are loaded, and for each measure whose network is not, the reason."""

    loaded: Mapping[Network, Any] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)  # measure -> why


def load_networks(folder: Path | None = None) -> Networks:
    """Every network that some measure needs. Weights are read from the folder, or else from the user's cache, where
    missing ones are downloaded."""
    needing = [(measure.name, measure.network) for measure in measures() if measure.network is not None]
    loaded: dict[Network, Any] = {}
    failures: dict[Network, str] = {}
    for network in dict.fromkeys(network for _, network in needing):
        try:
            loaded[network] = network.load(folder)
        except UnicaError as error:
            failures[network] = str(error)
    return Networks(loaded, {name: failures[network] for name, network in needing if network in failures})
