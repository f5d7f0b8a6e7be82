"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from conftest import full_disk
from PIL import Image
from task_arguments import CLIP
from typer.testing import CliRunner

from unica import cli
from unica.cli.app import make_app
from unica.errors import UnicaError
from unica.image import read_text, save_png
from unica.jobs.outputs import without_folders
from unica.jobs.progress import Forecast, Progress
from unica.jobs.task_options import options_of_task
from unica.tasks import tasks


def unica(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "unica", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def inside(*words: str | Path) -> None:
    """The same without a new process. For good input only."""
    result = CliRunner().invoke(make_app(), list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_sampling_writes_pictures_a_sheet_and_a_report(photo: Path, tmp_path: Path) -> None:
    done = unica("sample", photo, "-n", "2", "--seed", "5", "-o", tmp_path / "out", "--sheet", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [p["seed"] for p in report["pictures"]] == [5, 6]
    assert all(Path(p["path"]).is_file() for p in report["pictures"]) and Path(report["sheet"]).is_file()
    assert report["seconds_per_picture"] > 0 and report["peak_memory_mb"] > 0
    assert report["first_preview_seconds"] < report["seconds"]
    assert "photo-5.png" in done.stderr and "\x1b" not in done.stderr  # plain lines when not a terminal


def test_info_prints_the_command_that_makes_the_same_bytes(photo: Path, tmp_path: Path, monkeypatch) -> None:
    inside("sample", photo, "-n", "3", "--seed", "5", "--stretch", "1.5x1", "--tile", "x", "-o", tmp_path / "a", "-q")
    third = tmp_path / "a" / "photo-7.png"
    text = read_text(third)
    assert text["unica:engine"] == "instant" and text["unica:seed"] == "7" and len(text["unica:source-sha256"]) == 64
    printed = CliRunner().invoke(make_app(), ["info", str(third)]).output.strip().splitlines()[-1]
    words = shlex.split(printed)
    assert words[:3] == ["unica", "sample", "photo.png"]
    monkeypatch.chdir(photo.parent)
    inside(*words[1:], "-o", tmp_path / "b", "-q")
    assert (tmp_path / "b" / "photo-7.png").read_bytes() == third.read_bytes()


def test_info_tells_foreign_pictures(photo: Path) -> None:
    assert "not made by unica" in CliRunner().invoke(make_app(), ["info", str(photo)]).output


def test_quiet_says_nothing(photo: Path, tmp_path: Path) -> None:
    done = unica("sample", photo, "-n", "1", "--quiet", "-o", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_large_sources_are_shrunk_and_the_command_says_so(tmp_path: Path) -> None:
    Image.linear_gradient("L").resize((300, 200)).save(tmp_path / "big.png")
    done = unica("sample", tmp_path / "big.png", "-n", "1", "--max-side", "64", "-o", tmp_path)
    assert "300x200" in done.stderr and "64x43" in done.stderr
    assert Image.open(tmp_path / "big-0.png").size == (64, 43)


BAD = [
    (["--size", "0x40"], "--size"),
    (["--size", "-4x40"], "--size"),
    (["--size", "wide"], "--size"),
    (["--size", "99999x99999"], "too large"),
    (["--stretch", "nanx1"], "--stretch"),
    (["--size", "64x64", "--stretch", "1x1"], "not both"),
    (["--diversity", "3"], "--diversity"),
    (["--patch", "8"], "--patch"),
    (["--engine", "magic"], "engine must be"),
    (["--device", "tpu"], "--device"),
    (["--tile", "q"], "--tile"),
    (["-n", "0"], "--count"),
]


@pytest.mark.parametrize(("words", "names"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_values_are_one_sentence_and_write_nothing(
    photo: Path, tmp_path: Path, capsys, monkeypatch, words, names
) -> None:
    _expect_one_sentence(["sample", str(photo), "-o", str(tmp_path / "out"), *words], names, capsys, monkeypatch)
    assert not list(tmp_path.glob("out/*"))


def test_bad_files_are_one_sentence_and_write_nothing(photo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:300])
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    for name in ("text.png", "cut.png", "dot.png", "missing.png"):
        _expect_one_sentence(["sample", str(tmp_path / name), "-o", str(tmp_path / "out")], name, capsys, monkeypatch)
    assert not (tmp_path / "out").exists()


def test_unwritable_folder_is_one_sentence(photo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    _expect_one_sentence(["sample", str(photo), "-o", str(photo / "out")], "folder", capsys, monkeypatch)


def test_a_full_disk_leaves_nothing_half_written(photo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    words = ["sample", str(photo), "-n", "1", "-q", "-o", str(tmp_path / "out")]
    with full_disk():
        _expect_one_sentence(words, "cannot be written: file too large", capsys, monkeypatch)
    assert not list((tmp_path / "out").iterdir())


def test_pictures_that_are_there_stay(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    one, other = (("sample", photo, "-n", "1", "-q", "-o", out, *more) for more in ([], ["--diversity", "0.9"]))
    inside(*one)
    first = (out / "photo-0.png").read_bytes()
    inside(*one)  # the same picture is no conflict
    assert [path.name for path in out.iterdir()] == ["photo-0.png"]
    inside(*other, "--provenance", "--sheet")
    inside(*other, "--provenance", "--sheet")
    second = (out / "photo-0_2.png").read_bytes()
    assert (out / "photo-0.png").read_bytes() == first and second != first
    named = {"photo-0_2.map.png", "photo-0_2.overview.png", "photo-0_2.png", "photo-0.png", "photo-sheet.png"}
    assert {path.name for path in out.iterdir()} == named
    inside(*other, "--overwrite")
    assert (out / "photo-0.png").read_bytes() != first and {path.name for path in out.iterdir()} == named


def test_overwriting_what_is_read_is_refused_before_any_work(photo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    own = photo.rename(tmp_path / "photo-1.png")
    (tmp_path / "photo.png").write_bytes(own.read_bytes())
    before = own.read_bytes()
    words = ["paint", str(tmp_path / "photo.png"), "--content", str(own), "-n", "2", "--overwrite", "-o", str(tmp_path)]
    inside(*words)
    (tmp_path / "photo-paint-0.png").rename(tmp_path / "x.png")
    (tmp_path / "photo-paint-1.png").write_bytes(before)
    words[words.index("--content") + 1] = str(tmp_path / "photo-paint-1.png")
    _expect_one_sentence(words, "read by this command", capsys, monkeypatch)
    assert (tmp_path / "photo-paint-1.png").read_bytes() == before
    assert not (tmp_path / "photo-paint-0.png").exists()


def _expect_one_sentence(words: list[str], names: str, capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["unica", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    lines = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2 and len(lines) == 1 and names in lines[0], lines


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_stdout_that_cannot_be_used_is_one_sentence(photo: Path, tmp_path: Path, where: str) -> None:
    line = f"{sys.executable} -m unica info {photo} {where}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "stdout cannot be used" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_a_reader_that_has_seen_enough_is_no_error(photo: Path) -> None:
    line = f"{sys.executable} -m unica schema | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_missing_argument_is_no_traceback() -> None:
    done = unica("sample")
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_whole_files_only(photo: Path, tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "unica", "sample", str(photo), "-n", "500", "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while len(list((tmp_path / "out").glob("*.png"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 128 + number and "Traceback" not in error and "interrupted; kept" in error
    files = list((tmp_path / "out").iterdir())
    assert len(files) >= 2
    for file in files:
        assert file.suffix == ".png"
        Image.open(file).load()


def test_missing_file_is_a_unica_error_in_python(tmp_path: Path) -> None:
    import unica as package

    with pytest.raises(UnicaError, match=r"missing\.png"):
        package.open(tmp_path / "missing.png")


def test_provenance_is_written_beside_the_picture(photo: Path, tmp_path: Path) -> None:
    inside("sample", photo, "-n", "1", "--provenance", "-q", "-o", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "photo-0.png", "photo-0.map.png", "photo-0.overview.png"
    }  # fmt: skip
    assert Image.open(tmp_path / "out" / "photo-0.overview.png").size == (40 + 4 + 40, 32)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["sample", "photo.png", "-n", "many"], "-n"),
        (["sample", "photo.png", "--wrong"], "--wrong"),
        (["sample", "photo.png", "--stretch", "1e308x1"], "--stretch"),
        (["sample"], "IMAGE|MODEL"),
        (["info"], "MODEL|PICTURE"),
        (["conjure"], "conjure"),
        (["paint"], "IMAGE|MODEL"),
        (["paint", "photo.png"], "--content"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_sentence(photo: Path, capsys, monkeypatch, words, names) -> None:
    monkeypatch.chdir(photo.parent)
    _expect_one_sentence(words, names, capsys, monkeypatch)


def test_recorded_command_keeps_every_digit_and_choice(photo: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo.rename(tmp_path / "-p.png")
    inside("sample", "-n", "1", "--diversity", "0.12345678", "--device", "cpu", "-o", "a", "-q", "--", "-p.png")
    words = shlex.split(read_text(tmp_path / "a" / "-p-0.png")["unica:command"])
    assert words[2] == "./-p.png"
    inside(*words[1:], "-o", "b", "-q")
    assert (tmp_path / "a" / "-p-0.png").read_bytes() == (tmp_path / "b" / "-p-0.png").read_bytes()
    assert "0.12345678" in words and words[words.index("--device") + 1] == "cpu"


def test_info_prints_nothing_harmful_from_a_strangers_picture(tmp_path: Path) -> None:
    """A terminal obeys control characters, and a shell runs what is pasted into it."""
    path = tmp_path / "strange.png"
    flat = Image.new("RGB", (40, 40))
    save_png(flat, path, {"unica:command": "unica sample x; rm -rf ~\n\x1b[2Jls", "Software": "\x1b[31m"})
    shown = CliRunner().invoke(make_app(), ["info", str(path)]).output
    assert "\x1b" not in shown and "; rm" not in shown.splitlines()[-1].replace("'x;'", "")


@pytest.mark.parametrize("claimed", ["rm -rf ~", "unica push a b/c", "unica cache --empty", "unica sample x --wrong 3"])
def test_info_prints_only_commands_that_draw(claimed: str, tmp_path: Path) -> None:
    save_png(Image.new("RGB", (40, 40)), path := tmp_path / "strange.png", {"unica:command": claimed})
    assert CliRunner().invoke(make_app(), ["info", str(path)]).output.splitlines()[-1] == "not made by unica"


def test_info_leaves_out_what_a_command_would_write(tmp_path: Path) -> None:
    claimed = "unica inpaint x.png -o /etc --output=/etc --show-mask /etc/passwd --seed 3 -- -y.png"
    save_png(Image.new("RGB", (40, 40)), path := tmp_path / "strange.png", {"unica:command": claimed})
    shown = CliRunner().invoke(make_app(), ["info", str(path)]).output.splitlines()[-1]
    assert shown == "unica inpaint x.png --seed 3 -- -y.png"


def test_pictures_name_files_without_their_folders(photo: Path, tmp_path: Path) -> None:
    private, open_ = tmp_path / "a", tmp_path / "b"
    for folder, options in ((private, []), (open_, ["--keep-paths"])):
        inside("paint", photo, "--content", photo, "-n", "1", "-o", folder, "-q", *options)
    texts = [read_text(next(folder.iterdir())) for folder in (private, open_)]
    assert [str(photo.parent) in " ".join(text.values()) for text in texts] == [False, True]


def test_pictures_do_not_tell_where_a_clip_lies() -> None:
    (clip,) = (option for option in options_of_task(tasks()["text"]) if option.name == "clip")
    values = [{"clip": CLIP, "count": 1}, {"clip": "openai/clip-vit-base-patch32"}]
    assert without_folders([clip], values[0]) == {"clip": "clip", "count": 1}
    assert without_folders([clip], values[1]) == values[1]


def test_names_do_not_command_the_terminal_or_its_markup(tmp_path: Path, photo: Path) -> None:
    named = photo.rename(tmp_path / "a\x1b[31m\n[bold]b.png")
    for words in (["sample", str(named), "-n", "1"], ["eval", str(named), str(named)], ["info", str(named)]):
        done = unica(*words, "-o", tmp_path / "out") if words[0] == "sample" else unica(*words)
        assert done.returncode == 0 and "\x1b" not in done.stdout + done.stderr
        assert "\\x1b[31m\\n[bold]b" in done.stdout + done.stderr


def test_what_a_command_reads_is_never_written_to(photo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    before = photo.read_bytes()
    results = tmp_path / "results.json"
    results.write_text('{"rows": []}')
    for words in (
        ["inpaint", str(photo), "--box", "1,1,9,9", "--show-mask", str(photo)],
        ["eval", str(photo), str(photo), "--html", str(photo)],
        ["train", str(photo), "-o", str(photo), "--resume"],
        ["bench", str(photo.parent), "-o", str(tmp_path), "--compare", str(tmp_path)],
    ):
        _expect_one_sentence(words, "read by this command", capsys, monkeypatch)
    assert photo.read_bytes() == before and results.read_text() == '{"rows": []}'


def test_nothing_is_written_before_all_is_checked(photo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = photo.rename(tmp_path / "photo.png")
    for words, names in (
        (["inpaint", "photo.png", "--box", "900,1,9,9", "--show-mask", "mask.png"], "box"),
        (["eval", "photo.png", "photo.png", "--html", "missing/report.html"], "missing is not a folder"),
        (["eval", "photo.png", "photo.png", "--html", "/dev/full"], "cannot be replaced"),
        (["bench", "missing", "-o", "results"], "missing"),
    ):
        _expect_one_sentence(words, names, capsys, monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_help_tells_defaults_that_follow_from_the_picture() -> None:
    shown = " ".join(CliRunner().invoke(make_app(), ["sample", "--help"]).output.replace("│", " ").split())
    assert "the source's" in shown and "by its size" in shown


@pytest.mark.parametrize("name", ["new.png", "new.jpg", "new.webp", "new.tif"])
def test_a_named_file_is_one_picture_and_says_how_it_was_made(photo: Path, tmp_path: Path, name: str) -> None:
    inside("sample", photo, "-o", tmp_path / "out" / name, "-q")
    (made,) = (tmp_path / "out").iterdir()
    assert made.name == name and Image.open(made).size == (40, 32)
    assert read_text(made)["unica:command"].startswith("unica sample photo.png -n 1 --seed 0 ")
    png = tmp_path / "same.png"
    inside("sample", photo, "-o", png, "-q")
    drawn, same = (np.asarray(Image.open(path).convert("L"), int) for path in (made, png))
    assert np.abs(drawn - same).mean() < (0.1 if made.suffix in (".png", ".tif") else 5)


def test_several_pictures_of_a_named_file_are_numbered(photo: Path, tmp_path: Path) -> None:
    inside("sample", photo, "-n", "2", "--seed", "5", "--sheet", "-o", tmp_path / "new.jpg", "-q")
    assert {path.name for path in tmp_path.glob("new*")} == {"new-5.jpg", "new-6.jpg", "new-sheet.png"}


def test_what_is_a_folder_stays_one(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    for name in ("a.png", "b.png/", "c"):
        inside("sample", photo, "-n", "1", "-o", f"{tmp_path}/{name}", "-q")
        assert (tmp_path / name / "photo-0.png").is_file()


def test_a_kind_of_file_that_cannot_be_written_is_refused(photo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.open(photo).convert("RGBA").rotate(20).save("clear.png")
    for words, why in (
        (["sample", str(photo), "-o", "x.bmp"], "must end in .dzi, .exr, .jpeg, .jpg, .npy, .png"),
        (["animate", str(photo), "-o", "x.jpg"], "must end in .gif, .mp4, .png, .webm or .webp"),
        (["animate", str(photo), "-o", "x.gif", "--format", "webp"], "--format webp and x.gif are two formats"),
        (["sample", "clear.png", "-o", "x.jpg"], "a JPEG cannot be transparent"),
    ):
        _expect_one_sentence(words, why, capsys, monkeypatch)
    assert {path.name for path in tmp_path.iterdir()} == {"clear.png", photo.name}


def test_a_named_animation_has_the_kind_of_its_name(photo: Path, tmp_path: Path) -> None:
    inside("animate", photo, "--frames", "3", "--strength", "1", "-o", tmp_path / "loop.webp", "-q")
    assert Image.open(tmp_path / "loop.webp").format == "WEBP"


def test_a_long_run_is_foretold_and_a_very_long_one_must_be_wanted() -> None:
    said: list[str] = []

    class Said(Progress):
        def say(self, line: str) -> None:
            said.append(line)

    for seconds, patient, refused in ((1, False, False), (30, False, False), (70, True, False), (70, False, True)):
        times = iter([0.0, 20.0, *(20.0 + seconds * step for step in range(1, 100))])  # the first step takes longer
        forecast = Forecast(Said(), patient, lambda times=times: next(times))
        with pytest.raises(UnicaError, match=r"about 1\.9 hours: say --yes") if refused else nullcontext():
            for step in range(1, 100):
                forecast.update(step / 100)
    assert said == ["this takes about 2 minutes", "this takes about 50 minutes", "this takes about 1.9 hours"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("unica samp", "sample"), ("unica sample --div", "--diversity"), ("unica tiles p.png --by e", "edges")],
)
def test_a_shell_completes_what_is_typed(typed: str, offered: str) -> None:
    asked = {"_UNICA_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    program = Path(sys.executable).with_name("unica")
    done = subprocess.run([program], env=os.environ | asked, capture_output=True, text=True)
    assert offered in done.stdout.split()
