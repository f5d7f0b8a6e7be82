"""Build the documentation as a site that needs no network and no server: `make docs`.

    python docs/make_site.py [FOLDER]    # by default build/docs; open index.html there

The pages are the Markdown of this repository, at the same places. Added are a page for each task, made from its
declaration, and the tutorial, made from the notebook. Formulas become MathML, which browsers show by themselves. Dead
links and a reference that is not that of the code are errors.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "examples")]

import gallery  # noqa: E402
import make_reference  # noqa: E402
import make_tutorial  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402

from unica.engines.base import engines  # noqa: E402
from unica.jobs.again import python, read_command  # noqa: E402
from unica.jobs.options import read_values  # noqa: E402
from unica.jobs.task_options import options_of_task  # noqa: E402
from unica.tasks import Task, tasks  # noqa: E402

COPIED = [
    "*.md",
    "LICENSE",
    "docs/*.md",
    "docs/site.*",
    "docs/notes/*.md",
    "docs/images/**/*.jpg",
    "examples/*/*.md",
    "integrations/*/*.md",
]
HOME, TASKS, TUTORIAL = "README.md", "docs/tasks", "docs/tutorial.md"
Menu = Sequence[tuple[str, Any]]  # titles, each with a page or a menu below it
MENU: Menu = [  # the pages of tasks are put below their overview
    ("Home", HOME),
    ("Quick start", "docs/quickstart.md"),
    ("Tutorial", TUTORIAL),
    ("Tasks", [("All tasks", "docs/tasks.md"), ("Gallery", "docs/gallery.md"), ("Text", "docs/text.md")]),
    (
        "Guides",
        [
            ("Training", "docs/training.md"),
            ("The studio", "docs/studio.md"),
            ("Python", "docs/python.md"),
            ("Large pictures", "docs/large.md"),
            ("Looking at large pictures", "docs/viewing.md"),
            ("Many machines", "docs/scaling.md"),
            ("Maps and channels", "docs/maps.md"),
            ("Measuring pictures", "docs/evaluation.md"),
            ("In ComfyUI", "integrations/comfyui/README.md"),
        ],
    ),
    ("Reference", "docs/reference.md"),
    ("How it works", "docs/how_it_works.md"),
    (
        "Project",
        [
            ("Benchmarks", "docs/benchmarks.md"),
            ("Reliability", "docs/reliability.md"),
            ("Security", "SECURITY.md"),
            ("Architecture", "docs/architecture.md"),
            ("Extending unica", "docs/extending.md"),
            ("Contributing", "CONTRIBUTING.md"),
            ("Changes", "CHANGELOG.md"),
            ("Example images", [("Photographs", "examples/images/README.md"), ("Maps", "examples/maps/README.md")]),
        ],
    ),
    (
        "Notes",
        [
            ("About the notes", "docs/notes/README.md"),
            ("Instant engine", "docs/notes/instant.md"),
            ("Hybrid engine", "docs/notes/hybrid.md"),
            ("The papers", "docs/notes/papers.md"),
            ("Training", "docs/notes/training.md"),
            ("Tasks", "docs/notes/tasks.md"),
            ("Text", "docs/notes/text.md"),
            ("Large canvases", "docs/notes/large.md"),
            ("Maps and tiles", "docs/notes/maps.md"),
            ("Studio", "docs/notes/studio.md"),
            ("Where people work", "docs/notes/home.md"),
            ("Worst pictures", "docs/notes/worst.md"),
        ],
    ),
]
GALLERY = f"On the left is the input, then what the engines make of it: {', '.join(engines())}."
EXAMPLES = {  # of commands: a picture, what it shows, and an example of the command
    name: (f"gallery/{name}.jpg", GALLERY, f"unica {name} source.png {options}".strip())
    for name, (_, options) in gallery.TASKS.items()
} | {
    "text": (
        "text/instant.jpg",
        "On the left is the source; then four modes of `instant`, by a very small CLIP ([more](../text.md#modes)).",
        'unica text photo.jpg "vertical stripes" --mode content',
    )
}
SETTINGS = """
[project]
site_name = "unica"
site_description = "New pictures from one picture"
site_url = ""
docs_dir = "pages"
site_dir = "site"
use_directory_urls = false
extra_css = ["docs/site.css"]
nav = {nav}

