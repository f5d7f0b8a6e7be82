"""Processes that are forked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import multiprocessing, sys
import unica

def drawn(seed):
    try:
        return unica.open(sys.argv[1]).sample(seed=seed)[0].tobytes()
    except unica.UnicaError as error:
        return str(error)

if __name__ == "__main__":
    if sys.argv[2] == "opened":
        unica.open(sys.argv[1])
    if sys.argv[2] == "drawn":
        drawn(0)
    with multiprocessing.get_context(sys.argv[3]).Pool(1) as pool:
        found = pool.apply(drawn, (1,))
    print(found if isinstance(found, str) else found == drawn(1))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(
    ("before", "method", "said"),
    [
        ("nothing", "fork", "True"),
        ("opened", "fork", "this process was forked"),
        ("drawn", "fork", "this process was forked"),
        ("drawn", "spawn", "True"),
    ],
)
def test_a_fork_draws_or_is_refused(photo: Path, tmp_path: Path, before: str, method: str, said: str) -> None:
    (tmp_path / "draw.py").write_text(CODE)
    words = [sys.executable, "draw.py", str(photo), before, method]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and done.stdout.startswith(said), done.stdout + done.stderr
