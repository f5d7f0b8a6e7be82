"""The nodes for ComfyUI, by stubs of what ComfyUI offers. That they run in ComfyUI itself is in its README."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comfy_stubs import Interrupted, Seen, install
from PIL import Image

import unica
from unica.errors import UnicaError
from unica.tasks import tasks

FOLDER = Path(__file__).parents[1] / "integrations" / "comfyui"
COMMANDS = [name for name, task in tasks().items() if task.group is not None]
GIVEN = {  # what a node must be told, as a user types it
    "region": {"put": "4,20,12,10@24,18"},
    "edit": {"erase": "20,20,8,8\n2,2,6,6"},
    "outpaint": {"right": 8},
    "retarget": {"size": "30"},
    "objects": {"size_factor": 0.8},
    "text": {"prompts": "a red circle\na boat:-0.5", "clip": str(Path(__file__).parent / "clip"), "views": 1},
    "tiles": {"side": 64, "count": 2},
    "animate": {"frames": 3},
}


def loaded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The fv1 as ComfyUI imports it: a package under a name of its own."""
    name = "comfyui_unica"
    for known in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, known)
    spec = spec_from_file_location(name, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)])
    assert spec is not None and spec.loader is not None
    package = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, package)
    spec.loader.exec_module(package)
    return package


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Seen:
    return install(monkeypatch, tmp_path / "models")


