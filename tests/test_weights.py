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

from unica.errors import UnicaError
from unica.metrics import measures
from unica.weights import FOLDER, Weight, find

DATA = b"some numbers"
TOY = Weight("toy.pt", "https://example.org/toy.pt", sha256(DATA).hexdigest(), "MIT")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(FOLDER, raising=False)
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


def test_a_weight_is_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, DATA)
    assert find(TOY) == find(TOY) == cache / "toy.pt"
    assert (cache / "toy.pt").read_bytes() == DATA and asked == ["https://example.org/toy.pt"]


def test_a_wrong_download_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, b"an error page")
    with pytest.raises(UnicaError, match=r"not the published toy\.pt"):
        find(TOY)
    assert list(cache.iterdir()) == []


def test_a_damaged_file_is_refused(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "toy.pt").write_bytes(b"half")
    with pytest.raises(UnicaError, match="SHA-256"):
        find(TOY)


def test_an_unreadable_file_is_refused(cache: Path) -> None:
    (cache / "toy.pt").mkdir(parents=True)
    with pytest.raises(UnicaError, match=r"toy\.pt cannot be read"):
        find(TOY)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (urllib.error.URLError("no route to host"), "no route to host"),
        (TimeoutError(), "(?i:TimeoutError)"),
        (IncompleteRead(b"some"), "(?i:IncompleteRead)"),
        (BadStatusLine("not http\r\n"), "not http"),
    ],
)
def test_a_failed_download_is_one_sentence(error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, error)
    with pytest.raises(UnicaError, match=rf"{reason}.*--weights") as raised:
        find(TOY)
    assert "\n" not in str(raised.value)


def test_nothing_is_fetched_if_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, DATA)
    with pytest.raises(UnicaError, match=r"no toy\.pt in .*example\.org"):
        find(TOY, tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(UnicaError, match=r"no toy\.pt"):
        find(TOY)
    (tmp_path / "toy.pt").write_bytes(DATA)
    assert find(TOY) == find(TOY, tmp_path) == tmp_path / "toy.pt" and asked == []


def test_a_weight_without_url_must_be_in_a_folder() -> None:
    with pytest.raises(UnicaError, match="--weights"):
        find(TOY._replace(url=None))


def test_every_declared_weight_is_complete() -> None:
    declared = {weight for m in measures() if m.network is not None for weight in m.network.weights}
    assert len(declared) >= 5
    for weight in declared:
        assert len(weight.sha256) == 64 and weight.licence and (weight.url is None or weight.url.startswith("https://"))
