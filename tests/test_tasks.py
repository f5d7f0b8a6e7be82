"""What the tasks promise, on every engine."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import scenery
from engines import ENGINES, small_model
from PIL import Image
from task_arguments import ARGUMENTS, every_task
from torch import Tensor
from torch.nn.functional import avg_pool2d
from typer.testing import CliRunner

import unica
from unica import Region
from unica.cli.app import make_app
from unica.engines.base import Model, find
from unica.errors import UnicaError
from unica.image import load, read_text, resize, to_pil
from unica.masks import grown
from unica.metrics.patches import mean_patch_distance
from unica.tasks import tasks
from unica.tasks.declare import NEW
from unica.tasks.strength import entered, noise_of
from unica.tasks.tile import seam

HOLE = Region(box=[(20, 10, 16, 24)])
OTHER = to_pil(scenery(52, 60, seed=9))
PLACEMENT = ((5, 5, 20, 20), (40, 10, 20, 20))
EXAMPLES = Path(__file__).parents[1] / "examples/images"
MORE_RUNS = [
    pytest.param("outpaint", {"right": 10, "repeat": 2}, id="outpaint-repeat"),
    pytest.param("objects", {"size_factor": 1.6}, id="objects-larger"),
    pytest.param("follow", {**ARGUMENTS["follow"], "mode": "style"}, id="follow-style"),
]
RUNS = [*every_task(), *MORE_RUNS]


def bytes_of(pictures: list[Image.Image]) -> list[bytes]:
    return [picture.tobytes() for picture in pictures]


def values(pictures: list[Image.Image]) -> Tensor:
    """Pictures in [0, 1]. "n c h w"."""
    return torch.stack([load(picture).pixels for picture in pictures]) / 2 + 0.5


def test_pictures_depend_on_their_own_seed_alone(tiny_model: Model) -> None:
    """The second picture of a run has the bytes of a run of its own, with all other tasks in between."""
    runs = {run.id or "": run.values for run in RUNS}
    pairs = {key: bytes_of(getattr(unica, name)(tiny_model, **words, count=2)) for key, (name, words) in runs.items()}
    for key, (name, words) in reversed(runs.items()):
        alone = bytes_of(getattr(unica, name)(tiny_model, **words, seed=1))
        assert pairs[key][len(alone) :] == alone and pairs[key][: len(alone)] != alone, key


# Low diversity, where an engine has that knob


@pytest.fixture(scope="module")
def diverse() -> dict[float, Model]:
    """Models of one picture, by their diversity."""
    return {diversity: unica.open(to_pil(scenery(32, 40)), diversity=diversity) for diversity in (0.0, 0.05, 0.5)}


@pytest.mark.parametrize(
    ("name", "arguments"), [each for each in every_task() if tasks()[str(each.id)].group in (NEW, None)]
)
def test_low_diversity_brings_new_pictures_together(
    diverse: dict[float, Model], name: str, arguments: dict[str, Any]
) -> None:
    """Pictures of two seeds differ less than half as much. Tasks that change a picture leave no such choice."""
    apart = []
    for diversity in (0.05, 0.5):
        one, other = values(getattr(unica, name)(diverse[diversity], **arguments, count=2))
        apart.append((one - other).abs().mean())
    assert apart[0] < 0.5 * apart[1]


@pytest.mark.parametrize(("name", "arguments"), RUNS)
def test_low_diversity_never_starts_from_nothing(
    diverse: dict[float, Model], monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any]
) -> None:
    """With so little noise, a run without a picture to start from would draw gray."""
    from unica.tasks import run

    starts: list[Tensor | None] = []

    def watched(denoiser: Any, levels: Any, noise: Any, start: Tensor | None) -> Any:
        starts.append(start)
        return cascade(denoiser, levels, noise, start)

    cascade: Any = vars(run)["cascade"]
    monkeypatch.setattr(run, "cascade", watched)
    getattr(unica, name)(diverse[0.05], **arguments)
    assert starts and all(start is not None for start in starts)


STAY = ((3, 3, 14, 14), (3, 3, 14, 14))
MOVE = ((3, 3, 14, 14), (24, 8, 14, 14))


@pytest.mark.parametrize(
    ("name", "arguments", "part", "bound"),
    [
        ("sample", {}, slice(None), 0.01),
        ("objects", {"size_factor": 1.0}, slice(None), 0.01),
        ("region", {"put": [STAY]}, slice(None), 0.01),
        ("region", {"put": [MOVE]}, slice(0, 20), 0.01),
        ("tile", {"axis": "x", "feather": 0}, slice(2, 5), 0.042),  # drawn anew, but not at the seam
    ],
)
def test_low_diversity_stays_near_the_source(
    diverse: dict[float, Model], name: str, arguments: dict[str, Any], part: slice, bound: float
) -> None:
    """In some columns of the picture. `sample` always did so; the others once drew gray there."""
    source = values([to_pil(scenery(32, 40))])
    low, usual = (
        (values(getattr(unica, name)(diverse[diversity], **arguments, count=2)) - source)[..., part].abs().mean()
        for diversity in (0.05, 0.5)
    )
    assert low < bound and low < usual


def test_low_diversity_extends_as_it_samples(diverse: dict[float, Model]) -> None:
    """Both begin with the source, stretched to the canvas. Near the source, an extension continues that."""
    model = diverse[0.05]
    extended, sampled = unica.outpaint(model, left=10, right=10, count=2), unica.sample(model, size=(60, 32), count=2)
    apart = (values(extended) - values(sampled)).abs()
    assert (apart[..., :5].mean() + apart[..., -5:].mean()) / 2 < 0.02


@pytest.mark.parametrize("diversity", [0.0, 0.05])
@pytest.mark.parametrize("name", ["inpaint", "edit"])
def test_low_diversity_fills_holes_from_around(diversity: float, name: str) -> None:
    """A magenta thing hides a part of the sky. The hole is sky again: not magenta, and not gray as the stone below."""
    sky, hole = torch.tensor([-0.6, -0.1, 0.8])[:, None, None], (slice(None), slice(6, 26), slice(34, 56))
    pixels = sky.expand(3, 48, 64).clone()
    pixels[:, 30:] = torch.tensor([-0.5, 0.4, -0.7])[:, None, None]
    pixels[:, 36:46, 4:24] = 0.0
    pixels += (torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(3)) - 0.5) * 0.1
    pixels[hole] = torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    model, box = unica.open(to_pil(pixels), diversity=diversity), [(34, 6, 22, 20)]
    (drawn,) = unica.inpaint(model, Region(box=box)) if name == "inpaint" else unica.edit(model, erase=box)
    assert (load(drawn).pixels[hole] - sky).abs().max() < 0.1


# Each task


def test_extension_keeps_source_pixels(tiny_model: Model) -> None:
    source, (width, height) = tiny_model.picture.pixels, tiny_model.picture.size
    (wide,) = unica.outpaint(tiny_model, left=4, right=8)
    assert wide.size == (width + 12, height)
    assert torch.equal(load(wide).pixels[:, :, 4:-8], source)
    (long,) = unica.outpaint(tiny_model, right=5, repeat=3)
    assert long.size == (width + 15, height) and torch.equal(load(long).pixels[:, :, :width], source)
    (tall,) = unica.outpaint(tiny_model, up=6, down=2, repeat=2)
    assert tall.size == (width, height + 16) and torch.equal(load(tall).pixels[:, 12:-4], source)
    (both,) = unica.outpaint(tiny_model, right=9, down=3, repeat=2)
    drawn = load(both).pixels
    assert torch.equal(drawn[:, :height, :width], source) and drawn[:, height:, :20].std() > 0.01


def bright_above(height: int, width: int) -> Tensor:
    """Bright at the top and dark at the bottom, with texture."""
    return torch.linspace(0.8, -0.8, height)[None, :, None] + 0.2 * scenery(height, width)


def test_extension_goes_on_above_as_above_and_below_as_below() -> None:
    source = bright_above(40, 48)
    model = unica.open(to_pil(source), order=1.0)
    (drawn,) = unica.outpaint(model, up=24, down=20)
    pixels = load(drawn).pixels
    assert pixels[:, :24].mean() > source[:, :12].mean() - 0.15
    assert pixels[:, -20:].mean() < source[:, -12:].mean() + 0.15


def test_what_is_put_lower_brings_its_height_with_it() -> None:
    """To the left and right of a part from above, the picture is more like the part than like the source there."""
    source = bright_above(40, 96)
    model = unica.open(to_pil(source), order=1.0)
    (drawn,) = unica.region(model, [((40, 2, 16, 10), (40, 22, 16, 10))])
    beside = load(drawn).pixels[:, 24:30]
    beside = torch.cat([beside[..., 20:36], beside[..., 60:76]], -1)
    assert (beside.mean() - source[:, 4:10].mean()).abs() < 0.75 * (beside.mean() - source[:, 24:30].mean()).abs()


def test_repeated_extension_is_one_run(tiny_model: Model) -> None:
    frames = list(unica.stream(unica.outpaint, tiny_model, right=10, repeat=2))
    assert [frame.last for frame in frames].count(True) == 1 and frames[-1].done == 1
    assert [f.fraction for f in frames] == sorted(f.fraction for f in frames)


@pytest.mark.parametrize(
    ("anchor", "corner"),
    [("center", (4, 2)), ("left", (0, 2)), ("right-down", (8, 4)), ("up", (4, 0)), ("left-up", (0, 0))],
)
def test_anchor_says_where_the_source_stays(tiny_model: Model, anchor: str, corner: tuple[int, int]) -> None:
    width, height = tiny_model.picture.size
    (picture,) = unica.outpaint(tiny_model, size=(width + 8, height + 4), anchor=anchor)
    left, top = corner
    assert picture.size == (width + 8, height + 4)
    assert torch.equal(load(picture).pixels[:, top : top + height, left : left + width], tiny_model.picture.pixels)


def test_inpainting_changes_marked_pixels_only(any_model: Model) -> None:
    hole = Region(box=[(12, 30, 10, 14)])  # in the ground, where no two places are alike
    (picture,) = unica.inpaint(any_model, hole)
    marked, changed = hole.on(any_model.picture)[0], (load(picture).pixels != any_model.picture.pixels).any(0)
    assert not changed[~marked].any()
    assert changed[marked].float().mean() > 0.5


def test_feather_changes_a_band_around_the_mask_and_no_more(any_model: Model) -> None:
    (picture,) = unica.inpaint(any_model, HOLE, feather=4)
    changed = (load(picture).pixels != any_model.picture.pixels).any(0)
    band = Region(box=[(16, 6, 24, 32)]).on(any_model.picture)[0]
    assert not changed[~band].any() and changed[band & ~HOLE.on(any_model.picture)[0]].any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["16 bits", "alpha", "gray"])
def test_kept_pixels_stay_in_every_kind_of_picture(engine: str, kind: str) -> None:
    if kind == "16 bits":
        picture = Image.fromarray(((scenery(44, 44, 1)[0] + 1) * 32767.5).numpy().astype("uint16"))
    elif kind == "alpha":
        alpha = (torch.rand(1, 44, 44, generator=torch.Generator().manual_seed(0)) * 255).round() / 255
        alpha[:, :8, :8] = 0
        picture = to_pil(scenery(44, 44), alpha)
    else:
        picture = to_pil(scenery(44, 44, 1))
    model = small_model(engine, picture, steps=2)
    (filled,), (wide,) = unica.inpaint(model, HOLE), unica.outpaint(model, right=7)
    assert filled.mode == wide.mode == picture.mode and wide.size == (51, 44)
    before, after, beyond = load(picture), load(filled), load(wide)
    kept = ~HOLE.on(before)
    assert torch.equal(after.pixels * kept, before.pixels * kept)
    assert torch.equal(beyond.pixels[..., :44], before.pixels)
    assert (before.alpha is not None) == (kind == "alpha")
    if before.alpha is not None:
        assert after.alpha is not None and torch.equal(after.alpha * kept, before.alpha * kept)
        assert beyond.alpha is not None and torch.equal(beyond.alpha[..., :44], before.alpha)


def test_instant_engine_does_not_look_into_the_hole() -> None:
    """The hole hides a colour that is nowhere else in the picture."""
    pixels = scenery(48, 64)
    pixels[:, 10:34, 20:36] = torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    model = unica.open(to_pil(pixels))
    filled = load(unica.inpaint(model, HOLE)[0]).pixels[:, 10:34, 20:36]
    magenta = (filled[0] > 0.8) & (filled[1] < -0.8) & (filled[2] > 0.8)
    assert not magenta.any()


def test_frames_know_where_their_pixels_come_from(tiny_model: Model) -> None:
    width, height = tiny_model.picture.size
    for frames in (
        unica.stream(unica.inpaint, tiny_model, ARGUMENTS["inpaint"]["where"]),
        unica.stream(unica.outpaint, tiny_model, right=9, down=3, repeat=2),
    ):
        *_, last = frames
        wide, high = last.image().size
        assert last.origins is not None and last.origins.shape == (high, wide, 2)
        assert last.origins[5, 7].tolist() == [5, 7]
        assert (last.origins >= 0).all() and (last.origins < torch.tensor([height, width])).all()


def test_unchanged_pictures_have_origins_too(any_model: Model) -> None:
    *_, last = unica.stream(unica.analogy, any_model, OTHER, strength=0.0, size=OTHER.size)
    assert last.origins is not None and last.origins.shape == (52, 60, 2) and (last.origins >= 0).all()


BAD_MARGINS = [
    ({}, "nothing would be added"),
    ({"left": -1, "right": 4}, "left must be"),
    ({"left": 3, "repeat": 0}, "repeat must be"),
    ({"right": 10**6}, "too large"),
    ({"up": 2, "count": 0}, "count must be"),
    ({"up": 2, "seed": -1}, "seed must be"),
    ({"up": 2, "feather": -1}, "feather must be"),
    ({"up": 2, "size": (80, 80)}, "not both"),
    ({"size": (60, 80)}, "smaller than the picture"),
    ({"size": (64, 48)}, "nothing would be added"),
    ({"size": (80, 80), "anchor": "middle"}, "anchor must be"),
]


@pytest.mark.parametrize(("words", "match"), BAD_MARGINS, ids=str)
def test_bad_margins_are_refused(any_model: Model, words: dict, match: str) -> None:
    with pytest.raises(UnicaError, match=match):
        unica.outpaint(any_model, **words)


def test_tasks_that_need_the_source_refuse_a_model_without_it(tmp_path: Path) -> None:
    """The others work with the size of the picture alone."""
    small_model("sinddm", to_pil(scenery(44, 44)), steps=1).save(tmp_path / "x.unica", source=False)
    model = unica.load(tmp_path / "x.unica")
    for name, declared in tasks().items():
        if declared.needs_source:
            with pytest.raises(UnicaError, match="without its source"):
                getattr(unica, name)(model, **ARGUMENTS[name])
        else:
            assert getattr(unica, name)(model, **ARGUMENTS[name])


COMMANDS = {
    "analogy": "--content OTHER --strength 0.9",
    "animate": "--frames 3 --format png",
    "edit": "--move 2,3,12,12@20,10 --copy 2,3,12,12@2,16,8,8 --erase 30,20,6,6",
    "harmonize": "--content OTHER --box 3,4,9,8",
    "inpaint": "--box 3,4,9,8 --polygon 20,20,30,20,25,28 --feather 2",
    "mirror": "--axis xy",
    "objects": "--size-factor 1.5 --size 60x48",
    "outpaint": "--left 4 --repeat 2",
    "paint": "--content OTHER --coarse 6",
    "region": "--put 2,3,12,12@20,10 --put 2,3,12,12@2,10,16,16 --size 56x40",
    "retarget": "--size 32x40",
    "sample": "--stretch 1.5x1 --tile y",
    "style": "--content OTHER",
    "text": f"'a red picture' stripes:-0.5 --clip {shlex.quote(ARGUMENTS['text']['clip'])} --views 2",
    "tile": "--axis x",
    "tiles": "--side 64 --by corners --set 3",
    "upscale": "--factor 1.5",
}


@pytest.mark.parametrize("name", [name for name, declared in tasks().items() if declared.group is not None])
def test_every_command_says_how_to_make_the_same_bytes(photo: Path, tmp_path: Path, name: str, monkeypatch) -> None:
    def typed(*words: str) -> str:
        result = CliRunner().invoke(make_app(), list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    out, other = tmp_path / "out", tmp_path / "other.png"
    (tmp_path / "clip").symlink_to(ARGUMENTS["text"]["clip"])  # pictures name files without their folders
    to_pil(scenery(36, 44, seed=9)).save(other)
    words = [str(other) if word == "OTHER" else word for word in shlex.split(COMMANDS[name])]
    report = json.loads(typed(name, str(photo), *words, "-n", "2", "-o", str(out), "-q", "--json", "--sheet"))
    assert report["task"] == name and len(report["pictures"]) == 2
    second = Path(report["pictures"][1]["path"])
    assert second == out / ("photo-1.png" if name == "sample" else f"photo-{name}-1.png")
    assert read_text(second)["unica:task"] == name
    *_, line = typed("info", str(second)).strip().splitlines()
    program, command, *rest = shlex.split(line)
    assert (program, command) == ("unica", name)
    assert photo.parent == other.parent
    monkeypatch.chdir(tmp_path)
    typed(command, "-o", "again", "-q", *rest)
    assert (tmp_path / "again" / second.name).read_bytes() == second.read_bytes()


def test_more_strength_changes_more(any_model: Model) -> None:
    """From ten stops of the slider. Of pictures this small, hardly anything is left to be changed above one half."""
    entering = unica.analogy(any_model, OTHER, strength=1e-6, output="pt")  # OTHER in the source's colours
    distances = [0.0]
    for tenth in range(10):
        drawn = unica.analogy(any_model, OTHER, strength=0.05 + tenth / 10, count=2, output="pt")
        distances.append((drawn - entering).square().mean().sqrt().item())
    assert all(less < more for less, more in zip(distances[:6], distances[1:6])), distances
    assert all(more > 0.96 * max(distances[:i]) for i, more in enumerate(distances) if i), distances


def test_strength_0_keeps_the_content(any_model: Model) -> None:
    (kept,) = unica.analogy(any_model, OTHER, strength=0.0, size=OTHER.size)
    assert torch.equal(load(kept).pixels, load(OTHER).pixels)


def test_strength_is_an_amount_of_noise(any_model: Model) -> None:
    """Where a run is entered, there is as much noise as the strength says, or so little that no step begins there."""
    levels = any_model.run((64, 80)).levels
    for strength in (0.2, 0.4, 0.6, 0.8):
        first = entered(levels, strength)[0]
        assert first.times[0] in first.times and list(first.times) == sorted(first.times, reverse=True)
        share = first.schedule.sigma(first.start) / first.schedule.alpha(first.start)
        noise = share * levels[-1].size[1] / first.size[1]
        before = first.schedule.sigma(first.times[1]) / first.schedule.alpha(first.times[1])
        assert before * levels[-1].size[1] / first.size[1] < noise_of(strength) <= noise * (1 + 1e-6)


@pytest.fixture
def marked(tmp_path: Path) -> tuple[Model, Region, Tensor]:
    """A model of a picture with a magenta thing in the sky, and a mask of the thing."""
    pixels = scenery(64, 96)
    pixels[:, 10:22, 20:34] = torch.tensor([0.9, -0.9, 0.9])[:, None, None]
    thing = torch.zeros(1, 64, 96, dtype=torch.bool)
    thing[:, 10:22, 20:34] = True
    return find("instant").open(to_pil(pixels)), Region(mask=to_pil(thing * 2.0 - 1)), thing[0]


def magenta(picture: Image.Image) -> Tensor:
    red, green, blue = load(picture).pixels
    return (red > 0.6) & (blue > 0.6) & (green < -0.6)


def test_what_is_marked_is_erased(marked: tuple[Model, Region, Tensor]) -> None:
    model, region, _ = marked
    assert magenta(to_pil(model.picture.pixels)).sum() == 12 * 14
    assert not magenta(unica.edit(model, where=region)[0]).any()


@pytest.mark.parametrize("leave", [False, True])
def test_what_is_marked_is_moved_or_copied(marked: tuple[Model, Region, Tensor], leave: bool) -> None:
    model, region, thing = marked
    found = magenta(unica.edit(model, where=region, shift=(40, 3), leave=leave, dilate=0)[0])
    assert found[thing.roll((3, 40), (0, 1))].float().mean() > 0.7
    assert found[thing].float().mean() == leave


def test_what_is_shifted_partly_out_is_cut(marked: tuple[Model, Region, Tensor]) -> None:
    model, region, _ = marked
    found = magenta(unica.edit(model, where=region, shift=(-28, 0), dilate=0)[0])
    assert 0 < found.sum() <= 12 * 6 and not found[:, 8:].any()


def test_what_must_stay_whole_is_retargeted_whole(marked: tuple[Model, Region, Tensor]) -> None:
    """Twice as narrow, and the thing has its own width still, at its place in proportion; it is there only once."""
    model, region, _ = marked
    found = magenta(unica.retarget(model, (48, 64), keep=region)[0])
    assert found.sum() == 12 * 14 and found[10:22, 6:20].all()
    with pytest.raises(UnicaError, match="what must stay whole is 80 pixels long"):
        unica.retarget(model, (48, 64), keep=Region(box=[(4, 4, 80, 8)]))


def test_things_that_must_stay_whole_are_placed_one_by_one(marked: tuple[Model, Region, Tensor]) -> None:
    model, _, _ = marked
    both = Region(box=[(20, 10, 14, 12), (70, 40, 10, 10)])
    pixels, (drawn,) = model.picture.pixels, unica.retarget(model, (48, 64), keep=both)
    seen = load(drawn).pixels
    assert torch.equal(seen[:, 10:22, 6:20], pixels[:, 10:22, 20:34])
    assert torch.equal(seen[:, 40:50, 32:42], pixels[:, 40:50, 70:80])


def test_region_puts_its_content_at_the_place(any_model: Model) -> None:
    part = any_model.picture.pixels[:, 5:25, 5:25]
    errors = []
    for eta in (0.0, 1.0):
        (drawn,) = unica.region(any_model, [PLACEMENT], eta=eta)
        errors.append(avg_pool2d(load(drawn).pixels[:, 10:30, 40:60] - part, 4).square().mean())
    assert errors[1] < 0.85 * errors[0]


def test_harmonizing_changes_the_mask_and_its_margin_only(any_model: Model) -> None:
    (drawn,) = unica.harmonize(any_model, OTHER, HOLE, strength=0.5, dilate=2, feather=2)
    changed = (load(drawn).pixels != load(OTHER).pixels).any(0)
    touched = Region(box=[(16, 6, 24, 32)]).on(load(OTHER))[0]
    assert changed[touched].any() and not changed[~touched].any()


def test_harmonizing_brings_the_object_closer_to_the_source(any_model: Model) -> None:
    """In colour and in patches. The object can still be seen."""
    source, scene = any_model.picture.pixels, load(OTHER).pixels
    rows, columns = torch.meshgrid(torch.arange(52), torch.arange(60), indexing="ij")
    disk = ((rows - 16) ** 2 + (columns - 30) ** 2 < 81)[None]
    magenta = torch.tensor([0.9, -0.9, 0.9])[:, None, None]
    pasted = magenta.where(disk, scene)
    (drawn,) = unica.harmonize(any_model, to_pil(pasted), Region(mask=to_pil(disk * 2.0 - 1)), dilate=2, feather=2)
    after, near = load(drawn).pixels, (slice(None), slice(4, 28), slice(18, 42))

    def strange(pixels: Tensor) -> float:
        return mean_patch_distance(pixels[near][None], source[None], scales=(1.0,))

    def off(pixels: Tensor) -> Tensor:
        return (pixels[:, disk[0]].mean(1) - scene[:, disk[0]].mean(1)).norm()

    assert strange(after) < 0.99 * strange(pasted) and off(after) < 0.99 * off(pasted)
    changed = (after - scene).abs().mean(0)
    assert changed[disk[0]].mean() > 2 * changed[near[1:]][~disk[0][near[1:]]].mean()


def test_what_is_harmonized_stays_itself() -> None:
    """Its edges: the correlation of gradients inside is high. Its colours get nearer to those around it."""
    model, scene = find("instant").open(to_pil(scenery(96, 128))), scenery(96, 128)
    disk = torch.zeros(1, 96, 128, dtype=torch.bool)
    disk[:, 10:50, 40:90] = True
    pasted = scene.where(~disk, scenery(96, 128, seed=5).flip(1) * 0.5 + 0.4)
    (drawn,) = unica.harmonize(model, to_pil(pasted), Region(box=[(40, 10, 50, 40)]))
    before, after = (load(to_pil(pasted)).pixels, load(drawn).pixels)
    steps = [pixels[:, 10:50, 40:90].diff(dim=2).flatten() for pixels in (before, after)]
    assert torch.corrcoef(torch.stack(steps))[0, 1] > 0.8
    around = Region(box=[(16, 0, 98, 74)]).on(load(to_pil(pasted)))[0] & ~disk[0]
    ground = before[:, around].mean(1)
    far, near = ((pixels[:, disk[0]].mean(1) - ground).norm() for pixels in (before, after))
    assert near < 0.85 * far


def test_style_has_source_colours_and_content_layout(any_model: Model) -> None:
    (drawn,) = unica.style(any_model, OTHER, strength=0.1)
    pixels, source = load(drawn).pixels, any_model.picture.pixels
    quantiles = torch.linspace(0.1, 0.9, 9)
    for mine, theirs, old in zip(pixels, source, load(OTHER).pixels):
        wanted = torch.quantile(theirs, quantiles)
        assert (torch.quantile(mine, quantiles) - wanted).abs().mean() < 0.25
        assert torch.corrcoef(torch.stack([mine.flatten(), old.flatten()]))[0, 1] > 0.3


def test_moving_keeps_the_content_and_the_rest(any_model: Model) -> None:
    """What was moved takes the tone of its new place: it differs from the original by a plane."""
    source = any_model.picture.pixels
    (drawn,) = unica.edit(any_model, move=[PLACEMENT], seam=2)
    pixels = load(drawn).pixels
    shift = (pixels[:, 12:28, 42:58] - source[:, 7:23, 7:23])[:, :, 8:]  # without the dots, which clip
    assert shift.diff(dim=-1).diff(dim=-1).abs().max() < 0.03
    assert (pixels[:, 5:25, 5:25] != source[:, 5:25, 5:25]).any()
    assert torch.equal(pixels[:, 36:], source[:, 36:])


def test_scaled_copy_takes_its_transparency_with_it() -> None:
    """Half of the copied box is transparent, and so is half of the copy, which is twice as large."""
    alpha = torch.ones(1, 48, 64)
    alpha[:, 10:20, 10:15] = 0
    model = unica.open(to_pil(scenery(48, 64), alpha))
    (drawn,) = unica.edit(model, copy=[((10, 10, 10, 10), (30, 20, 20, 20))], seam=0)
    after = load(drawn)
    assert after.alpha is not None and after.size == (64, 48)
    assert after.alpha[:, 21:39, 31:39].max() < 0.1 and after.alpha[:, 21:39, 41:49].min() > 0.9
    kept, before = ~Region(box=[(30, 20, 20, 20)]).on(model.picture), model.picture
    assert before.alpha is not None and torch.equal(after.alpha * kept, before.alpha * kept)


def test_mirrored_pictures_are_their_own_mirror_image(tiny_model: Model) -> None:
    (drawn,) = unica.mirror(tiny_model, axis="xy", size=(45, 33))
    pixels = load(drawn).pixels
    assert torch.equal(pixels, pixels.flip(-1)) and torch.equal(pixels, pixels.flip(-2))


@pytest.mark.parametrize("engine", ENGINES)
def test_tiling_removes_the_seam_and_keeps_the_middle(engine: str) -> None:
    """Large enough that a patch at half the size of a layout is small beside the band. Hybrid's pictures differ most:
    of a few, some have no seam and some have all of it."""
    model = small_model(engine, to_pil(scenery(96, 128)))
    before, count = model.picture.pixels, 48 if engine == "hybrid" else 4
    tiles = [load(drawn).pixels for drawn in unica.tile(model, axis="y", band=0.2, feather=2, count=count)]
    assert sum(seam(tile, "y") for tile in tiles) / count < 0.75 * seam(before, "y")
    assert all(torch.equal(tile[:, 26:-26], before[:, 26:-26]) for tile in tiles)


def test_every_pixel_of_small_objects_has_an_origin(tiny_model: Model) -> None:
    """On a model of few levels they are drawn on a larger canvas, and the picture is made smaller afterwards."""
    frame = next(frame for frame in unica.stream(unica.objects, tiny_model, 0.8) if frame.last)
    assert frame.origins is not None and frame.origins.shape[:2] == frame.pixels.shape[1:]
    height, width = tiny_model.picture.pixels.shape[1:]
    assert (
        frame.origins.min() >= 0 and (frame.origins.flatten(0, 1).max(0).values < torch.tensor([height, width])).all()
    )


@pytest.mark.parametrize(("factor", "size"), [(0.5, None), (2.0, (45, 35)), (1.0, None)])
def test_objects_fill_the_asked_for_canvas(tiny_model: Model, factor: float, size: tuple[int, int] | None) -> None:
    (drawn,) = unica.objects(tiny_model, factor, size)
    assert drawn.size == (size or tiny_model.picture.size) and load(drawn).pixels.std() > 0.05


def test_size_factor_scales_the_autocorrelation() -> None:
    """The autocorrelation falls to a half over as many times the pixels as things are large."""
    model = unica.open(to_pil(clouds(40, 48)))
    small, same, large = (reach(load(unica.objects(model, factor)[0]).pixels) for factor in (0.6, 1.0, 1.6))
    assert 0.45 < small / same < 0.8 and 1.2 < large / same < 2.0


def clouds(height: int, width: int, size: float = 2.0) -> Tensor:
    """Smooth noise on a torus, with things of one size. "c h w" in [-1, 1]."""
    noise = torch.fft.rfft2(torch.randn(3, height, width, generator=torch.Generator().manual_seed(0)))
    y, x = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    smooth = torch.fft.irfft2(noise * torch.exp(-2 * (torch.pi * size) ** 2 * (y**2 + x**2)), s=(height, width))
    return (smooth / smooth.std() * 0.5).clamp(-1, 1)


def reach(pixels: Tensor) -> float:
    """Pixels over which the autocorrelation falls to a half."""
    spectrum = torch.fft.rfft2(pixels - pixels.mean((1, 2), keepdim=True)).abs() ** 2
    seen = torch.fft.irfft2(spectrum, s=pixels.shape[-2:]).mean(0)
    lags = []
    for row in (seen[0] / seen[0, 0], seen[:, 0] / seen[0, 0]):
        k = int((row < 0.5).nonzero()[0])
        lags.append(k - 1 + float((row[k - 1] - 0.5) / (row[k - 1] - row[k])))
    return sum(lags) / 2


@pytest.mark.parametrize(
    ("typed", "size"),
    [("--size 40", (40, 32)), ("--size x36", (40, 36)), ("--stretch 80%", (32, 32)), ("--stretch 0.8x1.25", (32, 40))],
)
def test_a_width_alone_or_a_percentage_is_enough_to_retarget(
    photo: Path, tmp_path: Path, typed: str, size: tuple[int, int]
) -> None:
    CliRunner().invoke(make_app(), ["retarget", str(photo), *typed.split(), "-q", "-o", str(tmp_path / "x.png")])
    assert Image.open(tmp_path / "x.png").size == size


def test_retargeting_leaves_out_less_of_the_source_than_sampling() -> None:
    picture = Image.open(EXAMPLES / "harvest.jpg").resize((100, 72))
    model = unica.open(picture)

    def left_out(drawn: list[Image.Image]) -> float:
        source = model.picture.pixels[None]
        return sum(mean_patch_distance(source, load(d).pixels[None], scales=(0.5,)) for d in drawn) / len(drawn)

    sampled = left_out(unica.sample(model, size=(65, 72), count=3))
    retargeted = left_out(unica.retarget(model, (65, 72), count=3))
    assert retargeted < 0.083 and retargeted < 0.95 * sampled


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_loop_moves_evenly_and_closes(tiny_model: Model, strength: float) -> None:
    """No step is much larger than the others, nor is that from the last picture to the first."""
    pixels = unica.animate(tiny_model, frames=12, motion=5.0, strength=strength, output="pt")
    steps = (pixels - pixels.roll(1, 0)).abs().flatten(1).mean(1)
    assert len(pixels) == 12 and steps.min() > 0.001
    assert steps.max() <= 1.5 * steps.median()


def test_loops_differ_by_their_seed_and_move_as_far_as_they_are_told(tiny_model: Model) -> None:
    source = (tiny_model.picture.pixels + 1) / 2
    still, near, far = (
        (unica.animate(tiny_model, frames=4, motion=motion, output="pt") - source).abs().mean()
        for motion in (1e-6, 1.0, 5.0)
    )
    assert still < 1e-3 and near > 10 * still and far > 2 * near
    first, second, again = (
        unica.animate(tiny_model, frames=3, motion=5.0, seed=seed, output="pt") for seed in (0, 1, 0)
    )
    assert torch.equal(first, again) and not torch.equal(first, second)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_loop_is_one_animated_file(photo: Path, tmp_path: Path, kind: str) -> None:
    options = f"--frames 3 --strength 1 --format {kind} -q -o"
    words = ["animate", str(photo), *options.split(), str(tmp_path)]
    result = CliRunner().invoke(make_app(), words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    moving = Image.open(tmp_path / f"photo-animate-0.{kind}")
    assert moving.n_frames == 3 and moving.size == (40, 32)  # pyright: ignore[reportAttributeAccessIssue]
    made = read_text(tmp_path / f"photo-animate-0.{kind}")
    assert made["unica:task"] == "animate" and f"--format {kind}" in made["unica:command"]


def test_upscaled_picture_is_the_source_when_made_smaller_again(any_model: Model) -> None:
    assert unica.retarget(any_model, (40, 48))[0].size == (40, 48)
    (large,) = unica.upscale(any_model, 2)
    assert large.size == (128, 96)
    small = resize(load(large).pixels[None], (48, 64))[0]
    assert (small - any_model.picture.pixels).square().mean().sqrt() < 0.02


def test_upscaling_more_than_twice_takes_two_steps(tiny_model: Model) -> None:
    frames = list(unica.stream(unica.upscale, tiny_model, 3.0))
    height, width = tiny_model.picture.pixels.shape[1:]
    sizes = [frame.state.x0.shape[-2:] for frame in frames]
    assert (2 * height, 2 * width) in sizes and sizes[-1] == (3 * height, 3 * width)
    assert [frame.last for frame in frames].index(True) == len(frames) - 1
    done = [frame.done for frame in frames]
    assert done == sorted(done) and done[-1] == 1
    small = resize(frames[-1].pixels[None], (height, width))[0]
    assert (small - tiny_model.picture.pixels).square().mean().sqrt() < 0.02


@pytest.mark.parametrize("name", ["analogy", "paint", "style"])
@pytest.mark.parametrize("size", [(48, 32), (180, 120)])
def test_content_is_fitted_to_the_source(tiny_model: Model, name: str, size: tuple[int, int]) -> None:
    """It has as many pixels, its own proportions, and `scale` multiplies both sides."""
    content, source = to_pil(scenery(*size[::-1], seed=9)), tiny_model.picture.size
    draw = getattr(unica, name)
    (fitted,), (twice,) = draw(tiny_model, content), draw(tiny_model, content, scale=2.0)
    for picture, factor in ((fitted, 1), (twice, 4)):
        assert abs(picture.width / picture.height - 1.5) < 0.06
        assert abs(picture.width * picture.height / (factor * source[0] * source[1]) - 1) < 0.06
    assert draw(tiny_model, content, size=(50, 40))[0].size == (50, 40)


def test_scale_says_how_large_the_content_is_drawn(tiny_model: Model) -> None:
    """A sharp edge of the content is twice as far from the border at scale 2."""
    halves = torch.full((3, 40, 60), -0.8)
    halves[:, :, 20:] = 0.8
    for scale in (1.0, 2.0):
        drawn = unica.style(tiny_model, to_pil(halves), strength=0.05, scale=scale, output="pt")
        steps = drawn.mean((0, 1, 2)).diff()
        assert abs(int(steps.argmax()) + 1 - drawn.shape[-1] / 3) <= 1


def test_content_too_small_for_the_coarsest_level_is_refused() -> None:
    model = unica.open(to_pil(scenery(300, 400)))
    with pytest.raises(UnicaError, match="40x40 is too small"):
        unica.style(model, to_pil(scenery(40, 40)), size=(40, 40))


BAD_ARGUMENTS = [
    (lambda m: unica.region(m, []), "put"),
    (lambda m: unica.region(m, [((0, 0, 90, 9), (0, 0, 9, 9))]), "put"),
    (lambda m: unica.region(m, [((0, 0, 9, 9), (60, 0, 9, 9))]), "put"),
    (lambda m: unica.region(m, [PLACEMENT], eta=2.0), "eta"),
    (lambda m: unica.style(m, OTHER, strength=1.5), "strength"),
    (lambda m: unica.style(m, OTHER, scale=0.0), "scale"),
    (lambda m: unica.style(m, OTHER, scale=2.0, size=(60, 52)), "not both"),
    (lambda m: unica.paint(m, OTHER, coarse=0.0), "coarse"),
    (lambda m: unica.paint(m, OTHER, follow=2.0), "follow"),
    (lambda m: unica.edit(m), "move"),
    (lambda m: unica.edit(m, erase=[(0, 0, 64, 48)]), "nothing"),
    (lambda m: unica.edit(m, erase=[(0, 0, 65, 48)]), "erase"),
    (lambda m: unica.objects(m, 9.0), "size_factor"),
    (lambda m: unica.edit(m, shift=(3, 3)), "mark it with"),
    (lambda m: unica.edit(m, where=HOLE, leave=True), "leave needs a shift"),
    (lambda m: unica.edit(m, where=HOLE, shift=(500, 0)), "out of the picture"),
    (lambda m: unica.edit(m, where=HOLE, shift=(5,)), "two numbers"),
    (lambda m: unica.retarget(m, (4, 4)), "small"),
    (lambda m: unica.retarget(m), "say with size or stretch"),
    (lambda m: unica.retarget(m, (None, None)), "a width or a height"),
    (lambda m: unica.tile(m, axis=""), "axis"),
    (lambda m: unica.tile(m, band=0.7), "band"),
    (lambda m: unica.mirror(m, axis="z"), "axis"),
    (lambda m: unica.upscale(m, 9.0), "factor"),
    (lambda m: unica.animate(m, frames=1), "frames"),
    (lambda m: unica.animate(m, motion=0.0), "motion"),
    (lambda m: unica.animate(m, strength=-1.0), "strength"),
    (lambda m: unica.harmonize(m, OTHER, HOLE, dilate=-1), "dilate"),
    (lambda m: unica.harmonize(m, OTHER, Region(mask=to_pil(scenery(20, 20)))), "mask"),
]


@pytest.mark.parametrize("number", range(len(BAD_ARGUMENTS)))
def test_bad_arguments_are_refused(any_model: Model, number: int) -> None:
    draw, match = BAD_ARGUMENTS[number]
    with pytest.raises(UnicaError, match=match):
        draw(any_model)


PREVIEWED = {
    "edit": {"move": [((2, 3, 12, 12), (20, 10, 12, 12))], "copy": [((2, 3, 12, 12), (2, 16, 8, 8))]},
    "harmonize": {"content": OTHER, "where": HOLE, "dilate": 2, "feather": 2, "strength": 0.5},
    "inpaint": {"where": Region(polygon=[[(20, 10), (40, 10), (30, 30)]]), "feather": 2},
    "outpaint": {"left": 6, "down": 4, "repeat": 2, "feather": 2},
    "tile": {"axis": "xy", "feather": 3},
    "retarget": {"size": (48, 40), "keep": HOLE},
}


@pytest.mark.parametrize("name", PREVIEWED)
def test_what_a_preview_leaves_out_stays_as_it_is(any_model: Model, name: str) -> None:
    """In all bits. What it shows changes: nearly all of it, if the engine does not draw again what it has learned."""
    declared = tasks()[name]
    assert declared.preview is not None
    canvas = declared.preview(any_model, **declared.values(any_model, PREVIEWED[name]))
    (drawn,) = getattr(unica, name)(any_model, **PREVIEWED[name], output="pt")
    new, changed = canvas.new[0] > 0, (drawn[:3] != (canvas.pixels + 1) / 2).any(0)
    assert drawn.shape[-2:] == canvas.size and 0 < new.sum() < new.numel()
    least = 0.8 if any_model.engine == "instant" else 0.0
    assert not changed[~new].any() and changed[new].float().mean() > least


def test_the_preview_of_a_region_shows_its_parts_at_their_places(tiny_model: Model) -> None:
    declared = tasks()["region"]
    assert declared.preview is not None
    canvas = declared.preview(tiny_model, **declared.values(tiny_model, {"put": [((5, 5, 12, 9), (20, 10, 12, 9))]}))
    kept = Region(box=[(20, 10, 12, 9)]).on(tiny_model.picture)
    assert torch.equal(canvas.new == 0, kept)
    part = tiny_model.picture.pixels[:, 5:14, 5:17]
    assert torch.allclose(canvas.pixels[:, 10:19, 20:32], part, atol=1e-5)


def test_every_task_that_keeps_a_part_has_a_preview(tiny_model: Model) -> None:
    for name, declared in tasks().items():
        frame = next(declared.frames(tiny_model, **ARGUMENTS[name]))
        if frame.canvas is not None and not frame.canvas.is_new:
            assert declared.preview is not None, name


@pytest.mark.parametrize("cut", [1, 3, -4])
def test_a_mask_that_is_too_tight_grows_and_a_loose_one_does_not(
    marked: tuple[Model, Region, Tensor], cut: int
) -> None:
    """What a tight mask leaves out of a thing is drawn anew, too."""
    model, _, thing = marked
    mask = ~grown(~thing[None], cut) if cut > 0 else grown(thing[None], -cut)
    region = Region(mask=to_pil(mask * 2.0 - 1))
    meant = region.on(model.picture, dilate=None)[0]
    assert not (thing & ~meant).any() and not (meant & ~grown(thing[None], max(1, -cut))[0]).any()
    for task in (unica.edit, unica.inpaint):
        assert not magenta(task(model, where=region)[0]).any()


def test_show_mask_paints_the_marked_pixels_red(photo: Path, tmp_path: Path) -> None:
    words = ["inpaint", str(photo), "--box", "3,4,9,8", "--show-mask", str(tmp_path / "mask.png")]
    assert CliRunner().invoke(make_app(), [*words, "-q", "-o", str(tmp_path)]).exit_code == 0
    red, _, blue = load(tmp_path / "mask.png").pixels
    assert (red - blue)[4:12, 3:12].min() > (red - blue)[20:].abs().max()