[project.theme]
font = false
features = ["navigation.top", "navigation.footer", "content.code.copy", "search.highlight"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle = {{ icon = "lucide/sun", name = "Dark" }}

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle = {{ icon = "lucide/moon", name = "Light" }}

[project.plugins.offline]
"""


class Fault(Exception):
    """What is wrong with the pages, for their author."""


def build(output: Path, root: Path = ROOT) -> None:
    """Write the site of the pages under `root` to the folder `output`, in place of an older one."""
    if output.exists() and any(output.iterdir()) and not (output / "search.json").exists():
        raise Fault(f"{output} holds other files: name a new folder, or one with an older site")
    if (root / "docs" / "reference.md").read_text() != make_reference.page():
        raise Fault("docs/reference.md is not that of the code: run `python docs/make_reference.py`")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        staged = dict(_pages(root, folder / "pages"))
        menu = _menu()
        in_menu = set(_pages_of(menu))
        if staged.keys() - in_menu:
            raise Fault(f"not in MENU of docs/make_site.py: {', '.join(sorted(staged.keys() - in_menu))}")
        if in_menu - staged.keys():
            raise Fault(f"MENU of docs/make_site.py has no page: {', '.join(sorted(in_menu - staged.keys()))}")
        for name, text in staged.items():
            path = folder / "pages" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_with_formulas(_checked(name, text)))
        (folder / "zensical.toml").write_text(SETTINGS.format(nav=_toml(menu)))
        program = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(program, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
            raise Fault(f"the site cannot be built:\n{said.partition('Traceback')[0].strip() or said[-2000:]}")
        (folder / "site" / "404.html").unlink()  # which only a server shows
        for path in (folder / "site").rglob("*.html"):
            page = _without_network(path.read_text(), path.relative_to(folder / "site"))
            _check_files(page, path)
            path.write_text(page)
        if output.exists():
            shutil.rmtree(output)
        shutil.copytree(folder / "site", output)


def _pages(root: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """The names and texts of all pages. What belongs to them is copied to the folder."""
    for path in sorted(path for pattern in COPIED for path in root.glob(pattern)):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".md":
            text = _with_titles(path.read_text().replace("tutorial.ipynb)", "tutorial.md)"), path)
            yield name, _with_wall(text) if name == HOME else text
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / name)
    for task in tasks().values():
        yield f"{TASKS}/{task.name}.md", task_page(task, root)
    yield TUTORIAL, make_tutorial.page()


def _with_wall(home: str) -> str:
    """The home page with every task, its picture and a link, two in a row."""
    before, mark, after = home.partition("## How it works\n")
    if not mark:
        raise Fault(f"{HOME} has no heading 'How it works', before which the tasks are shown")
    cells = []
    for name, (picture, *_) in EXAMPLES.items():
        page = f"{TASKS}/{name}.md"
        cells.append(f"[**{name}**]({page}): {tasks()[name].summary} [![{name}](docs/images/{picture})]({page})")
    rows = [f"| {left} | {right} |" for left, right in zip(cells[::2], [*cells[1::2], ""], strict=False)]
    return "\n".join([f"{before}## What it does", "| | |", "| --- | --- |", *rows, "", mark + after])


def task_page(task: Task, root: Path = ROOT) -> str:
    """The page of a task: what it draws, a picture, the command and the program, and its parameters."""
    lines = [f"# {task.name}", "", task.description, ""]
    if task.group is None:
        lines += ["It is a Python function only ([an example](../python.md#any-score-follow)).", ""]
        shared = []
    else:
        if task.name not in EXAMPLES:
            raise Fault(f"{task.name} has no picture: examples/gallery.py draws them")
        picture, shown, command = EXAMPLES[task.name]
        lines += [*_overview(task.name, root / "docs" / "tasks.md"), ""]
        lines += [f"![{task.name}](../images/{picture})", "", f"*{shown}*", ""]
        lines += ["## Command", "", "```sh", command, "```", ""]
        lines += ["## Python", "The first picture of this command:", "", "```python", _program(command), "```", ""]
        shared = ["", "[All commands share more options](../reference.md#options-of-every-command-that-draws).", ""]
    return "\n".join([*lines, "## Parameters", "", *make_reference.task_table(task), *shared]) + "\n"


def _program(command: str) -> str:
    """A program that draws the first picture of a command."""
    read = read_command(command)
    assert read is not None, command
    options = options_of_task(read.task)
    return python(read.task, read_values(options, {**read.values(), "path": read.words[0]}), 0, "new.png")


def _overview(name: str, page: Path) -> Iterator[str]:
    """What the overview of all tasks says about one of them."""
    heads: list[str] = []
    for line in _with_titles(page.read_text(), page).splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| task"):
            heads = cells
        elif line.startswith(f"| `{name}` |"):
            for head, cell in zip(heads[1:], cells[1:], strict=True):
                cell = re.sub(r"\]\((?=[\w/]+\.md)", "](../", cell)
                yield f"- **{head[0].upper()}{head[1:]}:** {cell}"
            return
    raise Fault(f"docs/tasks.md has no row for {name}")


def _with_titles(text: str, path: Path) -> str:
    """The text, with the titles of pages where links show the names of their files."""

    def titled(found: re.Match[str]) -> str:
        page = path.parent / found[2].partition("#")[0]
        title = re.search(r"(?m)^# (.*)$", page.read_text()) if page.exists() else None
        return f"[{title[1] if title else found[1]}]({found[2]})"

    return re.sub(r"\[([\w/.]+\.md)\]\(([^)]+)\)", titled, text)


def _checked(name: str, text: str) -> str:
    """The text; a list without an empty line before it, which the site would show as running text, is refused."""
    before, item = "", re.compile(r"([-*]|\d+\.) ")
    for number, line in enumerate(_outside_code(text), 1):
        if item.match(line) and before and before[0] not in "# " and not item.match(before):
            raise Fault(f"{name}:{number}: a list needs an empty line before it")
        before = line
    return text


def _outside_code(text: str) -> Iterator[str]:
    """The lines of a page; those of programs are empty."""
    code = False
    for line in text.splitlines():
        fence = line.startswith("```")
        yield "" if code or fence else line
        code ^= fence


def _with_formulas(text: str) -> str:
    """The text with its formulas, which are written as on GitHub, as MathML."""
    text = re.sub(r"(?ms)^```math\n(.*?)^```$", lambda found: convert(found[1].strip(), display="block"), text)
    return re.sub(r"\$`(.+?)`\$", lambda found: f"<span>{convert(found[1])}</span>", text)


def _without_network(page: str, name: Path) -> str:
    """The page with its own program in place of the one that it would load for the search in files."""
    page = page.replace("https://unpkg.com/iframe-worker/shim", "../" * (len(name.parts) - 1) + "docs/site.js")
    loaded = re.findall(r"""<(?:script|img|link rel="?stylesheet"?)[^>]*?(?:src|href)="?(https?:[^" >]+)""", page)
    if loaded:
        raise Fault(f"{name} loads {', '.join(loaded)} from the network")
    return page


def _check_files(page: str, path: Path) -> None:
    """Refuse links to files that are not in the site."""
    for link in re.findall(r"""<(?:a|img|script)\b[^>]*?\b(?:href|src)="?([^" >#?]+)""", page):
        if not re.match(r"[a-z]+:", link) and not (path.parent / unquote(link)).exists():
            raise Fault(f"{path.name} has a link to {link}, which does not exist")


def _menu() -> Menu:
    """The menu, with a page for each task."""
    pages = [(name, f"{TASKS}/{name}.md") for name in tasks()]
    return [(title, [*of, *pages] if title == "Tasks" else of) for title, of in MENU]


def _pages_of(menu: Menu) -> Iterator[str]:
    for _, of in menu:
        yield from [of] if isinstance(of, str) else _pages_of(of)


def _toml(menu: Menu) -> str:
    entries = (
        f"{{ {json.dumps(title)} = {json.dumps(of) if isinstance(of, str) else _toml(of)} }}" for title, of in menu
    )
    return f"[{', '.join(entries)}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "docs")
    output = parser.parse_args().folder
    try:
        build(output)
    except Fault as fault:
        sys.exit(str(fault))
    print(f"open {output / 'index.html'}")


if __name__ == "__main__":
    main()
