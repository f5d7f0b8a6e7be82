"""The documentation as a site: every task has a page, no link is dead, and it needs no network."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from unica.tasks import tasks

pytest.importorskip("zensical")

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))
import make_site  # noqa: E402
import make_tutorial  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("docs") / "site"
    make_site.build(output)
    return output


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """What the site is made of, to be spoilt."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [
        *ROOT.glob("*.md"),
        ROOT / "LICENSE",
        *ROOT.glob("examples/*/*.md"),
        *ROOT.glob("integrations/*/*.md"),
    ]:
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    return tmp_path


def test_every_task_has_a_page_with_its_picture_command_program_and_parameters(site: Path) -> None:
    for task in tasks().values():
        page = (site / "docs" / "tasks" / f"{task.name}.html").read_text()
        assert all(f"<code>{parameter.name}</code>" in page for parameter in task.parameters)
        if task.group is not None:
            words = re.sub("<[^>]*>", "", page)
            assert f"\nunica {task.name} " in words and f"unica.{task.name}(model" in words
            assert f"images/{make_site.EXAMPLES[task.name][0]}" in page
            assert f'href="docs/tasks/{task.name}.html"' in (site / "index.html").read_text()


def test_formulas_are_mathml_and_search_knows_all_pages(site: Path) -> None:
    assert "<mfrac>" in (site / "docs" / "how_it_works.html").read_text()
    assert "$`" not in (site / "docs" / "how_it_works.html").read_text()
    found = {item["location"].partition("#")[0] for item in json.loads((site / "search.json").read_text())["items"]}
    assert found == {path.relative_to(site).as_posix() for path in site.rglob("*.html")}


@pytest.mark.parametrize(
    ("page", "text", "message"),
    [
        ("docs/tasks.md", "[gone](gone.md)", "page does not exist"),
        ("README.md", "[gone](docs/tasks.md#gone)", "anchor does not exist"),
        ("docs/tasks.md", "![gone](images/gone.jpg)", "gone.jpg"),
        ("docs/reference.md", "| old |", "make_reference"),
        ("docs/text.md", "These:\n- one", "docs/text.md:.*empty line"),
        ("docs/new.md", "# A page that nobody finds", "not in MENU.*docs/new.md"),
        ("docs/python.md", "<img src=https://example.org/a.png>", "from the network"),
    ],
)
def test_what_is_wrong_with_a_page_is_said(page: str, text: str, message: str, pages: Path, tmp_path: Path) -> None:
    with (pages / page).open("a") as file:
        file.write(f"\n{text}\n")
    with pytest.raises(make_site.Fault, match=message):
        make_site.build(tmp_path / "site", pages)
    assert not (tmp_path / "site").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(make_site.Fault, match="other files"):
        make_site.build(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.slow
def test_search_works_on_files(site: Path) -> None:
    from studio_tools import browser

    with browser() as opened:
        page = opened.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "docs" / "tasks" / "sample.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("screened Poisson", delay=30)
        page.get_by_text("Without training: the instant engine").first.click()
        page.wait_for_url("**/how_it_works.html*")
        assert all(url.startswith("file:") for url in asked)


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    shutil.copytree(ROOT / "examples" / "images", tmp_path / "examples" / "images")
    (tmp_path / "docs").mkdir()
    notebook = nbformat.read(make_tutorial.NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the tutorial is kept without results"
    shown = make_tutorial.run(notebook, tmp_path / "docs")
    kept = {path.stem for path in make_tutorial.PICTURES.glob("*.jpg")}
    assert set(shown) == kept, "run: python docs/make_tutorial.py"
    assert (tmp_path / "docs" / "dandelions.unica").exists()
