"""A picture says how it was made: as a command, and as a program. Both draw it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from unica.cli.app import make_app
from unica.image import read_text
from unica.jobs.again import python, read_command
from unica.jobs.options import read_values
from unica.jobs.task_options import options_of_task
from unica.tasks import tasks

CLIP = str(Path(__file__).parent / "clip")
COMMANDS = [
    ["sample", "--size", "48x32", "--diversity", "0.3", "--tile", "x", "--seed", "4"],
    ["inpaint", "--box", "2,20,8,8", "--polygon", "20,20,30,22,25,30", "--dilate", "1"],
    ["edit", "--move", "4,18,8,8@20,18", "--erase", "30,20,6,6"],
    ["retarget", "--size", "30x32", "--box", "2,18,8,8"],
    ["outpaint", "--right", "10", "--engine", "instant", "--patch", "9"],
    ["objects", "--size-factor", "0.8"],
    ["text", "--clip", CLIP, "--views", "1", "--", "a red circle", "a boat:-0.5"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_the_program_and_the_settings_of_a_picture_draw_it_again(
    words: list[str], photo: Path, tmp_path: Path, monkeypatch
) -> None:
    line = [words[0], str(photo), "-n", "1", "-o", str(tmp_path / "out"), "--json", *words[1:]]
    said = CliRunner().invoke(make_app(), line, catch_exceptions=False).stdout.splitlines()[-1]
    made = Path(json.loads(said)["pictures"][0]["path"])
    command = read_command(read_text(made)["unica:command"])
    assert command is not None and command.task.name == words[0]
    values: dict[str, Any] = command.values()
    if "clip" in values:
        values["clip"] = CLIP
    whole = read_values(options_of_task(command.task), {**values, "path": photo})
    program = python(command.task, whole, whole["seed"], "again.png").replace('"clip"', repr(CLIP))
    monkeypatch.chdir(photo.parent)
    exec(program, {})
    again = np.asarray(Image.open("again.png"))
    assert np.array_equal(again, np.asarray(Image.open(made)))


def test_the_program_of_a_loop_keeps_its_pace(photo: Path, tmp_path: Path, monkeypatch) -> None:
    task = tasks()["animate"]
    program = python(task, read_values(options_of_task(task), {"path": photo, "frames": 3, "fps": 20}), 0, "again.gif")
    monkeypatch.chdir(photo.parent)
    exec(program, {})
    assert Image.open("again.gif").info["duration"] == 50


@pytest.mark.parametrize(
    "text", ["", "rm -rf /", "unica train x.png", "unica sample", "unica sample x --evil 1", "unica '"]
)
def test_what_does_not_draw_is_no_command(text: str) -> None:
    assert read_command(text) is None
