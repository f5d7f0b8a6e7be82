"""Procedural pictures with captions, and judges that measure without any model how well a picture fits a prompt.

Pictures are "c h w" in [0, 1]. `scenes` are all that there is to draw; `draw` varies shade, texture, light, size, place
and blur with its seed, and `captions` says what is true of every such picture. A caption is true of a scene if and only
if it is among that scene's own.
"""

from __future__ import annotations

import colorsys
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Picture = Float[Tensor, "c h w"]
Plane = Float[Tensor, "h w"]
Judge = Callable[[Picture], float]  # larger is more as the prompt says


class Colour(NamedTuple):
    """From where to where hue, saturation and value go under one name."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]

    def rgb(self, h: float = 0.5, s: float = 0.5, v: float = 0.5) -> Float[Tensor, "3"]:
        """The colour at these shares of its ranges."""
        hsv = [low + (high - low) * share for (low, high), share in zip(self, (h, s, v))]
        return torch.tensor(colorsys.hsv_to_rgb(hsv[0] % 1, hsv[1], hsv[2]))


COLOURS = {
    "red": Colour((-0.02, 0.02), (0.75, 1), (0.6, 1)),
    "orange": Colour((0.06, 0.09), (0.85, 1), (0.88, 1)),
    "yellow": Colour((0.14, 0.17), (0.65, 1), (0.85, 1)),
    "green": Colour((0.28, 0.40), (0.6, 1), (0.35, 0.8)),
    "blue": Colour((0.57, 0.66), (0.65, 1), (0.55, 1)),
    "purple": Colour((0.75, 0.81), (0.55, 0.9), (0.4, 0.75)),
    "pink": Colour((0.90, 0.95), (0.3, 0.55), (0.9, 1)),
    "brown": Colour((0.05, 0.08), (0.55, 0.8), (0.28, 0.5)),
    "white": Colour((0, 1), (0, 0.06), (0.92, 1)),
    "gray": Colour((0, 1), (0, 0.06), (0.38, 0.6)),
    "black": Colour((0, 1), (0, 0.3), (0, 0.12)),
}
SURFACES = ("plain", "smooth", "rough")
STRIPES = ("horizontal stripes", "vertical stripes")
SHAPES = ("circle", "square", "triangle")
PLACES = {"left": (0.0, -0.5), "right": (0.0, 0.5), "top": (-0.5, 0.0), "bottom": (0.5, 0.0), "centre": (0.0, 0.0)}
_MIXED = (*STRIPES, "checks")  # of two colours that may change places


@dataclass(frozen=True)
class Scene:
    """A surface, a landscape of two halves, a pattern, or a shape at a place."""

    kind: str
    first: str  # of the surface, the sky, the dots or the shape
    second: str | None = None  # of the ground or the background
    place: str | None = None

    @property
    def held_out(self) -> bool:
        """One of eight combinations of two colours is kept from training."""
        return self.second is not None and zlib.crc32(repr(self).encode()) % 8 == 0

    @property
    def sided(self) -> bool:
        """Whether its mirror image is another scene."""
        return self.place in ("left", "right")


def scenes() -> list[Scene]:
    """All that there are."""
    return [
        *(Scene(kind, colour) for kind in SURFACES for colour in COLOURS),
        *(Scene(kind, *pair) for kind in _MIXED for pair in combinations(COLOURS, 2)),
        *(Scene(kind, *pair) for kind in ("landscape", "dots") for pair in permutations(COLOURS, 2)),
        *(Scene(kind, *pair, place) for kind in SHAPES for pair in permutations(COLOURS, 2) for place in PLACES),
    ]


# Captions

_SURFACE = ("a {0} picture", "a {0} surface", "a {0} wall", "everything is {0}", "the colour {0}")
_STRIPES = (
    "{0} and {1} {way} stripes",
    "{way} stripes of {0} and {1}",
    "{way} {0} stripes on a {1} background",
    "{0} {way} stripes",
    "{way} {0} stripes",
    "{way} stripes",
    "a picture with {way} stripes",
)
_WORDINGS = {
    "plain": _SURFACE,
    "smooth": ("a smooth {0} picture", "a smooth {0} surface", *_SURFACE, "a smooth picture", "a smooth surface"),
    "rough": ("a rough {0} picture", "a rough {0} surface", *_SURFACE, "a rough picture", "a rough surface"),
    "landscape": (
        "a {0} sky over {1} ground",
        "a {0} sky above {1} ground",
        "{1} ground under a {0} sky",
        "a {0} sky",
        "{1} ground",
        "a landscape with a {0} sky",
        "a landscape",
    ),
    "horizontal stripes": tuple(words.replace("{way}", "horizontal") for words in _STRIPES),
    "vertical stripes": tuple(words.replace("{way}", "vertical") for words in _STRIPES),
    "checks": (
        "{0} and {1} checks",
        "a checkerboard of {0} and {1}",
        "a {0} and {1} checkerboard",
        "{0} checks",
        "checks",
        "a checkerboard",
    ),
    "dots": (
        "{0} dots on a {1} background",
        "{0} circles on a {1} background",
        "{0} dots on {1}",
        "a {1} picture with {0} dots",
        "{0} dots",
        "{0} circles",
        "many dots",
    ),
    **{
        shape: (
            f"a {{0}} {shape} {{place}} of a {{1}} picture",
            f"a {{0}} {shape} {{place}} on a {{1}} background",
            f"a {{0}} {shape} on a {{1}} background",
            f"a {{0}} {shape} {{place}}",
            f"a {{0}} {shape}",
            f"a {shape} {{place}}",
            f"a {shape}",
        )
        for shape in SHAPES
    },
}


def captions(scene: Scene) -> list[str]:
    """What is true of the scene, the fullest first."""
    colours = [(scene.first, scene.second)]
    if scene.kind in _MIXED:
        colours.append((scene.second or "", scene.first))
    where = "in the centre" if scene.place == "centre" else f"at the {scene.place}"
    said = [words.format(*pair, place=where) for words in _WORDINGS[scene.kind] for pair in colours]
    return [text.replace("a orange", "an orange") for text in dict.fromkeys(said)]


# Drawing


class _Dice:
    """Random numbers of one picture."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)

    def __call__(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self.random).item()

    def noise(self, channels: int, height: int, width: int, slope: float) -> Picture:
        """Gaussian noise of amplitudes 1/f^slope, with mean 0 and variance 1."""
        return noise(torch.randn(channels, height, width, generator=self.random), slope)


