"""Who may import whom: one direction, checked. The picture of it is in docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "unica"

ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "machine": set(),
    "schedule": set(),
    "image": {"errors", "files"},
    "weights": {"errors", "files"},
    "provenance": {"image"},
    "pyramid": {"image"},
    "regions": {"image", "errors"},
    "tone": {"regions"},
    "diffusion": {"schedule"},
    "devices": {"errors"},
    "networks": set(),
    "muon": set(),
    "guides": {"diffusion", "schedule", "image", "pyramid", "errors"},
    "patches": {"guides", "diffusion", "schedule", "image", "pyramid"},
    "windows": {"diffusion"},
    "model": {"guides", "regions", "pyramid", "diffusion", "image"},
    "instant": {"devices", "regions", "patches", "guides", "pyramid", "diffusion", "image", "errors"},
    "recipe": {"networks", "pyramid", "diffusion", "schedule", "errors"},
    "sinddm": {"recipe", "networks", "pyramid", "diffusion", "schedule", "image"},
    "sindiffusion": {"sinddm", "recipe", "networks", "pyramid", "diffusion", "schedule", "errors"},
    "checkpoint": {"sinddm", "sindiffusion", "recipe", "networks", "image", "files", "errors"},
    "trained": {
        *("checkpoint", "recipe", "networks", "patches", "guides", "regions", "windows", "devices"),
        *("pyramid", "diffusion", "schedule", "image", "errors"),
    },
    "foreign": {
        *("trained", "sinddm", "sindiffusion", "recipe", "networks", "devices"),
        *("pyramid", "schedule", "image", "errors"),
    },
    "plan": {"sinddm", "sindiffusion", "recipe", "networks", "muon", "pyramid", "image"},
    "training": {"plan", "trained", "checkpoint", "sinddm", "networks", "diffusion", "image", "errors"},
    "presets": {"plan", "networks", "errors"},
    "session": {"training", "plan", "trained", "presets", "networks", "model", "devices", "image", "files", "errors"},
    "tasks": {"model", "regions", "tone", "pyramid", "guides", "diffusion", "image", "schedule", "errors"},
    "metrics": {"image", "patches", "errors"},
    "evaluation": {
        "metrics",
        "weights",
        "patches",
        "pyramid",
        "image",
        "machine",
        "files",
        "errors",
        "model",
        "session",
    },
    "__init__": {"errors"},
    "__main__": {"cli"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def module(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """Full names of what a file imports when it runs; type-checking imports do not run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_has_a_place() -> None:
    assert {module(path) for path in FILES} - {"cli"} == set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("unica.")}
    here = module(path)
    if here != "cli":
        assert ours <= ALLOWED[here] | {here}


def test_one_file_touches_each_heavy_library() -> None:
    users = {
        library: {
            str(path.relative_to(PACKAGE)) for path in FILES if any(n.split(".")[0] == library for n in imports(path))
        }
        for library in ("PIL", "numba", "torchvision", "typer", "safetensors", "huggingface_hub", "transformers")
    }
    assert users["PIL"] == {"image.py"}
    assert users["numba"] == {"patches/kernels.py"}
    assert users["torchvision"] == set()
    assert users["safetensors"] == {"checkpoint.py"}
    assert users["huggingface_hub"] == {"trained.py"}
    assert users["transformers"] == {"guides/clip.py"}
    assert users["typer"] == {"cli/app.py", "cli/commands.py", "cli/options.py"}


def test_drawing_from_a_picture_loads_nothing_of_training() -> None:
    code = "import sys, unica.cli.drawing, unica.tasks, unica.instant, unica.guides.clip;"
    code += " print([m for m in ('huggingface_hub.hub_mixin', 'safetensors.torch', 'transformers', 'unica.trained',"
    code += " 'unica.session') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_importing_unica_is_free() -> None:
    code = "import sys, unica; print([m for m in ('torch', 'numba', 'PIL', 'rich', 'typer') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
