"""Commands with any options and any paths work, or are refused in a sentence; and write only where they were told."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import scenery
from engines import small_model
from fuzz.crafted import TEXTS, Draw
from hypothesis import event, given, note, settings
from hypothesis import strategies as st
from PIL import Image

from unica.cli.app import main
from unica.cli.commands import augment, bench, evaluate, import_, info, schema, train
from unica.declare import (
    Boxes,
    Choice,
    File,
    Flag,
    NamedFiles,
    NamedNumbers,
    Number,
    Numbers,
    Placements,
    Polygons,
    Size,
    Stretch,
    Whole,
)
from unica.image import png_bytes, to_pil
from unica.jobs.options import Option, options_of
from unica.jobs.task_options import options_of_task
from unica.tasks import tasks

LONGEST = 20.0  # seconds of a processor that a command may take; nearly all need less than one

# What is needed for a command to do its work. Options that are drawn come after, and replace these.
WORDS: dict[str, list[str]] = {
    "analogy": ["photo.png", "--content", "other.png"],
    "animate": ["photo.png", "--frames", "2"],
    "edit": ["photo.png", "--move", "3,3,14,14@24,8"],
    "harmonize": ["photo.png", "--content", "other.png", "--box", "12,6,10,16"],
    "inpaint": ["photo.png", "--box", "12,6,10,16"],
    "mirror": ["photo.png"],
    "objects": ["photo.png", "--size-factor", "0.8"],
    "outpaint": ["photo.png", "--left", "6"],
    "paint": ["photo.png", "--content", "other.png"],
    "region": ["photo.png", "--put", "3,3,14,14@24,8"],
    "retarget": ["photo.png", "--size", "48x44"],
    "sample": ["photo.png"],
    "style": ["photo.png", "--content", "other.png"],
    "text": ["photo.png", "a red picture", "--clip", "CLIP", "--views", "1"],
    "tile": ["photo.png"],
    "tiles": ["photo.png", "--side", "64", "-n", "1"],
    "upscale": ["photo.png", "--factor", "1.5"],
}
WORDS |= {
    "augment": ["folder", "--masks", "masks", "-n", "1", "--output", "new"],
    "bench": ["folder", "--count", "2", "--weights", "empty"],
    "eval": ["photo.png", "other.png", "--weights", "empty"],
    "import": ["text.txt", "--image", "photo.png", "--output", "out.unica"],
    "info": ["photo.png"],
    "schema": [],
    "train": ["photo.png", "--steps", "1", "--engine", "sinddm", "--no-preview", "--output", "new.unica"],
}
NAMES = ("normal", "height", "labels", "color", "", "x y", "../x", "a/b", "x" * 300, "\x1b[31m")  # of maps
PATHS = ("photo.png", "other.png", "model.unica", "text.txt", "folder", "empty", "link.png", "lost.png", "pipe")
PATHS += ("", ".", "missing", "missing/x", "photo.png/x", "/dev/null", "/dev/full", "/dev/zero", "x" * 300, "a\nb.png")
OPTIONS = {task.name: options_of_task(task) for task in tasks().values() if task.group is not None}
OPTIONS |= {
    name: options_of(function)
    for name, function in (("augment", augment), ("bench", bench), ("eval", evaluate), ("import", import_))
}
OPTIONS |= {"info": options_of(info), "schema": options_of(schema), "train": options_of(train)}


@dataclass(frozen=True)
class Done:
    code: int
    said: list[str]  # on stderr


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds of files."""
    folder = tmp_path_factory.mktemp("template")
    for name in ("folder", "empty", "masks"):
        (folder / name).mkdir()
    for name, seed in (("photo.png", 0), ("other.png", 1), ("folder/a.png", 2)):
        (folder / name).write_bytes(png_bytes(to_pil(scenery(44, 56, seed=seed))))
    masks = Image.fromarray((np.indices((44, 56)).sum(0) % 20 > 9).astype(np.uint8))
    masks.save(folder / "masks" / "a.png")
    small_model("sinddm", to_pil(scenery(44, 56)), steps=2).save(folder / "model.unica")
    (folder / "text.txt").write_text("neither a picture nor a model")
    (folder / "link.png").symlink_to("photo.png")
    (folder / "lost.png").symlink_to("nowhere")
    (folder / "CLIP").symlink_to(Path(__file__).parents[1] / "clip")
    return folder


