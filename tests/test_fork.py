"""Processes that are forked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import multiprocessing, os, sys
import unica

def drawn(model, seed):
    try:
        return unica.sample(model, seed=seed)[0].tobytes()
    except unica.UnicaError as error:
        return str(error)

if __name__ == "__main__":
    model = unica.open(sys.argv[1])
    if sys.argv[2] == "after":
        drawn(model, 0)
    with multiprocessing.get_context(sys.argv[3]).Pool(1) as pool:
        found = pool.apply(drawn, (model, 1))
    print(found if isinstance(found, str) else found == drawn(model, 1))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(
    ("when", "method", "said"),
    [("before", "fork", "True"), ("after", "fork", "this process was forked"), ("after", "spawn", "True")],
)
def test_a_fork_draws_or_is_refused(photo: Path, tmp_path: Path, when: str, method: str, said: str) -> None:
    (tmp_path / "draw.py").write_text(CODE)
    words = [sys.executable, "draw.py", str(photo), when, method]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and done.stdout.startswith(said), done.stdout + done.stderr