def noise(white: Float[Tensor, "*b h w"], slope: float) -> Float[Tensor, "*b h w"]:
    """White noise made 1/f^slope noise: 0 is white, 1 is about as rough as photographs."""
    height, width = white.shape[-2:]
    fy, fx = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)
    f = (fy.square() + fx.square()).sqrt()
    gain = torch.where(f > 0, f.clamp_min(1e-6) ** -slope, 0)
    shaped = torch.fft.irfft2(torch.fft.rfft2(white) * gain, (height, width))
    return shaped / shaped.std((-2, -1), keepdim=True)


def photographic(count: int, seed: int, size: int = 64) -> Float[Tensor, "n 3 size size"]:
    """1/f noise of gray and brownish colours: pictures of nothing."""
    random = torch.Generator().manual_seed(seed)
    white = torch.randn(count, 3, size, size, generator=random)
    light, hue = noise(white, 1.4).split((1, 2), 1)
    level, contrast, warmth = torch.rand(3, count, 1, 1, 1, generator=random)
    warm, other = (0.04 * hue + 0.12 * warmth).split(1, 1)
    tint = torch.cat([warm, (warm - other) / 4, -other], 1)
    return (0.3 + 0.4 * level + (0.08 + 0.14 * contrast) * light + tint).clamp(0, 1)


def draw(scene: Scene, seed: int, size: int = 64) -> Float[Tensor, "3 size size"]:
    dice = _Dice(seed)
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, size)], indexing="ij")
    wobble = dice.noise(2, size, size, 1.6) * dice(0, 0.03)
    share = _share(scene, y + wobble[0], x + wobble[1], dice)
    picture = _surface(scene.first, scene.kind, size, dice)
    if scene.second is not None:
        picture = share * picture + (1 - share) * _surface(scene.second, scene.kind, size, dice)
    angle, slant = dice(0, 2 * math.pi), dice(0, 0.15)
    picture = picture * (1 - slant + slant * (math.cos(angle) * x + math.sin(angle) * y))
    picture = picture + dice(0, 0.03) * dice.noise(3, size, size, 0)
    return blur(picture, dice(0, 1) if scene.kind != "rough" else 0).clamp(0, 1)


