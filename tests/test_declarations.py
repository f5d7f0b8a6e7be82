"""What is declared once: tasks, engines and their parameters, and everything that is made of the declarations."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import scenery
from task_arguments import every_task
from typer.testing import CliRunner

import unica
from unica import UnicaError
from unica.cli.app import make_app
from unica.declare import Boxes, Choice, Flag, Number, Numbers, Odd, Param, Placements, Polygons, Size, Stretch, Whole
from unica.engines.base import Model, engines, find
from unica.image import to_pil
from unica.prompts import Prompt, Prompts
from unica.schema import schema_of
from unica.tasks import FUNCTIONS, tasks

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "unica"
sys.path.insert(0, str(ROOT / "docs"))


@pytest.fixture(scope="module")
def model() -> Model:
    return unica.open(to_pil(scenery(32, 40)))


# Kinds


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Whole(0, 9), 3),
        (Odd(3, 31), 7),
        (Number(0, 1), 0.12345678),
        (Choice("x", "y"), "y"),
        (Size(), (512, 256)),
        (Stretch(), (2.0, 0.5)),
        (Numbers(), (52, 41, 31)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_written_value_is_read_back(kind: Any, value: Any) -> None:
    assert kind.parse("--x", kind.format(value)) == kind.check("x", value) == value


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        (Boxes(), [(1, 2, 3, 4), (5, 6, 7, 8)]),
        (Polygons(), [[(1, 2), (3, 4), (5, 6)]]),
        (Placements(), [((1, 2, 3, 4), (5, 6, 3, 4)), ((1, 2, 3, 4), (5, 6, 9, 9))]),
        (Prompts(), [Prompt("red"), Prompt("stripes", -0.5), Prompt("at 10:30"), Prompt("a:b")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_written_items_are_read_back(kind: Any, items: list[Any]) -> None:
    assert [kind.parse("--x", kind.format(item)) for item in items] == kind.check("x", items) == items


# Python


def test_every_task_is_a_documented_function_with_its_signature() -> None:
    for name, function in FUNCTIONS.items():
        signature = inspect.signature(function)
        assert function.__name__ == name and getattr(unica, name) is function
        first, *_, last = signature.parameters
        assert (first, last) == ("model", "output")
        assert all(parameter.name in signature.parameters for parameter in function.task.parameters)
        doc = inspect.getdoc(function) or ""
        assert doc.startswith(function.task.summary) and function.task.summary.endswith(".")
        assert all(f"{parameter.name}: " in doc for parameter in function.task.parameters)


def test_signature_has_plain_types_and_defaults() -> None:
    shown = str(inspect.signature(unica.sample))
    assert "count: int = 1" in shown and "size: tuple[int, int] | None = None" in shown


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"seed": "1"}, r'seed must be a whole number .* not "1"'),
        ({"seed": 1.0}, "seed must be a whole number"),
        ({"size": (64.5, 64)}, r"size must be a whole number .* not 64\.5"),
        ({"size": torch.zeros(100, 100)}, "size must be a pair, width and height, not a Tensor$"),
        ({"size": "64x64"}, "size must be a pair"),
        ({"batch": 1.5}, "batch must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"tile": 3}, "tile must be x, y or xy, not 3"),
        ({"output": "jpg"}, "output must be pil, pt, np or maps"),
    ],
    ids=str,
)
def test_bad_arguments_name_the_parameter_and_not_the_data(model: Model, arguments: dict, match: str) -> None:
    with pytest.raises(UnicaError, match=match) as caught:
        unica.sample(model, **arguments)
    assert len(str(caught.value)) < 120


def test_numpy_numbers_are_numbers(model: Model) -> None:
    (drawn,) = unica.sample(model, seed=np.int64(3), size=(np.int32(24), 24))
    assert drawn.tobytes() == unica.sample(model, seed=3, size=(24, 24))[0].tobytes()


def test_bad_knobs_name_the_knob() -> None:
    with pytest.raises(UnicaError, match=r"patch must be a whole number .* not 7\.5"):
        unica.open("nothing.png", patch=7.5)
    with pytest.raises(UnicaError, match=r"steps is not a setting of the .* engine"):
        unica.open("nothing.png", steps=7)


def test_none_is_a_value_where_the_annotation_says_so(photo: Path) -> None:
    assert unica.open(photo, max_side=None).settings["max_side"] is None
    with pytest.raises(UnicaError, match="patch must be a whole number"):
        unica.open(photo, patch=None)


def test_a_model_comes_first() -> None:
    with pytest.raises(UnicaError, match="needs a model first"):
        unica.sample("photo.jpg")  # pyright: ignore[reportArgumentType]


def test_tasks_are_methods(model: Model) -> None:
    (drawn,) = model.sample(seed=4)
    assert drawn.tobytes() == unica.sample(model, seed=4)[0].tobytes()
    with pytest.raises(AttributeError, match="has no attribute 'conjure'"):
        model.conjure()


def test_outputs_are_the_same_pictures(model: Model) -> None:
    pictures = unica.sample(model, count=2, seed=1)
    tensor, array = (unica.sample(model, count=2, seed=1, output=form) for form in ("pt", "np"))
    assert tensor.shape == (2, 3, 32, 40) and array.shape == (2, 32, 40, 3) and array.dtype == np.float32
    for drawn, one, other in zip(pictures, tensor, array):
        assert np.array_equal(np.asarray(drawn), (other * 255).round().astype(np.uint8))
        assert np.array_equal(one.movedim(0, -1).numpy(), other)


def test_a_model_moves_to_a_device(any_model: Model) -> None:
    moved = any_model.to("cpu")
    assert moved.device.type == "cpu" and moved.sample()[0].tobytes() == any_model.sample()[0].tobytes()
    with pytest.raises(UnicaError, match="device"):
        any_model.to("abacus")


# Engines


def test_no_module_outside_an_engine_names_it() -> None:
    """But networks, of which one has the name of the paper it is from."""
    for name in engines():
        for path in sorted(PACKAGE.rglob("*.py")):
            inside = path.relative_to(PACKAGE).parts[:2]
            if inside in (("engines", name),) or inside[0] == "networks":
                continue
            found = re.findall(rf"^.*\b{name}\b.*$", path.read_text(), flags=re.MULTILINE)
            found = [line for line in found if f"unica.networks.{name}" not in line]
            assert not found, f"{path}: {found}"


def test_engines_are_in_order_and_the_first_that_can_is_the_default() -> None:
    ranks = [engine.rank for engine in engines().values()]
    assert ranks == sorted(ranks)
    assert unica.open(to_pil(scenery(32, 40))).engine == next(e.name for e in engines().values() if e.opens_pictures)


def test_defaults_of_engines_are_parameters_of_tasks() -> None:
    for engine in engines().values():
        for name, values in engine.defaults.items():
            known = {parameter.name: parameter for parameter in tasks()[name].parameters}
            for parameter, value in values.items():
                assert known[parameter].default is None and known[parameter].check(value) == value


@pytest.fixture(scope="module")
def toy_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as pip makes it when a package with an engine in one file is installed."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "toy_engine.py").write_text((Path(__file__).parent / "toy" / "toy_engine.py").read_text())
    info = folder / "toy_engine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[unica.engines]\ntoy = toy_engine:engine\n")
    return folder


@pytest.fixture
def toy(toy_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.syspath_prepend(str(toy_path))
    engines.cache_clear()
    yield unica.open(to_pil(scenery(48, 64)), engine="toy", colours=16)
    engines.cache_clear()


@pytest.mark.parametrize(("name", "arguments"), every_task())
def test_an_engine_from_outside_runs_every_task(toy: Model, name: str, arguments: dict[str, Any]) -> None:
    if name == "text":
        pytest.importorskip("transformers", reason="transformers reads the CLIP of the tests")
    pictures = getattr(toy, name)(**arguments, seed=1)
    assert pictures and all(picture.size[0] > 16 for picture in pictures)


def test_an_engine_from_outside_has_its_options_and_a_place_in_the_benchmark(toy_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    to_pil(scenery(48, 64)).save(folder / "a.png")

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "unica", *words]
        environment = {**dict(__import__("os").environ), "PYTHONPATH": str(toy_path), "COLUMNS": "80"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "--colours" in run("sample", "--help")
    run("sample", "images/a.png", "--engine", "toy", "--colours", "8", "-n", "2", "-o", "out", "-q")
    told = run("info", "out/a-1.png").splitlines()[-1]
    assert "--engine toy --colours 8" in told
    weights = tmp_path / "none"
    weights.mkdir()
    report = json.loads(run("bench", "images", "--engine", "toy", "-n", "2", "--weights", str(weights), "--json", "-q"))
    assert [row["method"] for row in report["results"]] == ["toy"]
    assert "toy" in json.loads(run("schema"))["engines"]


# A task in one file

TASK = '''
"""A task in one file."""

from collections.abc import Iterator
from typing import Annotated

from unica.declare import Number, Param
from unica.engines.base import Model
from unica.tasks.declare import NEW, Count, Seed, task


@task(NEW)
def brighten(
    model: Model,
    by: Annotated[float, Param("How much brighter.", Number(0, 1))] = 0.2,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Draw brighter pictures."""
    from unica.tasks.run import canvas_size, draw

    return draw(model, model.run(canvas_size(model)), count, seed, guides=lambda _: [lambda x0, t, level: x0 + by])