@pytest.fixture
def nodes(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The classes by the ids of their nodes."""
    extension = asyncio.run(loaded(monkeypatch).comfy_entrypoint())
    return {node.define_schema().node_id: node for node in asyncio.run(extension.get_node_list())}


@pytest.fixture
def image(photo: Path) -> torch.Tensor:
    """As ComfyUI loads it: (1, h, w, 3)."""
    return torch.from_numpy(np.array(Image.open(photo).convert("RGB"), np.float32) / 255)[None]


@pytest.fixture
def running() -> Iterator[None]:
    """As ComfyUI runs nodes."""
    with torch.inference_mode():
        yield


@pytest.fixture
def model(nodes: dict[str, Any], image: torch.Tensor) -> Any:
    (model,) = nodes["unica.open.instant"].execute(image=image)
    return model


def _pillow(image: torch.Tensor) -> Image.Image:
    return Image.fromarray((image[0] * 255).round().byte().numpy())


def marked(image: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros(1, *image.shape[1:3])
    mask[:, 16:26, 10:22] = 1
    return mask


def test_every_task_and_every_engine_has_a_node(nodes: dict[str, Any]) -> None:
    assert set(GIVEN) <= set(COMMANDS)
    assert set(nodes) == {
        *(f"unica.{name}" for name in COMMANDS),
        *("unica.open.instant", "unica.open.hybrid", "unica.load", "unica.save"),
        *("unica.train.hybrid", "unica.train.sinddm", "unica.train.sindiffusion"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_node_gives_a_batch_of_pictures_and_says_how_far_it_is(
    name: str, nodes: dict[str, Any], model: Any, image: torch.Tensor, seen: Seen, running: None
) -> None:
    schema = nodes[f"unica.{name}"].define_schema()
    given: dict[str, Any] = {"model": model, **GIVEN.get(name, {})}
    for socket in schema.inputs:
        if socket.type == "IMAGE":
            given[socket.id] = image.flip(2)
        if socket.type == "MASK" and name in ("inpaint", "harmonize"):
            given[socket.id] = marked(image)
    images, clear = nodes[f"unica.{name}"].execute(**given)
    assert images.ndim == 4 and images.shape[-1] == 3 and images.dtype == torch.float32
    assert clear.shape == images.shape[:3] and not clear.any()
    assert images.min() >= 0 and images.max() <= 1
    assert seen.progress == sorted(seen.progress) and seen.progress[-1] == 1000
    assert seen.previews and all(kind == "JPEG" and picture.mode == "RGB" for kind, picture, _ in seen.previews)


def test_pictures_are_those_of_the_function(
    nodes: dict[str, Any], model: Any, photo: Path, image: torch.Tensor
) -> None:
    images, _ = nodes["unica.sample"].execute(model=model, count=2, seed=5, width=40, height=36, tile="x")
    same = unica.sample(unica.open(photo), count=2, seed=5, size=(40, 36), tile="x", output="np")
    assert np.array_equal(images.numpy(), same)
    images, _ = nodes["unica.inpaint"].execute(model=model, mask=marked(image), feather=2, dilate=0)
    region = unica.Region(mask=Image.fromarray((marked(image)[0] * 255).byte().numpy()))
    same = unica.inpaint(unica.open(photo), region, feather=2, dilate=0, output="np")
    assert np.array_equal(images.numpy(), same)


def test_widgets_left_alone_say_nothing(nodes: dict[str, Any], model: Any, photo: Path) -> None:
    schema = nodes["unica.sample"].define_schema()
    widgets = {socket.id: socket.settings["default"] for socket in schema.inputs if "default" in socket.settings}
    images, _ = nodes["unica.sample"].execute(model=model, **widgets)
    assert np.array_equal(images.numpy(), unica.sample(unica.open(photo), output="np"))


def test_the_mask_of_a_picture_is_its_transparency(nodes: dict[str, Any], image: torch.Tensor) -> None:
    opened = nodes["unica.open.instant"]
    (model,) = opened.execute(image=image, mask=torch.zeros(1, 64, 64))  # what ComfyUI has for a picture without
    assert model.picture.alpha is None
    (model,) = opened.execute(image=image, mask=marked(image))
    assert torch.equal(model.picture.alpha, 1 - marked(image))
    _, clear = nodes["unica.outpaint"].execute(model=model, right=8)
    assert torch.equal(clear[:, :, : image.shape[2]], marked(image))


def test_mistakes_are_told_in_a_sentence(nodes: dict[str, Any], model: Any, image: torch.Tensor, photo: Path) -> None:
    with pytest.raises(UnicaError, match="2 came"):
        nodes["unica.open.instant"].execute(image=image.repeat(2, 1, 1, 1))
    with pytest.raises(UnicaError, match="nothing is marked"):
        nodes["unica.inpaint"].execute(model=model, mask=torch.zeros(1, 64, 64))
    with pytest.raises(UnicaError, match="one mask, and 3 came"):
        nodes["unica.inpaint"].execute(model=model, mask=marked(image).repeat(3, 1, 1))
    with pytest.raises(UnicaError, match="give both width and height"):
        nodes["unica.sample"].execute(model=model, width=64, height=0)
    with pytest.raises(UnicaError, match="prompts must be given"):
        nodes["unica.text"].execute(model=model, prompts=" \n")
    _pillow(image).convert("L").save(photo.with_name("height.png"))
    maps = unica.open({"color": photo, "height": photo.with_name("height.png")})
    with pytest.raises(UnicaError, match="maps"):
        nodes["unica.sample"].execute(model=maps)
    with pytest.raises(UnicaError, match="10,20,64,48"):
        nodes["unica.region"].execute(model=model, put="here")


def test_a_run_stops_when_the_user_stops_it(nodes: dict[str, Any], model: Any, image: torch.Tensor, seen: Seen) -> None:
    seen.stop_at = 300
    with pytest.raises(Interrupted):
        nodes["unica.sample"].execute(model=model)
    assert 300 <= max(seen.progress) < 1000


def test_a_trained_model_is_kept_and_loaded(nodes: dict[str, Any], tmp_path: Path, running: None) -> None:
    image = torch.rand(1, 44, 48, 3)
    (model,) = nodes["unica.train.hybrid"].execute(image=image, steps=3, preset="fast", budget="")
    assert nodes["unica.save"].execute(model=model, name="../a: b") == ()
    (file,) = (tmp_path / "models" / "unica").iterdir()
    load = nodes["unica.load"]
    options = next(socket for socket in load.define_schema().inputs if socket.id == "file").settings["options"]
    assert options == [file.name] == ["_a_ b.unica"]
    (again,) = load.execute(file=file.name)
    first, second = (nodes["unica.sample"].execute(model=one, seed=3)[0] for one in (model, again))
    assert torch.equal(first, second)
    before = load.fingerprint_inputs(file=file.name)
    file.touch()
    assert load.fingerprint_inputs(file=file.name) != before


def test_v1_nodes_have_the_same_inputs_and_outputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path)
    extension = asyncio.run(loaded(monkeypatch).comfy_entrypoint())
    today = {node.define_schema().node_id: node.define_schema() for node in asyncio.run(extension.get_node_list())}
    for module in ("comfy_api", "comfy_api.latest"):
        monkeypatch.setitem(sys.modules, module, None)
    package = loaded(monkeypatch)
    assert set(package.NODE_CLASS_MAPPINGS) == set(package.NODE_DISPLAY_NAME_MAPPINGS) == set(today)
    for id, v1 in package.NODE_CLASS_MAPPINGS.items():
        inputs = v1.INPUT_TYPES()
        for socket in today[id].inputs:
            kind, settings = inputs["optional" if socket.optional else "required"].pop(socket.id)
            assert socket.settings.get("options", socket.type) == kind
            assert {name: value for name, value in socket.settings.items() if name != "options"} == {
                name: value for name, value in settings.items() if name != "tooltip"
            }
        assert inputs == {"required": {}, "optional": {}}
        assert tuple(output.type for output in today[id].outputs) == v1.RETURN_TYPES
    (model,) = package.NODE_CLASS_MAPPINGS["unica.open.instant"]().run(image=torch.rand(1, 32, 40, 3))
    (images, _) = package.NODE_CLASS_MAPPINGS["unica.sample"]().run(model=model)
    assert images.shape == (1, 32, 40, 3)


@pytest.mark.parametrize("path", sorted((FOLDER / "example_workflows").glob("*.json")), ids=lambda path: path.stem)
def test_example_workflows_fit_the_nodes(path: Path, nodes: dict[str, Any]) -> None:
    graph = json.loads(path.read_text())
    by_id = {node["id"]: node for node in graph["nodes"]}
    for _, start, slot, end, place, kind in graph["links"]:
        assert by_id[start]["outputs"][slot]["type"] == by_id[end]["inputs"][place]["type"] == kind
    for node in graph["nodes"]:
        if not node["type"].startswith("unica."):
            continue
        sockets = sorted(nodes[node["type"]].define_schema().inputs, key=lambda socket: socket.optional)
        assert [one["name"] for one in node["inputs"]] == [s.id for s in sockets if "default" not in s.settings]
        values = list(node["widgets_values"])
        for socket in (socket for socket in sockets if "default" in socket.settings):
            value, settings = values.pop(0), socket.settings
            assert value in settings.get("options", [value]), socket.id
            assert settings.get("min", value) <= value <= settings.get("max", value), socket.id
            if settings.get("control_after_generate"):
                assert values.pop(0) == "fixed"
        assert not values
