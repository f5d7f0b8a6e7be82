"""The protocol: every measure on every sample of one source.

Results carry the protocol's name. Whoever changes what a measure computes must change the name. A new measure does not
change it: the numbers of the others stay comparable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from unica.errors import UnicaError
from unica.evaluation.networks import Networks, load_networks
from unica.image import load
from unica.metrics import Measure, Sample, SampleSet, Source, measures
from unica.metrics.base import Image
from unica.threads import compute

PROTOCOL = "unica-1"
WORST = 0.1  # the share of the samples that counts as outliers
COPIED = 0.5  # a sample is a near-copy if one verbatim region is more than this share of it ...
ALIKE = 0.1  # ... or if its LPIPS to the source is below this


@dataclass(frozen=True)
class Evaluation:
    """All numbers of a set of samples of one source."""

    source: str
    size: tuple[int, int]  # of the source, as (width, height)
    names: list[str]
    each: dict[str, list[float]]  # measure -> one number for each sample
    whole: dict[str, float]  # measure -> one number for the set
    absent: dict[str, str]  # measure -> why it is absent
    protocol: str = PROTOCOL

    @property
    def near_copies(self) -> int:
        """How many samples are one verbatim region of the source for the most part, or look just like the source."""
        shares = self.each.get("largest_copy", [0.0] * len(self.names))
        distances = self.each.get("lpips_source", [1.0] * len(self.names))
        return sum(share > COPIED or distance < ALIKE for share, distance in zip(shares, distances))

    @property
    def covered(self) -> set[str]:
        """The measures that were tried: each has numbers, or a reason why it is absent."""
        return {*self.each, *self.whole, *self.absent}

    def mean(self, name: str) -> float | None:
        """The number of the set, or the mean over samples."""
        return self.whole.get(name, fmean(self.each[name]) if name in self.each else None)

    def deviation(self, name: str) -> float | None:
        """Standard deviation over samples, divided by n - 1."""
        values = self.each.get(name, [])
        return stdev(values) if len(values) > 1 else None

    def median(self, name: str) -> float | None:
        return median(self.each[name]) if name in self.each else None

    def outliers(self, name: str) -> float | None:
        """How much of the sum the worst tenth of the samples makes up (at least one sample; the worst are the largest
        numbers)."""
        values = sorted(self.each.get(name, []), reverse=True)
        if len(values) < 2 or sum(values) <= 0:
            return None
        return sum(values[: max(1, round(WORST * len(values)))]) / sum(values)

    def as_json(self) -> dict[str, Any]:
        summary = {
            m.name: {"mean": self.mean(m.name), "std": self.deviation(m.name), "median": self.median(m.name)}
            for m in measures()
            if self.mean(m.name) is not None
        }
        return {**asdict(self), "near_copies": self.near_copies, "summary": summary}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        """What `as_json` wrote. Anything else raises ValueError, TypeError or another error of that kind."""
        names, (width, height) = list(map(str, data["names"])), data["size"]
        each = {name: list(map(float, values)) for name, values in data["each"].items()}
        if any(len(values) != len(names) for values in each.values()):
            raise ValueError("a measure has not one number for each sample")
        whole = {name: float(value) for name, value in data["whole"].items()}
        absent = {name: str(why) for name, why in data["absent"].items()}
        return cls(str(data["source"]), (int(width), int(height)), names, each, whole, absent, str(data["protocol"]))


@dataclass(frozen=True)
class Samples:
    """Pictures that are read each time they are looked at, so that only one is in memory."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Image]:
        return map(read, self.paths)


def read(path: Path) -> Image:
    """A picture as all measures see it: three channels, with middle gray where it is transparent."""
    picture = load(path)
    pixels = picture.pixels if picture.alpha is None else picture.pixels * picture.alpha
    return pixels.expand(3, -1, -1)[None]


def evaluate(
    source: Path,
    samples: Samples,
    networks: Networks | None = None,
    seen: Callable[[int, Sample, Mapping[str, float]], None] = lambda index, sample, scores: None,
) -> Evaluation:
    """Every measure of the samples. Without `networks`, those are loaded that can be had.

    `seen` is called after each sample with its index, the sample and its scores.
    """
    if not len(samples):
        raise UnicaError("there are no samples to measure")
    compute()
    networks = networks or load_networks()
    reference = Source(read(source))
    every = SampleSet(samples, reference)
    _ = every.sizes  # reads every file: one that cannot be read is found before the long work
    absent: dict[str, str] = {}
    each: dict[str, list[float]] = {}
    for index, pixels in enumerate(samples):
        sample = Sample(pixels, reference)
        scores = _scores(sample, "sample", networks, absent)
        for name, value in scores.items():
            each.setdefault(name, []).append(value)
        seen(index, sample, scores)
    each = {name: values for name, values in each.items() if name not in absent}  # not of some samples only
    whole = _scores(every, "set", networks, absent)
    width, height = reference.size[::-1]
    return Evaluation(str(source), (width, height), [path.name for path in samples.paths], each, whole, absent)


def _scores(subject: Sample | SampleSet, of: str, networks: Networks, absent: dict[str, str]) -> dict[str, float]:
    """The measures of a sample or of the set. Where one is absent, `absent` gets the reason."""
    scores = {}
    for measure in measures():
        if measure.of != of:
            continue
        why = _obstacle(measure, subject, networks)
        if why is None:
            network = [] if measure.network is None else [networks.loaded[measure.network]]
            value = measure.function(subject, *network)
            if isfinite(value):
                scores[measure.name] = value
                continue
            why = "it has no finite value for these pictures"
        absent.setdefault(measure.name, why)
    return scores


def _obstacle(measure: Measure, subject: Sample | SampleSet, networks: Networks) -> str | None:
    """Why the measure cannot be computed; None if it can."""
    if measure.network is not None and measure.network not in networks.loaded:
        return networks.absent.get(measure.name, "its network is not loaded")
    return next((need.why for need in measure.needs if not need.met(subject)), None)
