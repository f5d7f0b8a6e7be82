"""What is measured, and in which way. Change a number here and PROTOCOL must change with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, Literal, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from unica.errors import UnicaError
from unica.evaluation.tools import SIFIDS, Tools
from unica.image import load
from unica.metrics import (
    copies,
    frechet_distance,
    frechet_features,
    mean_patch_distance,
    niqe,
    pixel_diversity,
    repetition,
    sharpness,
    sifid,
    sliced_wasserstein,
)
from unica.metrics.inception import SMALLEST
from unica.metrics.niqe import BLOCK
from unica.patches import match
from unica.pyramid import Scale, level_sizes, pyramid

PROTOCOL = "unica-1"
PATCHES = 1000  # looked at, a sample and a scale, by coherence and completeness
COARSEST_AREA = 3072  # of the pyramid in which sources are searched
WORST = 0.1  # the share of samples that is called outliers
COPIED = 0.5  # a sample of which more than this is one verbatim region is a near-copy ...
ALIKE = 0.1  # ... and so is one that is less than this LPIPS away from the source

Picture = Float[Tensor, "1 3 h w"]
Family = Literal["diversity", "fidelity", "quality", "honesty"]


class Measure(NamedTuple):
    """A row of the table. `better` is which way is good; where it is "", the number only explains."""

    name: str
    family: Family
    better: Literal["higher", "lower", "near 1", ""]
    title: str


MEASURES = (
    Measure("pixel_diversity", "diversity", "higher", "pixel diversity (SinGAN)"),
    Measure("lpips_diversity", "diversity", "higher", "LPIPS of pairs (SinDDM)"),
    Measure("lpips_eq9", "diversity", "higher", "LPIPS, Eq. 9 (SinDiffusion)"),
    Measure("sifid_64", "fidelity", "lower", "SIFID, 64 channels"),
    Measure("sifid_192", "fidelity", "lower", "SIFID, 192 channels"),
    Measure("sifid_768", "fidelity", "lower", "SIFID, 768 channels"),
    Measure("sifid_2048", "fidelity", "lower", "SIFID, 2048 channels"),
    Measure("frechet_stem", "fidelity", "lower", "Fréchet of a stem (relative)"),
    Measure("coherence", "fidelity", "lower", "coherence: output in source"),
    Measure("completeness", "fidelity", "lower", "completeness: source in output"),
    Measure("swd", "fidelity", "lower", "sliced Wasserstein of patches"),
    Measure("niqe", "quality", "lower", "NIQE"),
    Measure("nima", "quality", "higher", "NIMA"),
    Measure("musiq", "quality", "higher", "MUSIQ"),
    Measure("copied", "honesty", "", "share in verbatim regions"),
    Measure("largest_copy", "honesty", "lower", "largest verbatim region"),
    Measure("lpips_source", "honesty", "higher", "LPIPS to the source"),
    Measure("sharpness", "honesty", "near 1", "sharpness over the source's"),
    Measure("repetition", "honesty", "near 1", "repetition of patches"),
)


class Scored(NamedTuple):
    """One sample: its numbers, and where in the source its pixels have their nearest patches."""

    name: str
    scores: dict[str, float]
    field: Int[Tensor, "h w 2"]


@dataclass(frozen=True)
class Evaluation:
    """All numbers of a set of samples of one source."""

    source: str
    size: tuple[int, int]  # of the source, as (width, height)
    names: list[str]
    each: dict[str, list[float]]  # measure -> one number a sample
    whole: dict[str, float]  # measure -> one number of the set
    absent: dict[str, str]  # measure -> why it is not there
    protocol: str = PROTOCOL

    @property
    def near_copies(self) -> int:
        """How many samples are one verbatim region of the source for the most part, or look just like it."""
        away = self.each.get("lpips_source", [1.0] * len(self.names))
        return sum(share > COPIED or d < ALIKE for share, d in zip(self.each["largest_copy"], away))

    def mean(self, name: str) -> float | None:
        """The measure's one number: of the set, or the mean over samples."""
        return self.whole.get(name, fmean(self.each[name]) if name in self.each else None)

    def deviation(self, name: str) -> float | None:
        """Over the samples, divided by n - 1."""
        values = self.each.get(name, [])
        return stdev(values) if len(values) > 1 else None

    def median(self, name: str) -> float | None:
        return median(self.each[name]) if name in self.each else None

    def outliers(self, name: str) -> float | None:
        """How much of the sum the worst tenth of the samples (at least one) makes up, largest first."""
        values = sorted(self.each.get(name, []), reverse=True)
        if len(values) < 2 or sum(values) <= 0:
            return None
        return sum(values[: max(1, round(WORST * len(values)))]) / sum(values)

    def as_json(self) -> dict[str, Any]:
        summary = {
            m.name: {"mean": self.mean(m.name), "std": self.deviation(m.name), "median": self.median(m.name)}
            for m in MEASURES
            if self.mean(m.name) is not None
        }
        return {**asdict(self), "near_copies": self.near_copies, "summary": summary}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        names = ("source", "size", "names", "each", "whole", "absent", "protocol")
        return cls(**{**{name: data[name] for name in names}, "size": tuple(data["size"])})


