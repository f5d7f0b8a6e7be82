"""`unica doctor` tells what is there, and how to mend what is not."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from commands import command

from unica.cli import doctor


def test_it_tells_all_in_one_screen() -> None:
    result = command("doctor")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0 and len(lines) <= 24
    for word in ("python", "device", "threads", "cache", "needed", "studio", "maps", "text"):
        assert any(line.startswith(word) for line in lines), word
    assert "dev" not in {line.split()[0] for line in lines}
    told = json.loads(command("doctor", "--json").stdout)
    assert {"torch", "numpy", "numba"} <= {one["name"] for one in told["libraries"] if not one["extra"]}


def test_what_is_missing_or_too_old_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def version(name: str) -> str:
        if name == "gradio":
            raise PackageNotFoundError
        return {"numba": "0.50.1", "torch": "2.13.0+cpu"}.get(name, "99")

    declared = ["torch>=2.6", "numba>=0.61", "gradio>=6.16; extra == 'studio'", "hypothesis; extra == 'dev'"]
    monkeypatch.setattr(doctor, "requires", lambda _: declared)
    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "_memory", lambda: 2**30)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    said = command("doctor").stdout
    assert "gradio missing; pip install 'unica[studio]'" in said and "hypothesis" not in said
    assert "problem    numba is older than 0.61: pip install 'numba>=0.61'" in said
    assert "1.0 GB of memory" in said and "all is well" not in said


@pytest.mark.parametrize(
    ("found", "least", "fine"), [("2.13.0+cpu", "2.6", True), ("2.5.9", "2.6", False), ("10", "9.9.9", True)]
)
def test_versions_are_compared_as_numbers(found: str, least: str, fine: bool) -> None:
    problem: Any = doctor.Library("x", least, "", found).problem
    assert (problem is None) is fine
