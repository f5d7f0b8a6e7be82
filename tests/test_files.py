"""Files that are written completely or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unica.errors import UnicaError
from unica.files import check_folder, locked, whole_file, write_new


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.txt", tmp_path / "b.txt"
    target.write_text("old")
    link.symlink_to(target)
    with whole_file(link) as file:
        file.write(b"new")
    assert link.is_symlink() and target.read_text() == "new"


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path(os.devnull)):
        with pytest.raises(OSError, match=r"regular|denied|read-only"), whole_file(path) as file:
            file.write(b"x")
    assert (tmp_path / "pipe").is_fifo() and Path(os.devnull).is_char_device()


def test_missing_folders_are_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "x" / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def test_new_files_are_numbered_unless_they_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.b.png"
    assert [write_new(path, data).name for data in (b"1", b"2", b"1", b"3", b"2")] == [
        *("a.b.png", "a.b_2.png", "a.b.png", "a.b_3.png", "a.b_2.png")
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.b.png", "a.b_2.png", "a.b_3.png"]


def test_many_processes_write_into_one_folder_and_lose_nothing(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from unica.files import check_folder, write_new
import sys
for n in range(40):
    check_folder(Path({str(tmp_path)!r}))
    write_new(Path({str(tmp_path)!r}) / "a.png", f"{{sys.argv[1]}} {{n}}".encode())
"""
    running = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    found = {path.read_text() for path in tmp_path.iterdir()}
    assert found == {f"{number} {n}" for number in range(3) for n in range(40)}


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    (tmp_path / ".0123456789abcdef.unfinished").write_bytes(b"half")
    with whole_file(tmp_path / "a.txt") as file:
        file.write(b"x")
        check_folder(tmp_path)
        assert len(list(tmp_path.glob(".*.unfinished"))) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folders_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "x", tmp_path / "/".join("x" * 2500), tmp_path / ("x" * 300)):
        with pytest.raises(UnicaError, match="cannot write to the folder"):
            check_folder(folder)


def test_a_lock_is_held_by_one_process_and_gone_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        f"from unica.files import locked; from pathlib import Path; import os, time\n"
        f"with locked(Path({str(path)!r}), 'taken'):\n    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with pytest.raises(UnicaError, match="taken"), locked(path, "taken"):
        pass
    process.kill()
    process.wait()
    with locked(path, "taken"):
        pass
