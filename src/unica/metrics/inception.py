"""The InceptionV3 of FID, without torchvision, and SIFID on four of its layers.

The network is the TensorFlow one of 2015 that Heusel et al. (2017) used. Weights and names of modules are those of
pytorch-fid. Averages leave the padding out, and the pool of the last block takes the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from unica.metrics.base import Network, Sample, Source, every_side, measure
from unica.metrics.frechet import frechet_of_features
from unica.weights import Weight, find

WEIGHT = Weight(
    "pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "Apache-2.0",
)
LAYERS = {64: "after the first pooling", 192: "after the second pooling", 768: "after Mixed_6e", 2048: "after Mixed_7c"}
SMALLEST = 75  # pixels a side; below, nothing is left of the last layer

Kernel = tuple[int, int]
Pool = Callable[[Tensor], Tensor]


class _Step(NamedTuple):
    channels: int
    kernel: Kernel = (1, 1)
    stride: int = 1
    padded: bool = True


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _largest(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


def _halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2)


class _Conv(nn.Module):
    def __init__(self, channels: int, step: _Step) -> None:
        super().__init__()
        padding = (step.kernel[0] // 2, step.kernel[1] // 2) if step.padded else (0, 0)
        self.conv = nn.Conv2d(channels, step.channels, step.kernel, step.stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(step.channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Mixed(nn.Module):
    """Parallel branches: chains of convolutions (the last may fork into `a` and `b`), and a pooling."""

    def __init__(self, channels: int, branches: Mapping[str, list[_Step | tuple[_Step, _Step]]], pool: Pool) -> None:
        super().__init__()
        self.pool = pool
        self.chains: dict[str, list[list[str]]] = {}
        for branch, steps in branches.items():
            self.chains[branch], inside = [], channels
            for number, step in enumerate(steps, start=1):
                name = f"{branch}_{number}" if len(steps) > 1 else branch
                forks = {name: step} if isinstance(step, _Step) else dict(zip((name + "a", name + "b"), step))
                for fork, one in forks.items():
                    self.add_module(fork, _Conv(inside, one))
                self.chains[branch].append(list(forks))
                inside = sum(one.channels for one in forks.values())

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for branch, chain in self.chains.items():
            y = self.pool(x) if branch == "branch_pool" else x
            for names in chain:
                y = torch.cat([self.get_submodule(name)(y) for name in names], 1)
            outputs.append(y)
        return torch.cat(outputs if "branch_pool" in self.chains else [*outputs, self.pool(x)], 1)


def _a(channels: int, pooled: int) -> _Mixed:
    three = _Step(96, (3, 3))
    return _Mixed(
        channels,
        {
            "branch1x1": [_Step(64)],
            "branch5x5": [_Step(48), _Step(64, (5, 5))],
            "branch3x3dbl": [_Step(64), three, three],
            "branch_pool": [_Step(pooled)],
        },
        _average,
    )


def _b(channels: int) -> _Mixed:
    doubled: list[_Step | tuple[_Step, _Step]] = [_Step(64), _Step(96, (3, 3)), _Step(96, (3, 3), 2, False)]
    return _Mixed(channels, {"branch3x3": [_Step(384, (3, 3), 2, False)], "branch3x3dbl": doubled}, _halve)


def _c(inner: int) -> _Mixed:
    wide, tall = _Step(inner, (1, 7)), _Step(inner, (7, 1))
    return _Mixed(
        768,
        {
            "branch1x1": [_Step(192)],
            "branch7x7": [_Step(inner), wide, _Step(192, (7, 1))],
            "branch7x7dbl": [_Step(inner), tall, wide, tall, _Step(192, (1, 7))],
            "branch_pool": [_Step(192)],
        },
        _average,
    )


def _d(channels: int) -> _Mixed:
    return _Mixed(
        channels,
        {
            "branch3x3": [_Step(192), _Step(320, (3, 3), 2, False)],
            "branch7x7x3": [_Step(192), _Step(192, (1, 7)), _Step(192, (7, 1)), _Step(192, (3, 3), 2, False)],
        },
        _halve,
    )


def _e(channels: int, pool: Pool) -> _Mixed:
    fork = (_Step(384, (1, 3)), _Step(384, (3, 1)))
    return _Mixed(
        channels,
        {
            "branch1x1": [_Step(320)],
            "branch3x3": [_Step(384), fork],
            "branch3x3dbl": [_Step(448), _Step(384, (3, 3)), fork],
            "branch_pool": [_Step(192)],
        },
        pool,
    )


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, _Step(32, (3, 3), 2, False))
        self.Conv2d_2a_3x3 = _Conv(32, _Step(32, (3, 3), 1, False))
        self.Conv2d_2b_3x3 = _Conv(32, _Step(64, (3, 3)))
        self.Conv2d_3b_1x1 = _Conv(64, _Step(80))
        self.Conv2d_4a_3x3 = _Conv(80, _Step(192, (3, 3), 1, False))
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = _b(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = _c(128), _c(160), _c(160), _c(192)
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = _d(768), _e(1280, _average), _e(2048, _largest)
        self.requires_grad_(False).eval()

    @classmethod
    def load(cls, path: str | Path) -> Inception:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = cls()
        network.load_state_dict({name: value for name, value in state.items() if not name.startswith("fc.")})
        return network

    def forward(self, image: Float[Tensor, "b c h w"]) -> dict[int, Float[Tensor, "b _ _ _"]]:
        """The features of a picture in [-1, 1] at its own size, by the number of channels of their layer."""
        if min(image.shape[-2:]) < SMALLEST:
            raise ValueError(f"Inception needs {SMALLEST} pixels a side, not {image.shape[-1]}x{image.shape[-2]}")
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(image.expand(-1, 3, -1, -1))))
        first = _halve(x)
        second = _halve(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(first)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(second))))
        sixth = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        seventh = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(sixth)))
        return {64: first, 192: second, 768: sixth, 2048: seventh}


@torch.no_grad()
def sifid(output: Float[Tensor, "1 c h w"], source: Float[Tensor, "1 k y x"], network: nn.Module) -> dict[int, float]:
    """Single-image FID ("SinGAN", Shaham et al., ICCV 2019, Sec. 3.2), by the number of channels of the layer.

    It is the Fréchet distance between the features at all positions of the two pictures. Pictures are not resized.
    The layers 64 and 192 are the outputs of the first and second pooling. SinGAN uses the inputs of a pooling: its
    paper of the second, its script of the first or (in another version) of the second, with torchvision's weights. So
    published numbers can be compared with each other, but not with these.
    """
    return _distances(network(output), network(source))


def _distances(ours: Mapping[int, Tensor], theirs: Mapping[int, Tensor]) -> dict[int, float]:
    return {
        channels: frechet_of_features(*(maps[channels].movedim(1, -1).flatten(0, -2) for maps in (ours, theirs)))
        for channels in LAYERS
    }


@torch.no_grad()
def _sifids(sample: Sample, network: nn.Module) -> dict[int, float]:
    return _distances(network(sample.pixels), sample.source.once(_source_layers, network))


@torch.no_grad()
def _source_layers(source: Source, network: nn.Module) -> dict[int, Tensor]:
    return network(source.pixels)


def _load(folder: Path | None) -> Inception:
    return Inception.load(find(WEIGHT, folder))


def _declare(channels: int, network: Network) -> None:
    @measure(
        f"sifid_{channels}",
        "fidelity",
        "lower",
        f"SIFID, {channels} channels",
        f"Fréchet distance between the Inception features of all positions, {LAYERS[channels]}; needs sides of at"
        f" least {SMALLEST} pixels",
        network=network,
        needs=(every_side(SMALLEST),),
        outliers=True,
    )
    def distance(sample: Sample, loaded: nn.Module) -> float:
        return sample.once(_sifids, loaded)[channels]


INCEPTION = Network(_load, (WEIGHT,))
for _channels in LAYERS:
    _declare(_channels, INCEPTION)
