"""Weights are found, checked and fetched whole, or refused in a sentence. No test needs a network."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from hashlib import sha256
from http.client import BadStatusLine, IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from unica import weights
from unica.errors import UnicaError
from unica.weights import FOLDER, WEIGHTS, Weight, find

DATA = b"some numbers"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(FOLDER, raising=False)
    known = Weight("toy.pt", "https://example.org/toy.pt", sha256(DATA).hexdigest(), "MIT")
    monkeypatch.setattr(weights, "WEIGHTS", {"toy": known, "nowhere": known._replace(url=None)})
    return tmp_path / "cache" / "unica"


def answer(monkeypatch: pytest.MonkeyPatch, reply: bytes | Exception) -> list[str]:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Any:
        asked.append(url)
        if isinstance(reply, Exception):
            raise reply
        return io.BytesIO(reply)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_it_is_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, DATA)
    assert find("toy") == find("toy") == cache / "toy.pt"
    assert (cache / "toy.pt").read_bytes() == DATA and asked == ["https://example.org/toy.pt"]


def test_a_wrong_download_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, b"an error page")
    with pytest.raises(UnicaError, match=r"not the published toy\.pt"):
        find("toy")
    assert list(cache.iterdir()) == []


def test_a_damaged_file_is_refused(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "toy.pt").write_bytes(b"half")
    with pytest.raises(UnicaError, match="SHA-256"):
        find("toy")


def test_an_unreadable_file_is_refused(cache: Path) -> None:
    (cache / "toy.pt").mkdir(parents=True)
    with pytest.raises(UnicaError, match=r"toy\.pt cannot be read"):
        find("toy")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (urllib.error.URLError("no route to host"), "no route to host"),
        (TimeoutError(), "TimeoutError"),
        (IncompleteRead(b"some"), "IncompleteRead"),
        (BadStatusLine("not http\r\n"), "not http"),
    ],
)
def test_no_answer_is_one_sentence(error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, error)
    with pytest.raises(UnicaError, match=rf"{reason}.*--weights") as raised:
        find("toy")
    assert "\n" not in str(raised.value)


def test_a_folder_is_a_promise_not_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, DATA)
    with pytest.raises(UnicaError, match=r"no toy\.pt in .*example\.org"):
        find("toy", tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(UnicaError, match=r"no toy\.pt"):
        find("toy")
    (tmp_path / "toy.pt").write_bytes(DATA)
    assert find("toy") == find("toy", tmp_path) == tmp_path / "toy.pt" and asked == []


def test_some_are_nowhere_to_be_fetched() -> None:
    with pytest.raises(UnicaError, match="--weights"):
        find("nowhere")


def test_the_registry_is_complete() -> None:
    for weight in WEIGHTS.values():
        assert len(weight.sha256) == 64 and weight.licence and (weight.url is None or weight.url.startswith("https://"))
