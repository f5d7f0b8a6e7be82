"""Which module may import which: one direction, checked. docs/architecture.md has the picture."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from unica.engines.base import engines

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "unica"

# A module or package may import those of the layers before its own.
LAYERS = (
    {"errors", "machine", "masks", "names", "noise", "plot", "schedule", "seeds", "torus", "window"},
    {"cache", "declare", "devices", "diffusion", "files", "threads", "tone"},
    {"fleet", "image", "prompts", "records", "tensor_files", "weights"},
    {"maps", "provenance", "pyramid", "regions", "tiled"},
    {"guides", "motion", "networks", "patches"},
    {"metrics", "process"},
    {"training"},
    {"engines"},
    {"tasks"},
    {"__init__"},  # `import unica` gives engines and tasks
    {"evaluation", "pipeline", "schema", "viewer"},
    {"jobs"},
    {"studio"},
    {"cli"},
    {"__main__"},
)
ENGINE_LAYERS = (  # of the modules that engines share; each engine is a package above them
    {"__init__", "base", "blur_rules", "windows"},
    {"files", "train"},
    {"trained"},
    {"author_checkpoints"},
    set(engines()),
)
FILES = sorted(PACKAGE.rglob("*.py"))


def place(parts: tuple[str, ...] | list[str], layers: tuple[set[str], ...]) -> tuple[int, str]:
    """The layer of a module, and its name there."""
    name = parts[0]
    (number,) = (number for number, layer in enumerate(layers) if name in layer)
    return number, name


@cache
def imports(path: Path) -> set[str]:
    """Full names of all imports in a file, also those inside functions, but not those for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
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
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "__import__"):
            names |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return names


def ours(path: Path) -> list[list[str]]:
    """What a file imports of unica, as lists of names after "unica"."""
    named = [name.split(".")[1:] for name in imports(path) if name.split(".")[0] == "unica"]
    return [parts if parts and not _is_facade(parts) else ["__init__"] for parts in named]


def _is_facade(parts: list[str]) -> bool:
    """Whether `from unica import NAME` means the package itself, and not a module of it."""
    return not any((PACKAGE / end).exists() for end in (parts[0], f"{parts[0]}.py"))


def test_every_module_has_one_layer() -> None:
    modules = {path.relative_to(PACKAGE).with_suffix("").parts for path in FILES}
    assert {parts[0] for parts in modules} == set().union(*LAYERS)
    assert {parts[1] for parts in modules if parts[0] == "engines"} == set().union(*ENGINE_LAYERS)
    assert sum(map(len, LAYERS)) == len(set().union(*LAYERS))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    layer, name = place(parts, LAYERS)
    if path == PACKAGE / "__init__.py":
        assert ours(path) and all(place(there, LAYERS)[0] < layer for there in ours(path))
        return
    for there in ours(path):
        other, module = place(there, LAYERS)
        assert module == name or other < layer, f"{'.'.join(parts)} imports {'.'.join(there)}"
        if name == module == "engines":
            own, inner = (place(inside[1:], ENGINE_LAYERS) for inside in (parts, there))
            assert inner[1] == own[1] or inner[0] < own[0], f"{'.'.join(parts)} imports {'.'.join(there)}"
        elif module == "engines":
            assert there[1] not in engines(), f"{'.'.join(parts)} imports an engine by its name"


def test_one_place_touches_each_heavy_library() -> None:
    users = {
        library: {
            path.relative_to(PACKAGE).as_posix()
            for path in FILES
            if any(name.split(".")[0] == library for name in imports(path))
        }
        for library in (
            "PIL",
            "numba",
            "torchvision",
            "typer",
            "safetensors",
            "huggingface_hub",
            "transformers",
            "gradio",
            "fastapi",
            "ray",
            "tifffile",
            "OpenEXR",
            "av",
            "fsspec",
        )
    }
    assert {Path(user).parent.name for user in users["PIL"]} == {"image"}
    assert users["numba"] == {"patches/kernels.py"}
    assert users["torchvision"] == set()
    assert users["safetensors"] == {"tensor_files.py"}
    assert users["huggingface_hub"] == {"engines/trained.py"}
    assert users["transformers"] == {"guides/clip.py"}
    assert {Path(user).parent.name for user in users["gradio"] | users["fastapi"]} == {"studio"}
    assert users["tifffile"] == {"maps/tiff.py", "tiled/tiff.py"} and users["fsspec"] == {"tiled/store.py"}
    assert users["OpenEXR"] == {"maps/exr.py"}
    assert users["av"] == {"image/video.py"}
    assert users["ray"] == {"fleet/cluster.py"}
    assert users["typer"] == {f"cli/{name}.py" for name in ("app", "commands", "drawing", "options")}


def loaded(code: str, *modules: str) -> str:
    """Which of the modules are loaded after some code, in a process of its own."""
    code += f"\nimport sys\nprint([m for m in {modules} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


HEAVY = ("torch", "numpy", "numba", "PIL", "transformers", "safetensors", "huggingface_hub")
HELP = """
import sys
from unica.cli import main
sys.argv = ["unica", *{words}, "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0
"""


def test_drawing_from_a_picture_loads_nothing_of_training() -> None:
    code = "import unica.jobs.drawing, unica.guides.clip, unica\n"
    code += "from PIL import Image\n"
    code += "unica.sample(unica.open(Image.linear_gradient('L').resize((32, 32))), size=(16, 16))"
    absent = ("huggingface_hub.hub_mixin", "safetensors.torch", "transformers", "unica.engines.trained")
    assert loaded(code, *absent, "unica.training", "unica.networks") == "[]"


def test_importing_unica_loads_nothing() -> None:
    assert loaded("import unica", *HEAVY, "rich", "typer", "unica.tasks", "unica.engines") == "[]"


@pytest.mark.parametrize(
    "code",
    [
        "import unica; unica.sample, unica.Region, unica.Prompt, unica.open",
        "import unica.tasks; unica.tasks.tasks()",
        "from unica.engines.base import engines; engines()",
        "from unica.schema import schema_of; schema_of()",
    ],
)
def test_declarations_load_nothing_heavy(code: str) -> None:
    assert loaded(code, *HEAVY, "rich", "typer") == "[]"


@pytest.mark.parametrize("words", [[], ["sample"], ["train"], ["eval"]], ids=lambda words: " ".join(words) or "unica")
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    assert loaded(HELP.format(words=words), *HEAVY) == "[]"
