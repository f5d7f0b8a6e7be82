"""Pictures of many channels, and several maps of one thing: files, kinds, and what is drawn of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import command
from conftest import scenery
from PIL import Image

import unica
from unica.engines.base import training_engine
from unica.errors import UnicaError
from unica.image import Map, parts, settled, with_amplitudes
from unica.maps import Maps, load_source
from unica.maps.files import encoded, read_planes
from unica.maps.names import kind_of, meant_by, without_meaning
from unica.maps.planes import Planes
from unica.training.loop import Trainer

SIDE = 48


def shares(channels: int, seed: int = 0) -> np.ndarray:
    """A small scene, h x w x channels, in [0, 1]."""
    found = torch.cat([scenery(SIDE, SIDE + 8, seed=seed + n) for n in range(-(-channels // 3))])[:channels]
    return ((found + 1) / 2).clamp(0, 1).movedim(0, -1).numpy()


def normals() -> np.ndarray:
    height = shares(1)[..., 0]
    down, right = np.gradient(height * 6)
    vectors = np.stack([-right, down, np.ones_like(height)], -1)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of maps: color, normal, height of 16 bits, and labels."""
    folder = tmp_path_factory.mktemp("stone")

    def save(name: str, values: np.ndarray) -> None:
        (folder / f"stone_{name}.png").write_bytes(encoded(".png", Planes(values), {}))

    color = (shares(3) * 255).round().astype(np.uint8)
    save("albedo", color)
    save("NormalGL_2K", ((normals() + 1) / 2 * 255).round().astype(np.uint8))
    save("height", (shares(1, 5) * 65535).round().astype(np.uint16))
    save("labels", (color[..., :1] > 127).astype(np.uint8) * 3 + (color[..., 2:] > 140))
    return folder


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Rock_BaseColor", "color"), ("rock-albedo-4k", "color"), ("rock_nor_gl_4k", "normal"), ("AO", "ao"),
        ("wall_disp_2k", "height"), ("WallRoughness", "roughness"), ("cell7_mask", "labels"), ("photo12", "color"),
        ("x_NormalDX", "normal"), ("harvest", None),
    ],
)  # fmt: skip
def test_maps_are_known_by_the_names_that_libraries_give(name: str, meant: str | None) -> None:
    assert meant_by(name) == meant


def test_a_name_without_its_map() -> None:
    assert [without_meaning(name) for name in ("cell7_mask", "cell7", "mask", "a_b_labels")] == [
        "cell7", "cell7", "mask", "a_b",
    ]  # fmt: skip
    assert kind_of("roughness", 1) == "scalar" and kind_of("anything", 3) == "color" and kind_of("mask", 1) == "labels"


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".exr", ".png"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_files_give_back_the_numbers_that_they_were_given(
    tmp_path: Path, suffix: str, dtype: str, channels: int
) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(9, 11, channels)).astype(np.float32) * 1e5
    if dtype != "float32":
        values = random.integers(0, np.iinfo(dtype).max, (32, 35, channels), dtype, endpoint=True)
    wrong = {".exr": dtype != "float32", ".png": dtype == "float32" or channels == 7}
    if wrong.get(suffix):
        with pytest.raises(UnicaError, match="hold"):
            encoded(suffix, Planes(values), {})
        return
    pytest.importorskip({".exr": "OpenEXR", ".tif": "tifffile"}.get(suffix, "numpy"))
    path = tmp_path / f"x{suffix}"
    path.write_bytes(encoded(suffix, Planes(values), {"unica:seed": "7"}))
    found = read_planes(path)
    assert found.values.dtype == values.dtype and np.array_equal(found.values, values)
    path.write_bytes(encoded(suffix, found, {"unica:seed": "7"}))
    assert np.array_equal(read_planes(path).values, values)
    if suffix != ".npy":
        from unica.maps import read_text

        assert read_text(path)["unica:seed"] == "7"