'''


def test_a_task_in_one_file_gets_function_command_schema_and_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model, photo: Path
) -> None:
    import make_reference

    (tmp_path / "brighten.py").write_text(TASK)
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("brighten")
    try:
        assert str(inspect.signature(unica.brighten)).startswith("(model: unica.engines.base.Model, by: float = 0.2")
        bright, usual = (np.asarray(model.brighten(by=by)[0]).mean() for by in (0.5, 0.0))
        assert bright > usual + 20
        words = ["brighten", str(photo), "--by", "0.5", "-o", str(tmp_path / "out"), "-q"]
        result = CliRunner().invoke(make_app(), words, catch_exceptions=False)
        assert result.exit_code == 0 and (tmp_path / "out" / "photo-brighten-0.png").exists()
        assert schema_of("brighten")["properties"]["by"]["maximum"] == 1
        assert "### brighten" in make_reference.page() and "How much brighter." in make_reference.page()
    finally:
        del FUNCTIONS["brighten"], Model.tasks["brighten"]


# What is made of the declarations


def test_reference_is_the_codes() -> None:
    import make_reference

    assert make_reference.PAGE.read_text() == make_reference.page(), "run: python docs/make_reference.py"


def test_schemas_are_json_and_name_every_parameter() -> None:
    everything = json.loads(json.dumps(schema_of()))
    assert list(everything["tasks"]) == list(tasks()) and list(everything["engines"]) == list(engines())
    for name, declared in tasks().items():
        assert list(everything["tasks"][name]["properties"]) == [p.name for p in declared.parameters]
    assert everything["tasks"]["objects"]["required"] == ["size_factor"]
    printed = CliRunner().invoke(make_app(), ["schema", "tile"], catch_exceptions=False).stdout
    assert json.loads(printed)["properties"]["axis"]["enum"] == ["x", "y", "xy"]
    with pytest.raises(UnicaError, match="task must be"):
        schema_of("conjure")


def test_every_help_text_is_a_sentence() -> None:
    declared = [p for task in tasks().values() for p in task.parameters]
    declared += [p for engine in engines().values() for p in _knobs(engine)]
    for parameter in declared:
        about: Param = parameter.about
        assert (
            about.help[0].isupper()
            or about.help.split(":")[0].split()[0] in ("x", "content", "pil")
            or (about.help[0].isdigit())
        ), about.help
        assert about.help.endswith("."), about.help


def _knobs(engine: Any) -> Any:
    from unica.declare import parameters

    return [*parameters(engine.knobs), *parameters(engine.training_knobs)]


def test_an_option_of_another_engine_is_refused_before_anything_starts(photo: Path) -> None:
    first, *others = engines().values()
    mine = {p.name for p in _knobs(first)}
    for engine in others:
        for knob in (p for p in _knobs(engine) if p.name not in mine and p in _drawing_knobs(engine)):
            words = ["sample", str(photo), f"--{knob.option}"]
            if not isinstance(knob.kind, Flag):
                words.append(knob.kind.options[0] if isinstance(knob.kind, Choice) else "1")
            with pytest.raises(UnicaError, match=f"--{knob.option} is for the .*{engine.name}"):
                CliRunner().invoke(make_app(), words, catch_exceptions=False)


def _drawing_knobs(engine: Any) -> Any:
    from unica.declare import parameters

    return parameters(find(engine.name).knobs)