@contextlib.contextmanager
def workshop(template: Path) -> Iterator[Path]:
    """A folder with all kinds of files, in which a command starts."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as around, pytest.MonkeyPatch.context() as patch:
        folder = Path(around) / "work"
        shutil.copytree(template, folder, symlinks=True)
        os.mkfifo(folder / "pipe")
        patch.setenv("XDG_CACHE_HOME", f"{around}/cache")
        patch.setenv("HF_HUB_OFFLINE", "1")
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def run(*words: str) -> Done:
    """A command in this process."""
    stderr, code = io.StringIO(), None
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["unica", *words])
        with contextlib.redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
    return Done(int(code or 0), stderr.getvalue().splitlines())


def typed(draw: Draw, option: Option) -> list[str]:
    """An option with a value at or beyond the ends of what it takes, or of another kind. None makes long work."""
    kind: Any = option.parameter.kind
    if isinstance(kind, Flag):
        return option.names[-1:]
    values: tuple[Any, ...] = TEXTS
    match kind:
        case Whole():
            values = (kind.low - 1, kind.low, kind.high + 1, 10**40, "1.5", "nan", "2") if kind.low < 3 else (kind.low,)
        case Number():
            values = (
                kind.low - 1,
                kind.low,
                min(kind.high, kind.low + 1),
                kind.high * 10 + 1,
                "nan",
                "inf",
                "1e400",
                "1_0",
            )
        case Choice():
            values = tuple(word for word in kind.options if word != "hybrid")  # which would train for long
        case Stretch():
            values = ("1x1", "0.9x1.2", "0x1", "-1x1", "nanx1", "1e9x1e9", "1x", "0.001x0.001")
        case Size():
            values = ("40x36", "1x1", "33x90", "0x0", "-5x40", "1000000x1000000", "40", "40x36x3", "ax36", "1e2x36")
        case File():
            values = PATHS
        case NamedFiles():
            values = tuple(f"{name}={path}" for name in NAMES for path in ("other.png", *PATHS[3:6], "missing"))
        case NamedNumbers():
            values = ("color=1", "normal=0", "height=nan", "labels=1e9", "x=1", "=1", "color=", "scalar=-1")
        case Numbers():
            values = ("1", "3,2,1", "1,1", "0", "-1", "4,5,6", "1,2,3,4", "a,b,c")
        case Boxes() | Polygons() | Placements():
            values = (
                "3,3,14,14",
                "0,0,44,36",
                "5,5,0,0",
                "-9,-9,12,12",
                "1,2",
                "999999,1,5,5",
                "1,1,20,1,10,20",
                "a,b,c,d",
            )
            values += (
                "3,3,14,14@24,8",
                "3,3,14,14@24,8,6,6",
                "3,3,14,14@",
                "@1,1",
                "3,3,14,14@900,900",
                "0,0,1,1@0,0,90,90",
            )
    value = str(draw(st.sampled_from((*values, *values, *TEXTS, *PATHS[:3]))))
    return [*option.names[-1:], value]


def contents(folder: Path) -> dict[Path, str]:
    """All that is in the folder and beside it: of files their bytes, of all else the kind."""
    found = {}
    for path in folder.parent.rglob("*"):
        if path.relative_to(folder.parent).parts[0] != "cache":
            plain = path.is_file() and not path.is_symlink()
            found[path] = sha256(path.read_bytes()).hexdigest() if plain else stat.filemode(path.lstat().st_mode)
    return found


def told_to_write(options: list[Option], words: list[str]) -> list[Path]:
    """The files and folders that are named as outputs, or are outputs if none is named."""
    names = [option.names for option in options if option.name in ("output", "html", "show_mask")]
    named = [words[i + 1] for i, word in enumerate(words[:-1]) if any(word in one for one in names)]
    return [Path(os.path.abspath(word)) for word in (*named, "unica-out", "results")]


def is_output(path: Path, told: Path) -> bool:
    """Whether it is the file or the folder that was named, is in it, or goes with it: x.unica.training, x-sheet.png, or
    x_2.png where x.png is there already."""
    return path.is_relative_to(told) or (path.parent == told.parent and path.name.startswith(told.stem))


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_changed_works(template: Path, name: str) -> None:
    if name == "text":
        pytest.importorskip("transformers", reason="transformers reads the CLIP of the tests")
    with workshop(template):
        done = run(name, *WORDS[name])
        assert (done.code == 0) is (name != "import"), done


@given(data=st.data())
@settings(max_examples=2 * settings().max_examples)
def test_any_options_and_paths_work_or_are_refused(template: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(OPTIONS)))
    base = [*WORDS[name], "--count", "1"] if "count" in {option.name for option in OPTIONS[name]} else WORDS[name]
    base = [data.draw(st.sampled_from((word, word, word, *PATHS))) if word in PATHS else word for word in base]
    read = {word for word in base if word in PATHS}
    options = [option for option in OPTIONS[name] if option.names]
    chosen = data.draw(st.lists(st.sampled_from(options), max_size=3)) if options else []
    words = [name, *base, *(word for option in chosen for word in typed(data.draw, option))]
    note(" ".join(map(repr, words)))
    with workshop(template) as folder:
        before, began = contents(folder), time.process_time()
        done = run(*words)
        assert time.process_time() - began < LONGEST
        event(f"exit {done.code}")
        assert done.code in (0, 2) and all(line.isprintable() for line in done.said), done
        assert [line.startswith("unica: ") for line in done.said].count(True) == (done.code == 2), done
        assert done.code == 0 or done.said[-1].startswith("unica: "), done
        after, outputs = contents(folder), told_to_write(options, words)
        for path in before.keys() | after.keys():
            if before.get(path) != after.get(path):
                told = (is_output(path, one) or (path.is_dir() and one.is_relative_to(path)) for one in outputs)
                assert any(told) and os.path.relpath(path, folder) not in read, path
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode) and stat.S_ISCHR(os.stat("/dev/full").st_mode)
