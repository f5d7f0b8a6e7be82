"""Names that come from files."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unica.names import safe_name


@given(st.text(max_size=200))
@example("../../etc/passwd")
@example("x" * 79 + " y")
@example("CON" + " " * 90 + "x")
@example("\ud800")
def test_a_safe_name_names_a_file_in_this_folder(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name) <= 80 and name.isprintable() and not set(name) & set('/\\:*?"<>|')
    assert not name.startswith((".", "-", " ")) and not name.endswith((".", " "))
    assert safe_name(name) == name
    name.encode()


@pytest.mark.parametrize("name", ["photo", "IMG_0042 (1).final", "日本の風景", "été à Nîmes", "नमस्ते", "a,b+c"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../x", "_x"),
        ("/etc/passwd", "_etc_passwd"),
        (r"C:\x", "C__x"),
        ("a\nb\x1b[31m", "a_b__31m"),
        ("right\u202eleft", "right_left"),
        ("-rf", "rf"),
        ("nul", "_ul"),
        ("Con.png", "_on.png"),
        ("...", "picture"),
        ("", "picture"),
    ],
)
def test_what_is_dangerous_in_a_name_is_replaced(text: str, name: str) -> None:
    assert safe_name(text) == name