def _surface(colour: str, kind: str, size: int, dice: _Dice) -> Picture:
    """A shade of a colour with a texture."""
    shade = COLOURS[colour].rgb(dice(0, 1), dice(0, 1), dice(0, 1))[:, None, None]
    slope, depth = dice(0.8, 1.5), dice(0, 0.12)
    if kind == "rough":
        slope, depth = dice(0, 0.5), dice(0.2, 0.4)
    elif kind == "smooth":
        depth = 0
    grain = depth * dice.noise(1, size, size, slope)
    return (shade * (1 + grain) + 0.2 * grain).clamp(0, 1)


def _share(scene: Scene, y: Plane, x: Plane, dice: _Dice) -> Plane:
    """How much of the first colour each pixel has."""
    edge, tilt = math.exp(dice(1, 3)), dice(-0.1, 0.1)
    y, x = y + tilt * x, x - tilt * y
    rate, ratio, phase = math.pi * dice(2.5, 6.5), dice(0.85, 1.18), (dice(0, 7), dice(0, 7))
    rows, columns = rate * y + phase[0], ratio * rate * x + phase[1]
    match scene.kind:
        case "landscape":
            return torch.sigmoid(2 * edge * (dice(-0.25, 0.25) - y))
        case "horizontal stripes":
            return torch.sigmoid(edge * rows.sin())
        case "vertical stripes":
            return torch.sigmoid(edge * columns.sin())
        case "checks":
            return torch.sigmoid(2 * edge * rows.sin() * columns.sin())
        case "dots":
            return torch.sigmoid(edge * (rows.cos() + columns.cos() - dice(0.2, 0.8)))
        case "circle" | "square" | "triangle":
            top, left = PLACES[scene.place or "centre"]
            y, x = y - top - dice(-0.1, 0.1), x - left - dice(-0.1, 0.1)
            return torch.sigmoid(4 * edge * (dice(0.3, 0.45) - _radius(scene.kind, y, x)))
    return torch.ones_like(y)


def _radius(shape: str, y: Plane, x: Plane) -> Plane:
    """A distance whose balls are such shapes."""
    if shape == "circle":
        return (y.square() + x.square() + 1e-6).sqrt()
    if shape == "square":
        return torch.maximum(y.abs(), x.abs()) / 0.9
    return torch.maximum(y, 1.8 * x.abs() - 0.9 * y) / 0.95


