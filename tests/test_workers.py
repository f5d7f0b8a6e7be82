"""`--workers` and `--ray`: the commands that make many things, by several processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_cli import inside, unica
from typer.testing import CliRunner

from unica.cli.app import make_app
from unica.errors import UnicaError
from unica.evaluation import Networks
from unica.evaluation.bench import Benchmark, Method, find_images, run
from unica.image import read_text
from unica.jobs.again import read_command
from unica.jobs.pictures import drawing
from unica.jobs.task_options import options_of_task
from unica.tasks import tasks

CHANGING = ("seconds", "seconds_per_picture", "first_preview_seconds", "peak_memory_mb")  # from run to run


def report_of(words: list[str]) -> dict[str, Any]:
    result = CliRunner().invoke(make_app(), [*words, "--json", "-q"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert all(report.pop(name) > 0 for name in CHANGING)
    assert all(picture.pop("seconds") > 0 for picture in report["pictures"])
    return report


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def see_through(tmp_path: Path, photo: Path) -> Path:
    image = Image.open(photo).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    path = tmp_path / "glass.png"
    image.save(path)
    return path


CASES = [
    ["sample", "-n", "3", "--seed", "5", "--sheet", "--provenance", "--stretch", "1.5x1"],
    ["animate", "-n", "2", "--frames", "2", "--format", "png"],
    ["inpaint", "-n", "2", "--box", "4,4,8,8", "--max-side", "32"],
]


@pytest.mark.parametrize("words", CASES, ids=lambda words: words[0])
def test_several_processes_write_the_files_and_the_report_of_one(
    words: list[str], see_through: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *options = words
    told, found = [], []
    for place, more in (("alone", []), ("shared", ["--workers", "2"])):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        command = [name, f"../{see_through.name}", *options, *more]
        told.append([report_of(command), report_of([*command, *(["--diversity", "0.9"] if name == "sample" else [])])])
        found.append(files(tmp_path / place / "unica-out"))
    assert told[0] == told[1] and found[0] == found[1]
    assert name != "sample" or {"glass-5.png", "glass-5_2.png", "glass-sheet_2.png"} <= set(found[1])


def test_pictures_do_not_say_how_many_were_drawn_at_a_time(photo: Path, tmp_path: Path) -> None:
    inside("sample", photo, "-n", "2", "--workers", "2", "-o", tmp_path, "-q")
    text = read_text(tmp_path / "photo-1.png")
    assert "workers" not in " ".join(text.values())


def test_a_strangers_command_does_not_lead_to_another_machine() -> None:
    command = read_command("unica sample a.png --workers 1000 --ray evil.example:6379 --tile x")
    assert command is not None
    assert command.line() == "unica sample a.png --tile x" and command.values() == {"tile": "x"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sample", "{photo}", "--workers", "0"], "--workers must be a whole number from 1 to 1024"),
        (["sample", "{photo}", "--ray", "there"], "--ray must be here, auto or HOST:PORT"),
        (["bench", "{folder}", "--workers", "1025"], "--workers must be a whole number from 1 to 1024"),
        (["train", "{photo}", "--ray", "host"], "--ray must be here, auto or HOST:PORT"),
        (["sample", "{photo}", "-n", "2", "--ray", "127.0.0.1:1"], "there is no Ray cluster at 127.0.0.1:1"),
        (["sample", "{photo}", "-n", "2", "--workers", "2", "--size", "4x4"], "too small"),
    ],
)
def test_what_is_wrong_is_a_sentence(words: list[str], says: str, photo: Path, tmp_path: Path) -> None:
    command = [word.format(photo=photo, folder=photo.parent) for word in words]
    with pytest.raises(UnicaError, match=says):
        CliRunner().invoke(make_app(), [*command, "-o", str(tmp_path / "out")], catch_exceptions=False)
    assert not list(tmp_path.glob("out/*"))


def test_a_mistake_that_a_job_finds_is_the_sentence(photo: Path, tmp_path: Path) -> None:
    task = tasks()["sample"]
    typed = {"path": str(photo), "count": "2", "workers": "2", "output": str(tmp_path / "out")}
    run_ = drawing(task, {option.name: option.value(typed.get(option.name)) for option in options_of_task(task)})
    run_.open()
    photo.write_text("no picture any more")
    from unica.jobs.progress import Progress

    with pytest.raises(UnicaError, match=r"photo\.png"):
        run_.save(Progress())
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_leaves_whole_files_only(photo: Path, tmp_path: Path) -> None:
    command = ["sample", photo, "-n", "5000", "--workers", "2", "--sheet", "-o", tmp_path / "out"]
    words = [sys.executable, "-m", "unica", *map(str, command)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while len(list(tmp_path.glob("out/*.png"))) < 3:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 130 and "interrupted; kept" in said and "Traceback" not in said
    for path in (tmp_path / "out").iterdir():
        Image.open(path).load()


def test_benchmarks_have_the_same_rows(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a", "b"):
        (tmp_path / "images" / f"{name}.png").write_bytes(photo.read_bytes())
    (tmp_path / "weights").mkdir()
    rows, said = [], []
    for place, workers in (("alone", 1), ("shared", 2), ("shared", 1)):
        benchmark = Benchmark(find_images(tmp_path / "images"), [Method("instant")], 2, tmp_path / place)
        networks = Networks(absent=_absent(tmp_path / "weights"))
        rows.append(run(benchmark, networks, said.append, weights=tmp_path / "weights", workers=workers))
    plain = [[{**row.as_json(), "made": None} for row in each] for each in rows]
    assert plain[0] == plain[1] == plain[2] and [row.image for row in rows[1]] == ["a", "b"]
    assert sum("done before" in line for line in said) == 2 and len(said) == 6


def _absent(weights: Path) -> Any:
    from unica.evaluation import load_networks

    return load_networks(weights).absent


def test_each_of_several_pictures_has_a_model_and_failures_are_named(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("a.png", "more/b.png"):
        Image.open(photo).resize((64, 48)).save(tmp_path / name)
    (tmp_path / "bad.png").write_text("no picture")
    command = ["train", tmp_path / "a.png", tmp_path / "bad.png", tmp_path / "more", "--steps", "2"]
    command += ["--workers", "2", "-o", tmp_path / "models"]
    done = unica(*command, "--json")
    assert done.returncode == 2, done.stderr
    report = json.loads(done.stdout)
    assert {Path(model["model"]).name for model in report["models"]} == {"a.unica", "b.unica"}
    assert list(report["failed"]) == [str(tmp_path / "bad.png")]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("unica: 1 of 3 pictures have no new model: ") and "bad.png" in last
    inside("sample", tmp_path / "models" / "a.unica", "-n", "1", "-q", "-o", tmp_path)
    again = unica(*command)
    assert again.returncode == 2 and again.stderr.count("exists already") == 4 and "3 of 3 pictures" in again.stderr
    resumed = unica(*command, "--resume")
    assert resumed.returncode == 2 and "1 of 3 pictures" in resumed.stderr


def test_models_that_would_overwrite_each_other_are_refused(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / photo.name
    other.write_bytes(photo.read_bytes())
    for words, says in (([other], "rename one of them"), ([tmp_path, "-o", "x.unica"], "must be a folder")):
        with pytest.raises(UnicaError, match=says):
            CliRunner().invoke(make_app(), ["train", str(photo), *map(str, words)], catch_exceptions=False)