@dataclass(frozen=True)
class Samples:
    """Pictures that are read when they are looked at: however many, only one is in memory."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Picture]:
        return map(read, self.paths)


def read(path: Path) -> Picture:
    """Three channels, as all measures see a picture; what is transparent counts as middle gray."""
    picture = load(path)
    pixels = picture.pixels if picture.alpha is None else picture.pixels * picture.alpha
    return pixels.expand(3, -1, -1)[None]


def evaluate(
    source: Path,
    samples: Samples,
    tools: Tools,
    seen: Callable[[int, Scored], None] = lambda index, scored: None,
) -> Evaluation:
    """Every measure there are tools for. `seen` is told of each sample as it is done."""
    if not len(samples):
        raise UnicaError("there are no samples to look at")
    reference = read(source)
    sizes = {tuple(sample.shape[-2:]) for sample in samples}  # also finds every unreadable file before the work
    absent = dict(tools.absent)
    each: dict[str, list[float]] = {}
    for index, scored in enumerate(_score_samples(reference, samples, tools)):
        for name, value in scored.scores.items():
            each.setdefault(name, []).append(value)
        seen(index, scored)
    for name in [name for name, values in each.items() if len(values) < len(samples)]:
        del each[name]
    whole = _score_set(reference, samples, sizes, tools, absent)
    whole = {name: value for name, value in whole.items() if isfinite(value)}
    absent |= _reasons(tools, {*each, *whole, *absent})
    size = (reference.shape[-1], reference.shape[-2])
    return Evaluation(str(source), size, [path.name for path in samples.paths], each, whole, absent)


def _score_samples(source: Picture, samples: Samples, tools: Tools) -> Iterator[Scored]:
    scales = _scales(source)
    stem = None if tools.stem is None else frechet_features(source, tools.stem)
    for path, sample in zip(samples.paths, samples):
        where = match(sample[0], scales)
        copied = copies(sample[0], source[0], where)
        scores = {
            "coherence": mean_patch_distance(sample, source, limit=PATCHES),
            "completeness": mean_patch_distance(source, sample, limit=PATCHES),
            "swd": sliced_wasserstein(sample, source),
            "copied": copied.share,
            "largest_copy": copied.largest,
            "sharpness": sharpness(sample, source),
            "repetition": repetition(where, (source.shape[-2], source.shape[-1])),
        }
        if tools.lpips is not None and sample.shape == source.shape:
            scores["lpips_source"] = tools.lpips(sample, source).item()
        if tools.stem is not None and stem is not None:
            scores["frechet_stem"] = frechet_distance(*frechet_features(sample, tools.stem), *stem)
        if tools.inception is not None and min(*sample.shape[-2:], *source.shape[-2:]) >= SMALLEST:
            scores |= dict(zip(SIFIDS, sifid(sample, source, tools.inception).values()))
        if min(sample.shape[-2:]) >= BLOCK:
            scores["niqe"] = niqe(sample)
        scores |= {name: judge(sample) for name, judge in tools.judges.items()}
        yield Scored(path.name, {name: value for name, value in scores.items() if isfinite(value)}, where)


def _scales(source: Picture) -> list[Scale]:
    return pyramid(source[0], None, level_sizes((source.shape[-2], source.shape[-1]), COARSEST_AREA))


def _score_set(
    source: Picture, samples: Samples, sizes: set[tuple[int, ...]], tools: Tools, absent: dict[str, str]
) -> dict[str, float]:
    """What pairs of samples say. `absent` learns why, where they say nothing."""
    names = ("pixel_diversity", "lpips_diversity", "lpips_eq9")
    if len(samples) < 2:
        absent |= dict.fromkeys(names, "it needs two samples or more")
        return {}
    if len(sizes) > 1:
        absent |= dict.fromkeys(names, "it compares pixel with pixel, and the samples have several sizes")
        return {}
    scores = {"pixel_diversity": pixel_diversity(samples, source)}
    if tools.lpips is not None:
        scores["lpips_diversity"] = tools.lpips.mean_pairwise(samples)
        if len(samples) > 2:
            scores["lpips_eq9"] = scores["lpips_diversity"] * len(samples) / (len(samples) - 2)
        else:
            absent["lpips_eq9"] = "it needs three samples or more"
    return scores


def _reasons(tools: Tools, known: set[str]) -> dict[str, str]:
    """Why measures are not there, though their tools are."""
    reasons = {m.name: "it has no finite value for these pictures" for m in MEASURES}
    reasons["niqe"] = f"it needs {BLOCK} pixels a side"
    if tools.lpips is not None:
        reasons["lpips_source"] = "it compares pixel with pixel, and samples have another size than the source"
    if tools.inception is not None:
        reasons |= dict.fromkeys(SIFIDS, f"it needs {SMALLEST} pixels a side")
    return {name: why for name, why in reasons.items() if name not in known}
