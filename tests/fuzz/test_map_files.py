"""Files of numbers of any content are read and drawn from, or are refused in a sentence."""

from __future__ import annotations

import importlib.util
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import scenery
from fuzz.crafted import SIZE, Draw, changed_bytes, works_or_is_refused
from hypothesis import given
from hypothesis import strategies as st

import unica
from unica.maps import Maps, load_source, read_header, read_text
from unica.maps.files import encoded
from unica.maps.planes import Planes

LIBRARIES = {".npy": "numpy", ".tif": "tifffile", ".exr": "OpenEXR"}
SUFFIXES = [suffix for suffix, library in LIBRARIES.items() if importlib.util.find_spec(library)]
FACTS = {
    "imagej": {"style": "imagej", "axes": "CYX", "unit": "um", "spacing": 2},
    "ome": {"style": "ome", "axes": "CYX"},
    "plain": {"axes": "YXC", "resolution": [[300, 1], [300, 1], 2]},
}
ODD = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-38, 3e38, 65535.0)


@cache
def valid(suffix: str, style: str) -> bytes:
    values = ((scenery(40, 44) + 1) * 9000).movedim(0, -1).numpy()
    values = values.astype(np.float32 if suffix == ".exr" else np.uint16)
    return encoded(suffix, Planes(values, ("albedo.R", "mask", "Y"), FACTS[style]), {"unica:seed": "1"})


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("style", FACTS)
@given(draw=st.data())
def test_a_changed_file(suffix: str, style: str, draw: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        path.write_bytes(changed_bytes(draw.draw, valid(suffix, style)))
        with works_or_is_refused():
            picture = load_source(path, max_side=64)
            assert picture.pixels.isfinite().all() and picture.pixels.abs().max() <= 1.001
        for one in (read_header, read_text):
            with works_or_is_refused():
                one(path)


def numbers(draw: Draw) -> np.ndarray:
    """An array of any kind, size and content."""
    dtype = draw(st.sampled_from(("uint8", "uint16", "int16", "int64", "float16", "float32", "float64", "bool", "<U3")))
    shape = draw(st.lists(st.sampled_from((0, 1, 2, 3, 4, 20, 24, 70)), min_size=0, max_size=4))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    values = np.asarray(random.normal(size=shape)) * draw(st.sampled_from((0, 1, 300, 1e30)))
    if draw(st.booleans()) and values.size:
        values.flat[draw(st.integers(0, values.size - 1))] = draw(st.sampled_from(ODD))
    if draw(st.integers(0, 9)) == 0:
        values = np.full_like(values, draw(st.sampled_from(ODD)))
    with np.errstate(all="ignore"):
        return values.astype(dtype)


@given(draw=st.data())
def test_an_array_as_any_map(draw: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name in draw.draw(st.lists(st.sampled_from(("color", "normal", "labels", "height", "x")), unique=True)):
            files[name] = Path(folder) / f"{name}.npy"
            np.save(files[name], numbers(draw.draw))
        weights = draw.draw(st.dictionaries(st.sampled_from(("color", "height", "none")), st.floats(), max_size=2))
        shown = draw.draw(st.none() | st.lists(st.integers(-1, 9), max_size=4))
        with works_or_is_refused():
            model = unica.open(Maps(files, weights=weights, preview=shown))
            (drawn,) = unica.sample(model, size=SIZE, output="maps")
            for name, values in drawn.items():
                assert values.dtype.name == next(one.dtype for one in model.picture.maps if one.name == name)
                if values.dtype.kind == "f":
                    assert np.isfinite(values).all()
