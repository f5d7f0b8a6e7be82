"""What is published: a wheel and a source archive that hold what they should, and work where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import scenery

from unica.image import to_pil

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "unica"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both files."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


def kept(folder: Path) -> set[str]:
    """The files of a folder of the repository that belong into what is published."""
    inside = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in inside}


def test_the_wheel_holds_the_package_its_pages_and_the_examples(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
        entries = next(file.read(name).decode() for name in file.namelist() if name.endswith("entry_points.txt"))
    examples = {f"studio/examples/{name}" for name in kept(ROOT / "examples" / "images")}
    examples = {name.replace("examples/", "examples/images/") for name in examples}
    examples |= {f"studio/examples/maps/{name}" for name in kept(ROOT / "examples" / "maps")}
    assert names == {f"unica/{name}" for name in kept(PACKAGE) | examples}
    assert "unica = unica.cli:main" in entries and "instant = unica.engines.instant:engine" in entries
    assert wheel.stat().st_size < 2_000_000


def test_the_source_archive_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (archive,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
        file.extractall(tmp_path, filter="data")
    allowed = ("src/unica/", "examples/images/", "examples/maps/")
    single = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO", ".gitignore"}
    assert {name for name in names if not name.startswith(allowed)} <= single
    (folder,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(command, cwd=folder, check=True)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / "again" / wheel.name) as other:
        assert {x.filename: x.CRC for x in one.infolist()} == {x.filename: x.CRC for x in other.infolist()}


@pytest.mark.slow
def test_a_wheel_in_an_empty_environment_draws(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    programs = tmp_path / "env" / "bin"
    subprocess.run([programs / "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel], check=True)
    to_pil(scenery(48, 64)).save(tmp_path / "photo.png")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [programs / "unica", "sample", "photo.png"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "unica-out").glob("photo-*.png"))) == 4
    assert "compiles the search loops" in done.stderr  # it is the first run of this environment
    told = subprocess.run([programs / "unica", "doctor"], capture_output=True, text=True, check=True).stdout
    assert "installed" in told and "gradio missing; pip install 'unica[studio]'" in told and "all is well" in told