def test_files_that_hold_too_much_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1), np.uint8)) | {"shape": (40_000, 40_000)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(40_000 * 40_000 + 128)  # a hole: it takes no room
    with pytest.raises(UnicaError, match="more than the"):
        read_planes(path)


@pytest.mark.parametrize("axes", ["CYX", "YXC", "YX"])
def test_a_tiff_keeps_its_axes_names_and_resolution(tmp_path: Path, axes: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    shape = [{"C": 5, "Y": 40, "X": 48}[axis] for axis in axes]
    values = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    metadata = {"axes": axes, **({"channels": list("abcde")} if "C" in axes else {})}
    tifffile.imwrite(
        tmp_path / "a.tif", values, photometric="minisblack", metadata=metadata, resolution=(300, 200),
        resolutionunit=2,
    )  # fmt: skip
    model = unica.open(tmp_path / "a.tif")
    assert len(model.picture.pixels) == (5 if "C" in axes else 1)
    assert command("sample", str(tmp_path / "a.tif"), "-n", "1", "-o", str(tmp_path / "b.tif"), "-q").exit_code == 0
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.series[0].shape == values.shape and file.series[0].dtype == values.dtype
        page = file.pages[0]
        assert page.tags["XResolution"].value[0] / page.tags["XResolution"].value[1] == 300
        assert page.tags["ResolutionUnit"].value == 2
    if "C" in axes:
        assert read_planes(tmp_path / "b.tif").names == tuple("abcde")


def layered(folder: Path, suffix: str) -> tuple[Path, tuple[str, ...], np.ndarray]:
    """One file with a material: colours, vectors and heights, mixed up as programs write them."""
    names = ("albedo.B", "albedo.G", "albedo.R", "height", "normal.X", "normal.Y", "normal.Z")
    values = np.concatenate([shares(3)[..., ::-1], shares(1, 5), (normals() + 1) / 2], -1)
    values = values.astype(np.float32) if suffix == ".exr" else (values * 65535).round().astype(np.uint16)
    (folder / f"m{suffix}").write_bytes(encoded(suffix, Planes(values, names), {}))
    return folder / f"m{suffix}", names, values


@pytest.mark.parametrize(("suffix", "library"), [(".tif", "tifffile"), (".exr", "OpenEXR")])
def test_maps_in_one_file_are_known_by_the_names_of_its_channels(tmp_path: Path, suffix: str, library: str) -> None:
    pytest.importorskip(library)
    path, names, values = layered(tmp_path, suffix)
    picture = load_source(path)
    assert [(one.name, one.kind, one.channels) for one in picture.maps] == [
        ("color", "color", 3), ("normal", "normal", 3), ("height", "scalar", 1),
    ]  # fmt: skip
    kept = ["inpaint", str(path), "--box", "30,10,9,9", "-n", "1", "-o", f"{tmp_path}/", "-q"]
    assert command(*kept).exit_code == 0
    assert [one.name for one in tmp_path.glob("m-*")] == [f"m-inpaint-0{suffix}"]  # one file, as it was one
    found = read_planes(tmp_path / f"m-inpaint-0{suffix}")
    assert found.names == names and np.array_equal(found.values[:, :20], values[:, :20])
    model = tmp_path / "m.unica"
    unica.train(path, steps=1, output=model).save(model)
    assert command("sample", str(model), "-n", "1", "-o", f"{tmp_path}/", "-q").exit_code == 0
    assert read_planes(tmp_path / f"m-0{suffix}").names == names


def test_maps_are_read_encoded_and_decoded_without_a_loss(material: Path) -> None:
    picture = load_source(material)
    assert [one.name for one in picture.maps] == ["color", "normal", "height", "labels"]
    for one, channels in parts(picture.maps):
        (path,) = (path for path in material.iterdir() if meant_by(path.stem) == one.name)
        assert np.array_equal(one.decoded(picture.pixels[channels]), read_planes(path).values), one.name
    assert picture.pixels.abs().max() <= 1


def test_where_pixels_are_copied_all_maps_are(material: Path) -> None:
    model = unica.open(material)
    picture = model.picture
    *_, frame = unica.stream(unica.sample, model, seed=3)
    assert frame.origins is not None
    rows, columns = frame.origins.long().unbind(-1)
    copied = picture.pixels[:, rows, columns]
    _, normal, _, labels = (channels for _, channels in parts(picture.maps))
    assert torch.equal(frame.pixels[labels], copied[labels])  # never healed
    assert (frame.pixels == copied).all(0).float().mean() > 0.05
    length = frame.pixels[normal].norm(dim=0) / picture.maps[1].amplitude
    assert (length - 1).abs().max() < 0.01  # as near as 8 bits can be
    found = np.unique(frame.maps["labels"])
    assert set(found) <= set(picture.maps[3].labels)


def test_mirrored_vectors_point_the_mirrored_way(material: Path) -> None:
    (drawn,) = unica.mirror(unica.open(material), axis="x", output="maps")
    for name, sign in (("normal", -1), ("height", 1)):
        values = drawn[name].astype(float)
        values = values[..., 0] - (127.5 if name == "normal" else 0)
        half = values.shape[1] // 2
        apart = np.abs(values[:, :half] - sign * values[:, -half:][:, ::-1])
        assert apart.max() <= (0 if name == "normal" else 65535e-3), name  # numbers of the source, if nobody sees it


def test_floats_are_copied_to_the_bit_and_unknown_ones_never(tmp_path: Path) -> None:
    values = (shares(4) * 37.3 - 11).astype(np.float32)
    values[5:9, 10:20, 2] = np.nan
    np.save(tmp_path / "x.npy", values)
    model = unica.open(tmp_path / "x.npy")
    (drawn,) = unica.sample(model, seed=1, output="maps")
    found = drawn["color"]
    assert found.dtype == np.float32 and np.isfinite(found).all()
    known = {tuple(pixel) for pixel in values.reshape(-1, 4).tolist() if all(np.isfinite(pixel))}
    share = np.mean([tuple(pixel) in known for pixel in found.reshape(-1, 4).tolist()])
    assert share > 0.01, share  # the picture is hardly larger than what is healed around a seam
    mask = np.zeros(values.shape[:2], bool)
    mask[20:30, 20:30] = True
    (kept,) = unica.inpaint(model, unica.Region(mask=Image.fromarray(mask)), dilate=0, output="maps")
    assert np.array_equal(kept["color"][~mask], values[~mask], equal_nan=True)


def test_all_files_are_written_and_say_how(material: Path, tmp_path: Path) -> None:
    result = command("sample", str(material), "-n", "2", "-o", str(tmp_path / "out"), "--json", "-q")
    assert result.exit_code == 0, result.stderr
    pictures = json.loads(result.stdout)["pictures"]
    assert len(pictures) == 2 and set(pictures[0]["maps"]) == {"normal", "height", "labels"}
    for picture in pictures:
        for name, path in picture["maps"].items():
            source = next(one for one in material.iterdir() if meant_by(one.stem) == name)
            assert read_planes(path).values.dtype == read_planes(source).values.dtype
            assert unica.maps.read_text(path)["unica:seed"] == str(picture["seed"])
    first = next(one for one in material.iterdir() if "albedo" in one.name)
    more = [f"--with={name}={one}" for one in material.iterdir() if (name := meant_by(one.stem)) != "color"]
    again = command("sample", str(first), *sorted(more), "-n", "1", "-o", str(tmp_path / "again.png"), "-q")
    assert again.exit_code == 0, again.stderr


@pytest.mark.parametrize("task", ["style", "paint", "harmonize"])
def test_another_picture_gets_the_maps_of_what_looks_alike(material: Path, task: str) -> None:
    more = {"where": unica.Region(box=[(8, 8, 20, 20)])} if task == "harmonize" else {}
    other = Image.open(material / "stone_albedo.png").transpose(Image.Transpose.ROTATE_180)
    (drawn,) = getattr(unica, task)(unica.open(material), content=other, output="maps", **more)
    assert set(drawn) == {"color", "normal", "height", "labels"}
    assert set(np.unique(drawn["labels"])) <= {0, 1, 3, 4}


@pytest.mark.parametrize("task", ["tile", "outpaint", "upscale", "objects", "retarget", "tiles", "animate"])
def test_every_task_draws_all_maps(material: Path, task: str, tmp_path: Path) -> None:
    more = {
        "outpaint": ["--right", "16"], "upscale": [], "objects": ["--size-factor", "0.8"],
        "retarget": ["--size", "60x40"], "tiles": ["-n", "2", "--side", "64"], "tile": [], "animate": ["--frames", "3"],
    }[task]  # fmt: skip
    result = command(task, str(material), *more, "-o", str(tmp_path), "--json", "-q")
    assert result.exit_code == 0, result.stderr
    if task != "animate":
        maps = json.loads(result.stdout)["pictures"][0]["maps"]
        assert set(np.unique(read_planes(maps["labels"]).values)) <= {0, 1, 3, 4}


def test_weights_decide_how_loud_a_map_is(material: Path) -> None:
    plain = Map("color", "color", "uint8", (0.0,) * 3, (255.0,) * 3)
    more = [plain, Map("x", "scalar", "uint8", (0.0,), (255.0,)), Map("n", "normal", "uint8", (0.0,) * 3, (255.0,) * 3)]
    assert with_amplitudes([plain])[0].amplitude == 1
    usual, quiet = with_amplitudes(more), with_amplitudes(more, {"n": 0.0, "scalar": 0.1})
    assert usual[0].amplitude < 1 and quiet[0].amplitude > usual[0].amplitude
    assert quiet[1].amplitude == pytest.approx(0.1 * quiet[0].amplitude)
    with pytest.raises(UnicaError, match="no map y"):
        load_source(Maps({"color": material / "stone_albedo.png"}, weights={"y": 1.0}))


def test_vectors_are_made_unit_and_labels_one() -> None:
    normal = Map("n", "normal", "float32", (-1.0,) * 3, (1.0,) * 3, amplitude=0.5)
    labels = Map("l", "labels", "uint8", (0.0,), (0.0,), (2, 5, 9), amplitude=0.3)
    drawn = settled(torch.randn(6, 5, 7, generator=torch.Generator().manual_seed(0)) * 0.2, (normal, labels))
    assert torch.allclose(drawn[:3].norm(dim=0), torch.tensor(0.5), atol=1e-5)
    assert drawn[3:].unique().tolist() == pytest.approx([-0.3, 0.3])
    assert (drawn[3:] > 0).sum(0).eq(1).all()


@pytest.mark.parametrize("problem", ["sizes", "normal", "labels", "nan", "axes", "kind", "missing", "preview"])
def test_maps_that_cannot_be_are_refused_in_a_sentence(material: Path, tmp_path: Path, problem: str) -> None:
    first, path, more = material / "stone_albedo.png", tmp_path / "x.npy", []
    random = np.random.default_rng(0)
    values: Any = {
        "sizes": shares(1)[:-1], "normal": random.random((SIDE, SIDE + 8, 3)).astype(np.float32),
        "labels": random.integers(0, 2**16, (SIDE, SIDE + 8)).astype(np.uint16),
        "nan": np.where([True, False], np.nan, shares(2)).astype(np.float32),
        "axes": random.random((2, 3, 40, 48), np.float32),
        "kind": shares(1).astype(np.complex64), "missing": None, "preview": shares(5),
    }[problem]  # fmt: skip
    if values is not None:
        np.save(path, values)
    name = {"normal": "normal", "labels": "labels"}.get(problem, "height")
    said = {
        "sizes": "same size", "normal": "no normal map", "labels": "different labels", "nan": "no numbers",
        "axes": "rows x columns", "kind": "complex64", "missing": "does not exist", "preview": "preview",
    }[problem]  # fmt: skip
    more = ["--preview", "1,2,90"] if problem == "preview" else []
    result = command("sample", str(first), "--with", f"{name}={path}", *more, "-o", str(tmp_path / "out"))
    assert result.exit_code == 2 and said in " ".join(result.stderr.split()), result.stderr
    assert not (tmp_path / "out").exists()


def test_what_is_unknown_teaches_a_network_nothing(tmp_path: Path) -> None:
    """Errors where the source has no numbers do not count, at any level and size."""
    values = (shares(2) * 9).astype(np.float32)
    values[5:35, 8:30, 1] = np.nan
    np.save(tmp_path / "x.npy", values)
    picture = load_source(tmp_path / "x.npy")
    trainer = Trainer(picture, training_engine("sinddm").config("fast", picture))

    class Silent(torch.nn.Module):
        def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            return torch.zeros_like(x)

    level, t = len(trainer.pairs) - 1, torch.full((1, 1, 1, 1), 5)
    for pair in (trainer.pairs[level], trainer._cropped(trainer._resized(level))[0]):
        assert pair.known is not None and pair.known.shape[-2:] == pair.sharp.shape[-2:]
        noise = torch.ones_like(pair.sharp)
        wild = torch.where(pair.known > 0, noise, 1e6)
        assert not torch.equal(noise, wild)
        losses = [trainer.loss(Silent(), level, *pair[:2], t, None, pair.known, eps)[0] for eps in (noise, wild)]
        assert float(losses[0]) == float(losses[1])


def test_a_trained_model_keeps_its_maps(material: Path, tmp_path: Path) -> None:
    model = unica.train(material, engine="sinddm", preset="fast", steps=2)
    model.save(tmp_path / "m.unica")
    loaded = unica.load(tmp_path / "m.unica")
    assert loaded.picture.maps == model.picture.maps and torch.equal(loaded.picture.pixels, model.picture.pixels)
    (drawn,) = unica.sample(loaded, output="maps")
    assert set(drawn) == {"color", "normal", "height", "labels"}


def test_a_model_whose_maps_cannot_be_is_refused(material: Path, tmp_path: Path) -> None:
    model = unica.train(material, engine="sinddm", preset="fast", steps=2)
    first, *others = model.picture.maps
    model.picture = replace(model.picture, maps=(replace(first, high=first.low), *others))
    model.save(tmp_path / "m.unica")
    with pytest.raises(UnicaError, match="not in their order"):
        unica.load(tmp_path / "m.unica")


def test_pairs_for_other_networks(material: Path, tmp_path: Path) -> None:
    images, masks, out = tmp_path / "images", tmp_path / "masks", tmp_path / "set"
    for folder in (images, masks):
        folder.mkdir()
    for name in ("a", "b"):
        (images / f"{name}.png").write_bytes((material / "stone_albedo.png").read_bytes())
        (masks / f"{name}_mask.png").write_bytes((material / "stone_labels.png").read_bytes())
    words = ["augment", str(images), "--masks", str(masks), "-n", "2", "-o", str(out), "-q"]
    assert command(*words).exit_code == 0
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [(line["image"], line["seed"]) for line in lines] == [
        (f"images/{name}-{seed}.png", seed) for name in "ab" for seed in (0, 1)
    ]
    made = {path: path.read_bytes() for path in out.rglob("*.png")}
    assert len(made) == 12
    (out / lines[1]["mask"]).unlink()
    assert command(*words).exit_code == 0
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == made
    assert command(*words, "-n", "3").exit_code == 0 and len(list(out.rglob("*.png"))) == 18
    assert "other settings" in command(*words, "--size", "64x64").stderr
    (masks / "b_mask.png").unlink()
    assert "no mask" in command(*words).stderr


def test_a_folder_of_maps_is_one_thing_to_learn_from(material: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.unica"
    assert command("train", str(material), "--steps", "1", "-o", str(model), "-q").exit_code == 0
    assert [one.name for one in unica.load(model).picture.maps] == ["color", "normal", "height", "labels"]
    first, height = material / "stone_albedo.png", material / "stone_height.png"
    words = ["train", str(first), "--with", f"height={height}", "--weight", "height=1", "--steps", "1", "-q"]
    model = tmp_path / "n.unica"
    assert command(*words, "-o", str(model)).exit_code == 0
    maps = unica.load(model).picture.maps
    assert [one.name for one in maps] == ["color", "height"] and maps[0].amplitude == maps[1].amplitude
    both = command("train", str(first), str(height), "--with", f"height={height}", "--steps", "1", "-q")
    assert both.exit_code == 2 and "one picture" in both.stderr
    spared = command("train", str(first), "--with", f"height={height}", "--steps", "1", "-o", str(height), "-q")
    assert spared.exit_code == 2


def test_content_may_have_the_maps_of_the_source(material: Path, tmp_path: Path) -> None:
    """Of a source that is not of colours, only a picture with the same channels can be the content of style."""
    stack = (shares(5) * 4000).astype(np.uint16)
    for name, values in (("a", stack), ("b", stack[::-1].copy()), ("c", stack[..., :4])):
        np.save(tmp_path / f"{name}.npy", values)
    model = unica.open(tmp_path / "a.npy")
    (drawn,) = unica.style(model, tmp_path / "b.npy", output="maps")
    kept = {tuple(pixel) for pixel in stack.reshape(-1, 5).tolist()}
    assert drawn["color"].dtype == np.uint16 and drawn["color"].shape == stack.shape
    assert np.mean([tuple(pixel) in kept for pixel in drawn["color"].reshape(-1, 5).tolist()]) > 0.01
    for wrong in (tmp_path / "c.npy", material / "stone_albedo.png"):
        with pytest.raises(UnicaError, match="same maps as the source"):
            unica.style(model, wrong)
    (whole,) = unica.style(unica.open(material), material, strength=0, output="maps")
    assert set(whole) == {"color", "normal", "height", "labels"}
