"""The checks that every part of unica shares, and the words of their messages."""

from __future__ import annotations

import errno
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unica.errors import UnicaError, listed, one_of, real, reason, short, shown, whole
from unica.torus import wrap_pad


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_whole_accepts_every_kind_of_whole_number(value) -> None:
    number = whole("count", value, 1, 3)
    assert number == 3 and type(number) is int


@pytest.mark.parametrize("value", [0, 4, 2.0, 1.5, "2", True, None, math.nan, [1]])
def test_whole_refuses_everything_else(value) -> None:
    with pytest.raises(UnicaError, match=r"^count must be a whole number from 1 to 3, not "):
        whole("count", value, 1, 3)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25), torch.tensor(0.5)])
def test_real_accepts_numbers_with_both_ends(value) -> None:
    number = real("strength", value, 0, 1)
    assert number == float(value) and type(number) is float


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, "0.5", b"1", True, None, [0.5], 10**400])
def test_real_refuses_everything_else(value) -> None:
    with pytest.raises(UnicaError, match=r"^strength must be a number from 0 to 1, not "):
        real("strength", value, 0, 1)


def test_real_can_leave_out_the_ends() -> None:
    assert real("x", 0.5, 0, 1, above=True, below=True) == 0.5
    with pytest.raises(UnicaError, match=r"^x must be a number above 0 to 1, not 0$"):
        real("x", 0, 0, 1, above=True)
    with pytest.raises(UnicaError, match=r"^x must be a number from 0 to below 1, not 1$"):
        real("x", 1, 0, 1, below=True)


def test_one_of_names_the_options() -> None:
    assert one_of("mode", "b", ("a", "b")) == "b"
    for value in ("c", 1, None):
        with pytest.raises(UnicaError, match=r"^mode must be a, b or c d, not "):
            one_of("mode", value, ("a", "b", "c d"))


def test_lists_read_as_a_sentence() -> None:
    assert [listed(options) for options in (["a"], ["a", "b"], ["a", "b", "c"], ["", "a"])] == [
        "a", "a or b", "a, b or c", "a",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "3"),
        (0.25, "0.25"),
        (True, "True"),
        (None, "nothing"),
        ("red", "red"),
        ("", "an empty text"),
        ((64.5, 64), "64.5, 64"),
        ([], "an empty list"),
        ({}, "a dict"),
        (np.zeros(2), "a ndarray"),
        (OSError(), "an OSError"),
    ],
)
def test_values_are_shown_in_a_few_words(value, words: str) -> None:
    assert shown(value) == words


@given(st.one_of(st.text(), st.integers(), st.floats(), st.lists(st.integers()), st.binary()))
def test_a_shown_value_is_never_long_unless_it_is_four_numbers(value) -> None:
    assert len(shown(value)) <= 40 * 4 + 6
    assert len(short("x" * 100)) == 40 and short("x" * 40) == "x" * 40


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/a"), "no such file or directory"),
        (OSError("Disk full."), "disk full"),
        (ValueError("First line:\n  second"), "first line"),
        (ValueError("too   many\tspaces"), "too many spaces"),
        (RuntimeError("CUDA is gone"), "CUDA is gone"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError("  "), "ValueError"),
    ],
)
def test_a_reason_is_the_end_of_a_sentence(error: BaseException, words: str) -> None:
    assert reason(error) == words


@given(*[st.integers(0, 9)] * 4)
def test_wrap_pad_repeats_the_picture(left: int, right: int, top: int, bottom: int) -> None:
    x = torch.arange(2 * 3 * 4).view(2, 3, 4)
    padded = wrap_pad(x, left, right, top, bottom)
    assert padded.shape == (2, 3 + top + bottom, 4 + left + right)
    rows, columns = ((torch.arange(n) - before) % size for n, before, size in (
        (padded.shape[1], top, 3), (padded.shape[2], left, 4),
    ))  # fmt: skip
    assert torch.equal(padded, x[:, rows][:, :, columns])


def test_wrap_pad_keeps_the_leading_axes() -> None:
    x = torch.rand(2, 3, 4, 5)
    assert torch.equal(wrap_pad(x, 0, 0, 0, 0), x)
    assert torch.equal(wrap_pad(x[0, 0], 1, 2, 3, 4), wrap_pad(x, 1, 2, 3, 4)[0, 0])
