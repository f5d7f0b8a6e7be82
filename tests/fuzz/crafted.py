"""Strange values, for files that anyone may have made: what a careless or a hostile hand would put there."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

import unica
from unica.engines.base import Model
from unica.errors import UnicaError

LONGEST = 3.0  # seconds of a processor that reading and drawing may take; nearly all files need far less

Draw = Callable[[st.SearchStrategy[Any]], Any]

SIZE = (18, 16)  # of the pictures that are drawn
NUMBERS = (-1, 0, 1, 3, 2**31, 2**63, 10**9, 10**12, 10**400, 0.5, 1e-300, 1e308, math.nan, math.inf, -math.inf)
TEXTS = ("", "../x", "/etc/passwd", "a\nb", "\x1b[31m", "x" * 300, "folded", "patches", "authors")
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    st.integers(-10, 300),
    st.sampled_from(TEXTS),
    st.lists(st.sampled_from(NUMBERS), max_size=4),
    st.dictionaries(st.sampled_from(TEXTS), st.integers(), max_size=2),
)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values inside JSON, with its own."""
    yield here
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*here, key))


def changed_json(draw: Draw, original: dict[str, Any]) -> dict[str, Any]:
    """JSON in which one to three values were replaced, left out, added or made longer."""
    data = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from([place for place in places(data) if place]))
        holder = data
        for key in above:
            holder = holder[key]
        match draw(st.sampled_from(("replace", "replace", "replace", "nudge", "drop", "add", "longer"))):
            case "replace":
                holder[last] = draw(STRANGE)
            case "nudge" if isinstance(holder[last], int | float) and abs(holder[last]) < 1e300:
                holder[last] = holder[last] * draw(st.sampled_from((-1, 0.5, 2, 10))) + draw(st.integers(-1, 1))
            case "drop":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(TEXTS))] = draw(STRANGE)
            case "longer" if isinstance(holder[last], list):
                holder[last] = holder[last] * draw(st.sampled_from((2, 100)))
    return data


def changed_tensors(draw: Draw, original: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which one or two have other values, another type or shape, are missing or new."""
    tensors = dict(original)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(tensors)))
        tensors[name] = strange_tensor(draw, tensors[name])
        match draw(st.sampled_from(("keep", "keep", "drop", "move"))):
            case "drop":
                del tensors[name]
            case "move":
                tensors[draw(st.sampled_from((*TEXTS, "network.x", "source.alpha", "optimizer.9.9.step")))] = (
                    tensors.pop(name)
                )
    return tensors


def strange_tensor(draw: Draw, tensor: Tensor) -> Tensor:
    """A tensor like this one with something wrong, or only unusual."""
    kind = draw(st.sampled_from(("fill", "one", "type", "shape")))
    if kind == "fill":
        value = draw(st.sampled_from((0, 1, -1, 255, 70_000, 1e-40, 1e38, math.nan, math.inf)))
        if tensor.is_floating_point() or value == value % 256:
            return torch.full(tensor.shape, value, dtype=torch.float64).to(tensor.dtype)
        return tensor
    if kind == "one" and tensor.is_floating_point() and tensor.numel():
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        value = torch.tensor(draw(st.sampled_from((1e38, math.nan, -math.inf)))).to(tensor.dtype)
        tensor.view(-1)[draw(st.integers(0, tensor.numel() - 1))] = value
        return tensor
    if kind == "type":
        types = (torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.uint8, torch.bool, torch.complex64)
        return tensor.to(draw(st.sampled_from(types)))
    shapes = ((), (0,), (1,), (2, 3), (1, 1, 1, 1, 1), (*tensor.shape, 1), tensor.shape[::-1], (tensor.numel(),))
    return torch.zeros(draw(st.sampled_from(shapes)), dtype=tensor.dtype)


def changed_bytes(draw: Draw, original: bytes) -> bytes:
    """Bytes of which some were changed, cut off, added or repeated."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, 3000) | st.integers(0, len(original))) % max(len(data), 1)
        match draw(st.sampled_from(("flip", "flip", "cut", "drop", "add"))):
            case "flip" if data:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "add":
                data[at:at] = draw(st.binary(min_size=1, max_size=9))
            case "cut":
                del data[at:]
            case _:
                del data[at : at + draw(st.integers(1, 9))]
    return bytes(data)


@contextmanager
def works_or_is_refused() -> Iterator[None]:
    """Lets pass only a `UnicaError` of one line, and only within a bounded time."""
    began = time.process_time()
    try:
        yield
    except UnicaError as error:
        assert str(error).isprintable() and len(str(error)) < 500, error
    assert time.process_time() - began < LONGEST


def draws(opened: Callable[[], Model]) -> None:
    """Opens a model and draws a small picture; pixels that are not finite raise an error."""
    with works_or_is_refused():
        assert unica.sample(opened(), size=SIZE)[0].size == SIZE
