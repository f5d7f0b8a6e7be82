"""Copies, repetition and provenance of pictures that are made so that the answer is known."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import scenery
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import unica
from unica.image import to_pil
from unica.metrics import copies, repetition
from unica.patches import match
from unica.patches.kernels import component_sizes
from unica.provenance import continues, map_bytes, overview
from unica.pyramid import level_sizes, pyramid


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    """No two patches alike."""
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def matched(picture: Tensor, source: Tensor) -> Tensor:
    return match(picture, pyramid(source, None, level_sizes((source.shape[1], source.shape[2]), 600)))


def identity(height: int, width: int) -> Tensor:
    return torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1).int()


def test_a_picture_is_one_verbatim_region_of_itself() -> None:
    source = noise(60, 80)
    assert torch.equal(matched(source, source), identity(60, 80))
    assert copies(source, source, identity(60, 80)) == (1, 1)
    assert repetition(identity(60, 80), (60, 80)) == pytest.approx(1)


def test_a_paste_is_found_and_measured() -> None:
    source, picture = noise(60, 80), noise(60, 80, seed=1)
    picture[:, 10:40, 20:60] = source[:, 15:45, 31:71]
    found = copies(picture, source, matched(picture, source))
    assert found.largest == pytest.approx(found.share)
    assert 24 * 34 <= 4800 * found.share <= 30 * 40  # patches at its border are half strange


def test_the_largest_of_two_pastes_counts() -> None:
    source, picture = noise(60, 80), noise(60, 80, seed=1)
    picture[:, 0:40, 0:30] = source[:, 20:60, 50:80]
    picture[:, 40:60, 50:80] = source[:, 0:20, 0:30]
    found = copies(picture, source, matched(picture, source))
    assert 37 * 27 <= 4800 * found.largest <= 40 * 30
    assert 37 * 27 + 17 * 27 <= 4800 * found.share <= 40 * 30 + 20 * 30


def test_unrelated_pictures_have_no_copies() -> None:
    source, picture = noise(60, 80), noise(60, 80, seed=1)
    assert copies(picture, source, matched(picture, source)) == (0.0, 0.0)


def test_grain_does_not_hide_a_copy() -> None:
    source = scenery(60, 80)
    grain = 0.02 * torch.randn(source.shape, generator=torch.Generator().manual_seed(0))
    picture = (source + grain).clamp(-1, 1)
    assert copies(picture, source, identity(60, 80)).largest > 0.8


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6))
def test_repetition_counts_how_often_a_tile_is_used(rows: int, columns: int) -> None:
    """Every tile of the picture is the same one of the rows x columns tiles of the source."""
    stamped = identity(4 * rows, 5 * columns) % torch.tensor([4, 5])
    assert repetition(stamped.int(), (4 * rows, 5 * columns)) == pytest.approx(rows * columns)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 12))
def test_component_sizes_are_those_of_scipy(seed: int, height: int, width: int) -> None:
    from scipy import ndimage

    mask = torch.rand(height, width, generator=torch.Generator().manual_seed(seed)) < 0.55
    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask.numpy(), output=labels)
    expected = np.where(mask, np.bincount(labels.ravel())[labels], 0)
    np.testing.assert_array_equal(component_sizes(mask).numpy(), expected)


# Provenance


def read_rgb16(path: Path) -> np.ndarray:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + body)
        chunks[name], at = body, at + 12 + length
    width, height, bits, colours = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (bits, colours) == (16, 2)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * 6)
    return np.ascontiguousarray(rows[:, 1:]).view(">u2").reshape(height, width, 3).astype(int)


def test_the_map_has_the_origin_of_every_pixel(tmp_path: Path) -> None:
    origins = identity(5, 7) + torch.tensor([300, 1000], dtype=torch.int32)
    origins[3:, :] = torch.tensor([0, 65535], dtype=torch.int32)
    (tmp_path / "map.png").write_bytes(map_bytes(origins))
    seen = read_rgb16(tmp_path / "map.png")
    np.testing.assert_array_equal(seen[..., 0], origins[..., 1])
    np.testing.assert_array_equal(seen[..., 1], origins[..., 0])
    np.testing.assert_array_equal(seen[..., 2], continues(origins))
    assert continues(origins)[:2].all() and not continues(origins)[2:, :-1].any()


def test_origins_of_the_instant_engine_lead_to_the_copied_pixels() -> None:
    """A pixel that continues its neighbours has nearly the value of the source at its origin."""
    source = ((scenery(48, 64) + 1) * 127.5).round() / 127.5 - 1
    model = unica.open(to_pil(source))
    frame = list(unica.stream(unica.sample, model, seed=3))[-1]
    assert frame.origins is not None and frame.last
    rows, columns = frame.origins.long().unbind(-1)
    picture, inside = frame.state.x[0], continues(frame.origins)
    away = (picture - source[:, rows, columns]).abs().amax(0)
    assert away[inside].median() < 0.01
    assert overview(frame.origins, (48, 64)).shape == (3, 48, 64)