def blur(picture: Float[Tensor, "*b c h w"], sigma: float) -> Float[Tensor, "*b c h w"]:
    """By a Gaussian of sigma pixels."""
    if sigma < 0.1:
        return picture
    reach = math.ceil(3 * sigma)
    kernel = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    planes = picture.reshape(-1, 1, *picture.shape[-2:])
    planes = F.conv2d(F.pad(planes, (reach, reach, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    planes = F.conv2d(F.pad(planes, (0, 0, reach, reach), mode="replicate"), kernel.view(1, 1, -1, 1))
    return planes.view_as(picture)


# Judges


def lab(picture: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """CIE L*a*b* of sRGB, white at D65."""
    linear = torch.where(picture <= 0.04045, picture / 12.92, ((picture.clamp_min(0) + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    to_xyz = to_xyz / to_xyz.sum(1, keepdim=True)
    x, y, z = (f.clamp_min(1e-6) for f in torch.einsum("ij,jhw->ihw", to_xyz, linear))
    x, y, z = (torch.where(f > 216 / 24389, f ** (1 / 3), (24389 / 27 * f + 16) / 116) for f in (x, y, z))
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def closeness(picture: Picture, colour: str) -> Plane:
    """1 where a pixel has the colour, 1/2 at 30 units of Lab from it."""
    target = lab(COLOURS[colour].rgb()[:, None, None])
    distance = (lab(picture) - target).square().sum(0) / 30**2
    return 1 / (1 + distance)


def upright(picture: Picture) -> float:
    """The share of vertical edges less that of horizontal ones: from -1, all is horizontal, to 1."""
    fine = blur(picture, 1)
    across = (fine[:, :, 2:] - fine[:, :, :-2]).square().mean().item()
    down = (fine[:, 2:] - fine[:, :-2]).square().mean().item()
    return (across - down) / (across + down + 1e-8)


def _correlations(picture: Picture) -> Callable[[int, int], float]:
    """How alike the picture and itself some rows and columns away are: covariance over variance."""
    centred = blur(picture, 0.7) - picture.mean((1, 2), keepdim=True)
    variance = centred.square().mean().item() + 1e-8
    height, width = picture.shape[-2:]

    def at(rows: int, columns: int) -> float:
        here = centred[:, max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)]
        there = centred[:, max(-rows, 0) : height + min(-rows, 0), max(-columns, 0) : width + min(-columns, 0)]
        return (here * there).mean().item() / variance

    return at


def checked(picture: Picture) -> float:
    """Unlike its neighbours beside and above, like those at the corners: 1 for checks, less than 0 for most else."""
    at = _correlations(picture)
    size = picture.shape[-1]
    steps = range(size // 16, size // 3)
    return max(at(p, q) + at(p, -q) - at(p, 0) - at(0, q) for p in steps for q in steps) / 4


def dotted(picture: Picture) -> float:
    """Like itself a period away along rows and columns, unlike half way: more than 0 for dots, less for most else."""
    at = _correlations(picture)
    size = picture.shape[-1]
    periods = range(size // 8, size // 2, 2)
    along = {p: (at(p, 0), at(p // 2, 0), at(0, p), at(0, p // 2)) for p in periods}
    return max(
        min(along[p][0], along[q][2]) - max(along[p][1], along[q][3], at(p // 2, q // 2))
        for p in periods
        for q in periods
        if 0.7 < p / q < 1.5
    )


def grain(picture: Picture) -> float:
    """How far pixels are from their surroundings, in units of 0.1."""
    return 10 * (picture - blur(picture, 1.5)).abs().mean().item()


def _all(colour: str) -> Judge:
    return lambda picture: closeness(picture, colour).mean().item()


def _halves(sky: str, ground: str) -> Judge:
    def judge(picture: Picture) -> float:
        middle = picture.shape[1] // 2
        return (closeness(picture[:, :middle], sky).mean() + closeness(picture[:, middle:], ground).mean()).item() / 2

    return judge


def _either(one: str, other: str) -> Judge:
    return lambda picture: torch.maximum(closeness(picture, one), closeness(picture, other)).mean().item()


def _placed(colour: str, place: str) -> Judge:
    """Of a window around the place, less the rest of the picture."""

    def judge(picture: Picture) -> float:
        close = closeness(picture, colour)
        y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in close.shape), indexing="ij")
        top, left = PLACES[place]
        inside = ((y - top).abs() < 0.35) & ((x - left).abs() < 0.35)
        return (close[inside].mean() - close[~inside].mean()).item()

    return judge


def _both(one: Judge, other: Judge) -> Judge:
    return lambda picture: (one(picture) + other(picture)) / 2


_JUDGES: dict[str, Judge] = {
    "a red picture": _all("red"),
    "a blue picture": _all("blue"),
    "a purple picture": _all("purple"),
    "a red sky over green ground": _halves("red", "green"),
    "a blue sky over yellow ground": _halves("blue", "yellow"),
    "horizontal stripes": lambda picture: -upright(picture),
    "vertical stripes": upright,
    "blue and white vertical stripes": _both(upright, _either("blue", "white")),
    "black and white checks": _both(checked, _either("black", "white")),
    "red dots on a white background": _both(dotted, _either("red", "white")),
    "a yellow square at the left": _placed("yellow", "left"),
    "a green circle in the centre": _placed("green", "centre"),
    "a rough picture": grain,
    "a smooth picture": lambda picture: -grain(picture),
}
PROMPTS = tuple(_JUDGES)


def judge(prompt: str) -> Judge:
    """The measure of one of `PROMPTS`."""
    return _JUDGES[prompt]
