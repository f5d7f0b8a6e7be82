"""Random views of a picture for a classifier, as SinDDM's authors make them.

They are the augmentations of Text2LIVE (Bar-Tal et al., ECCV 2022): torchvision's RandomHorizontalFlip, RandomAffine,
RandomPerspective, ColorJitter and RandomGrayscale, written here without torchvision. A place is the (x, y) of a pixel's
centre, from (0, 0) at the top left. A matrix maps a view's places to the places where their colours are taken from.
Everything is differentiable in the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unica.image import resize

LONGEST = 320 / 224  # of the long side of a view, as a multiple of a classifier's input side
CROP = 0.6  # the smallest crop, as a share of the picture's sides
TURN = 15.0  # degrees, at most
SHIFT = 0.1  # at most, as a share of a view's sides
DISTORTION = 0.4  # corners move inwards by at most this share of half the sides
JITTER = 0.1  # of brightness, contrast and saturation as factors; of hue as a share of the colour circle
LUMA = (0.299, 0.587, 0.114)  # of RGB

View = Float[Tensor, "3 h w"]  # in [0, 1]
Matrix = Float[Tensor, "3 3"]


def views(
    pictures: Float[Tensor, "b c h w"], count: int, side: int, generators: Sequence[torch.Generator], least: int = 2
) -> Float[Tensor, "views 3 y x"]:
    """`count` views of each picture, those of the first picture first, for a classifier of side x side pictures.

    They have the picture's proportions, except that no side is smaller than `least` pixels. Each picture has its own
    generator (of the CPU), so its views do not depend on the others. Gray is shown as RGB. Transparency, a further
    channel, is not shown.

    Large pictures are shrunk first, so far that the smallest crop has as many pixels as a view. So the time of a step
    hardly depends on the picture's size.
    """
    colours = pictures[:, :3] if pictures.shape[1] >= 3 else pictures[:, :1].expand(-1, 3, -1, -1)
    height, width = pictures.shape[-2:]
    size = view_size(height, width, side, least)
    enough = (min(height, math.ceil(size[0] / CROP)), min(width, math.ceil(size[1] / CROP)))
    seen = [
        augment(cutout, random)
        for picture, random in zip(resize(colours, enough, "bilinear"), generators, strict=True)
        for cutout in cutouts(picture, count, size, random)
    ]
    return torch.stack(seen)


def view_size(height: int, width: int, side: int, least: int = 2) -> tuple[int, int]:
    """Height and width of the views: the short side has `side` pixels, or fewer where the long one would be too long.

    Fractions of pixels are cut off, as in torchvision's Resize.
    """
    short, long = min(height, width), max(height, width)
    small, large, most = side, side * long // short, round(side * LONGEST)
    if large > most:
        small, large = most * small // large, most
    small = max(small, least)
    return (small, large) if height < width else (large, small)


def cutouts(
    picture: View, count: int, size: tuple[int, int], random: torch.Generator
) -> Iterator[Float[Tensor, "3 y x"]]:
    """The whole picture, then random crops of it, all at one size. A crop takes the same share of both sides."""
    height, width = picture.shape[-2:]
    yield resize(picture[None], size, "bilinear")[0]
    for _ in range(count - 1):
        share = _uniform(random, CROP, 1)
        rows, columns = max(int(share * height), 1), max(int(share * width), 1)
        top, left = _whole(random, 0, height - rows), _whole(random, 0, width - columns)
        yield resize(picture[None, :, top : top + rows, left : left + columns], size, "bilinear")[0]


def augment(view: View, random: torch.Generator) -> View:
    """The view after each of `AUGMENTATIONS` that chance picks."""
    for chance, change in AUGMENTATIONS:
        if _uniform(random, 0, 1) < chance:
            view = change(view, random)
    return view


def _flip(view: View, random: torch.Generator) -> View:
    return view.flip(-1)


def _affine(view: View, random: torch.Generator) -> View:
    height, width = view.shape[-2:]
    angle = _uniform(random, -TURN, TURN)
    right, down = (round(_uniform(random, -SHIFT, SHIFT) * side) for side in (width, height))
    return warp(view, turned(height, width, angle, right, down))


def _perspective(view: View, random: torch.Generator) -> View:
    """The view's corners move inwards, each by a random number of pixels along x and along y."""
    height, width = view.shape[-2:]
    right, bottom = width - 1, height - 1
    x, y = ([_whole(random, 0, int(DISTORTION * (side // 2))) for _ in range(4)] for side in (width, height))
    corners = [(0, 0), (right, 0), (right, bottom), (0, bottom)]
    moved = [(x[0], y[0]), (right - x[1], y[1]), (right - x[2], bottom - y[2]), (x[3], bottom - y[3])]
    return warp(view, homography(moved, corners))


def _jitter(view: View, random: torch.Generator) -> View:
    """Brightness, contrast, saturation and hue, changed in a random order."""
    changes: list[tuple[Callable[[View, float], View], float]] = [
        *((change, _uniform(random, 1 - JITTER, 1 + JITTER)) for change in (brightness, contrast, saturation)),
        (hue, _uniform(random, -JITTER, JITTER)),
    ]
    for index in torch.randperm(len(changes), generator=random).tolist():
        change, amount = changes[index]
        view = change(view, amount)
    return view


def _gray(view: View, random: torch.Generator) -> View:
    return luma(view).expand_as(view)


AUGMENTATIONS: tuple[tuple[float, Callable[[View, torch.Generator], View]], ...] = (
    (0.5, _flip),
    (0.8, _affine),
    (0.5, _perspective),
    (0.7, _jitter),
    (0.15, _gray),
)  # each with its probability


# Geometry


def warp(view: View, matrix: Matrix) -> View:
    """The view whose colours at p are those of the given one at `matrix` p. Beyond its edge all is white."""
    height, width = view.shape[-2:]
    across, down = torch.arange(width, device=view.device), torch.arange(height, device=view.device)
    y, x = torch.meshgrid(down, across, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], -1).to(view)
    x, y, depth = (places @ matrix.to(view).mT).unbind(-1)
    grid = torch.stack([(2 * x / depth + 1) / width - 1, (2 * y / depth + 1) / height - 1], -1)[None]
    return F.grid_sample(view[None] - 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0] + 1


def turned(height: int, width: int, angle: float, right: float, down: float) -> Matrix:
    """For a view that is turned clockwise about its middle, by an angle in degrees, and then shifted."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (width - 1) / 2, (height - 1) / 2
    back = torch.tensor([[1, 0, -x - right], [0, 1, -y - down], [0, 0, 1]], dtype=torch.float64)
    turn = torch.tensor([[cos, sin, x], [-sin, cos, y], [0, 0, 1]], dtype=torch.float64)
    return turn @ back


def homography(places: Sequence[tuple[float, float]], sources: Sequence[tuple[float, float]]) -> Matrix:
    """The projective map from four places to four others."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(places, sources, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    solved = torch.linalg.solve(torch.tensor(rows, dtype=torch.float64), torch.tensor(wanted, dtype=torch.float64))
    return torch.cat([solved, solved.new_ones(1)]).view(3, 3)


# Colours


def luma(view: View) -> Float[Tensor, "1 h w"]:
    return torch.einsum("c,chw->hw", view.new_tensor(LUMA), view)[None]


def brightness(view: View, factor: float) -> View:
    return (factor * view).clamp(0, 1)


def contrast(view: View, factor: float) -> View:
    """Differences to the view's mean gray, times the factor."""
    return (factor * view + (1 - factor) * luma(view).mean()).clamp(0, 1)


def saturation(view: View, factor: float) -> View:
    """Differences to each pixel's gray, times the factor."""
    return (factor * view + (1 - factor) * luma(view)).clamp(0, 1)


def hue(view: View, turn: float) -> View:
    """Hues of HSV, turned by a share of the colour circle."""
    value, chroma = view.amax(0), view.amax(0) - view.amin(0)
    red, green, blue = view
    some = torch.where(chroma > 0, chroma, 1)  # gray has no hue, and needs none
    between = torch.where(value == green, 2 + (blue - red) / some, 4 + (red - green) / some)
    sixths = torch.where(value == red, (green - blue) / some, between) + 6 * turn
    k = (sixths + view.new_tensor([5.0, 3.0, 1.0])[:, None, None]) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def _uniform(random: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * torch.rand((), generator=random).item()


def _whole(random: torch.Generator, low: int, high: int) -> int:
    """A whole number, the ends included."""
    return int(torch.randint(low, high + 1, (), generator=random))
