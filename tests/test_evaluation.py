"""The protocol, the report and the bench: from files to tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import torch
from conftest import SHARED, scenery
from torch import Tensor
from typer.testing import CliRunner

from unica.cli.app import app
from unica.cli.evaluate import pictures
from unica.errors import UnicaError
from unica.evaluation import MEASURES, Evaluation, Samples, Tools, evaluate, load_tools
from unica.evaluation.bench import Method, Plan, find_images, read_results, run
from unica.evaluation.plot import Point, scatter
from unica.evaluation.report import Figure, html, number, reasons, rows, verdict
from unica.image import save_png, to_pil
from unica.metrics import Inception, judge

WEIGHTS = SHARED / "weights"


def write(path: Path, pixels: Tensor) -> Path:
    save_png(to_pil(pixels), path)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source.png", scenery(48, 64))


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    for seed in range(3):
        write(tmp_path / "samples" / f"{seed}.png", scenery(48, 64, seed=seed + 1))
    return tmp_path / "samples"


def show(*words: str | Path) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def copy_of(source: Path, folder: Path, count: int) -> Samples:
    paths = [folder / f"{n}.png" for n in range(count)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read_bytes())
    return Samples(paths)


def test_a_copier_has_perfect_fidelity_and_is_found_out(source: Path, tmp_path: Path) -> None:
    result = evaluate(source, copy_of(source, tmp_path / "copies", 3), Tools())
    for name in ("coherence", "completeness", "swd", "pixel_diversity"):
        assert result.mean(name) == pytest.approx(0, abs=1e-6)
    assert result.mean("largest_copy") == 1 and result.near_copies == 3
    assert "Near-copies: 3 of 3 samples" in (verdict(result) or "")


def test_others_are_not(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples(pictures([samples])), Tools())
    assert result.near_copies == 0 and verdict(result) is None
    assert (result.mean("pixel_diversity") or 0) > 0.1
    assert result.absent["niqe"].startswith("it needs 96 pixels")


def test_one_sample_has_no_pairs(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples([samples / "0.png"]), Tools())
    assert result.mean("pixel_diversity") is None and "two samples" in result.absent["pixel_diversity"]
    assert result.mean("coherence") is not None and result.deviation("coherence") is None


def test_mixed_sizes_are_said_to_be_the_reason(source: Path, samples: Path) -> None:
    write(samples / "wide.png", scenery(48, 90))
    result = evaluate(source, Samples(pictures([samples])), Tools())
    assert "several sizes" in result.absent["lpips_diversity"]
    assert len(result.each["coherence"]) == 4


def test_constant_pictures_have_reasons_not_nan(tmp_path: Path) -> None:
    flat = write(tmp_path / "flat.png", torch.zeros(3, 40, 48))
    result = evaluate(flat, copy_of(flat, tmp_path / "flat", 2), Tools())
    assert "no finite value" in result.absent["pixel_diversity"] and "no finite value" in result.absent["sharpness"]
    assert "NaN" not in json.dumps(result.as_json()) and result.near_copies == 2


def test_what_it_says_survives_a_file(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples(pictures([samples])), Tools())
    again = Evaluation.from_json(json.loads(json.dumps(result.as_json())))
    assert again.each == result.each and again.whole == result.whole and again.near_copies == result.near_copies


def test_outliers_are_the_share_of_the_worst_tenth() -> None:
    each = {"sifid_64": [0.1] * 18 + [2.0, 1.0], "largest_copy": [0.0] * 20}
    result = Evaluation("x", (4, 4), ["x"] * 20, each, {}, {})
    assert result.outliers("sifid_64") == pytest.approx(3.0 / 4.8)
    (row,) = [cells for measure, cells in rows(result) if measure.name == "sifid_64"]
    assert row[1:4] == ("0.240", "0.460", "0.100")


@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"the feature weights are not in {WEIGHTS}")
def test_networks_add_their_measures(source: Path, samples: Path) -> None:
    tools = load_tools(WEIGHTS)
    result = evaluate(source, Samples(pictures([samples])), tools)
    lpips = result.mean("lpips_diversity")
    assert lpips is not None and result.mean("lpips_eq9") == pytest.approx(lpips * 3 / 1)  # N / (N - 2)
    assert result.mean("frechet_stem") is not None and len(result.each["lpips_source"]) == 3
    assert "pt_inception" in result.absent["sifid_64"]


def test_sifid_is_there_with_its_network(tmp_path: Path) -> None:
    source = write(tmp_path / "large.png", scenery(80, 90))
    network = Inception()
    result = evaluate(source, copy_of(source, tmp_path / "copies", 2), Tools(inception=network))
    assert all(result.mean(f"sifid_{n}") == pytest.approx(0, abs=1e-4) for n in (64, 192, 768, 2048))
    small = write(tmp_path / "small.png", scenery(40, 50))
    seen = evaluate(small, copy_of(small, tmp_path / "small", 2), Tools(inception=network))
    assert "75 pixels" in seen.absent["sifid_64"]


def test_missing_weights_stop_nothing(source: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shown = show("eval", source, samples, "--weights", tmp_path / "empty", "-q")
    assert "coherence" in shown and "lpips_diversity" in shown and "absent" in shown


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lpips_alex_v0.1.pt").write_bytes(b"half")
    assert "not the published lpips_alex_v0.1.pt" in load_tools(tmp_path).absent["lpips_diversity"]


def test_nima_and_musiq_come_from_pyiqa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(UnicaError, match="pyiqa and torchvision"):
        judge("nima")
    made = SimpleNamespace(create_metric=lambda name, device: lambda image: image.amax())
    monkeypatch.setitem(sys.modules, "pyiqa", made)
    assert judge("musiq")(torch.full((1, 1, 8, 8), 0.5)) == 0.75  # in [0, 1]


def test_eval_prints_json_and_writes_a_report(source: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = ("eval", source, samples, "--weights", tmp_path / "empty", "-q", "--json", "--html", tmp_path / "r.html")
    data = json.loads(show(*words))
    assert data["names"] == ["0.png", "1.png", "2.png"] and data["protocol"] == "unica-1"
    assert set(data["summary"]) <= {m.name for m in MEASURES}
    page = (tmp_path / "r.html").read_text()
    assert page.count("<img") == 8 and "coherence" in page


def test_a_report_escapes_names(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples([samples / "0.png"]), Tools(absent={"nima": "<script>"}))
    page = html(result, [Figure("<script>alert(1)</script>", ["data:,"])])
    assert "<script>" not in page and reasons(result)[0] == "nima: absent, <script>."


def test_folders_leave_out_what_unica_writes_beside(samples: Path) -> None:
    for name in ("photo-sheet.png", "0.map.png", "0.overview.png", "notes.txt", ".hidden.png"):
        (samples / name).write_bytes(b"")
    assert [path.name for path in pictures([samples])] == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("damage", ["empty", "missing", "broken"])
def test_bad_samples_are_one_sentence(source: Path, tmp_path: Path, damage: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"not a picture")
    with pytest.raises(UnicaError, match=damage):
        show("eval", source, tmp_path / damage, "-q", "--weights", tmp_path)


# The bench


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    copy_of(tmp_path / "images" / "a.png", tmp_path / "theirs" / "a", 2)
    methods = [Method("instant"), Method("copier", tmp_path / "theirs")]
    plan = Plan(find_images(tmp_path / "images"), methods, 2, tmp_path / "out")
    said: list[str] = []
    first = run(plan, Tools(), said.append)
    assert first[1].evaluation.near_copies == 2
    assert first[0].made["seeds"] == [0, 1] and first[0].made["seconds"] > 0
    pictures = sorted((tmp_path / "out" / "instant" / "a").glob("*.png"))
    written = [path.stat().st_mtime_ns for path in pictures]

    assert run(plan, Tools(), said.append) == first
    assert [line.endswith("(done before)") for line in said] == [False, False, True, True]
    run(plan, Tools(absent={"lpips_diversity": "it is gone"}), said.append)  # scored again, not drawn again
    assert [path.stat().st_mtime_ns for path in pictures] == written
    assert [line.endswith("(done before)") for line in said[4:]] == [False, False]
    write(tmp_path / "images" / "a.png", scenery(32, 40, seed=5))
    run(plan, Tools(), said.append)
    assert [path.stat().st_mtime_ns for path in pictures] != written
    assert len(read_results(tmp_path / "out")) == 2


def test_bench_prints_both_papers_tables(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    copy_of(tmp_path / "images" / "a.png", tmp_path / "theirs" / "a", 2)
    (tmp_path / "none").mkdir()
    options = ("--weights", tmp_path / "none", "-q", "-n", "2", "-o", tmp_path / "out")
    shown = show("bench", tmp_path / "images", "--external", f"copier={tmp_path / 'theirs'}", *options)
    assert "copier" in shown and "near-copies" in shown and "2 of 2" in shown and "instant" not in shown
    ElementTree.parse(tmp_path / "out" / "diversity-fidelity.svg")
    beside = show("bench", "--compare", tmp_path / "out", "--compare", tmp_path / "out" / "results.json")
    assert beside.count("near-copies") == 1 and "copier, out" in beside and "copier, out 2" in beside


def test_bench_trains_engines_that_need_it(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.png", scenery(48, 64))
    (tmp_path / "none").mkdir()
    options = ("--weights", tmp_path / "none", "-q", "-n", "1", "-o", tmp_path / "out")
    assert "sinddm" in show("bench", tmp_path / "images", "--engine", "sinddm", "--budget", "10s", *options)
    made = {path.name for path in (tmp_path / "out" / "sinddm" / "a").iterdir()}
    assert made == {"0.png", "10s.unica", "made.json"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "folder of images"),
        (["images", "--budget", "soon"], "budget"),
        (["missing"], "missing"),
        (["images", "--engine", "magic"], "magic"),
        (["images", "--external", "x"], "NAME=FOLDER"),
        (["images", "--external", "x=missing"], "missing"),
        (["images", "--external", "instant=images"], "name of its own"),
        (["images", "--external", "x=images"], "no pictures of a"),
        (["images", "-n", "0"], "-n"),
        (["--compare", "missing.json"], r"missing\.json"),
        (["--compare", "images/a.png"], "not a result"),
    ],
)
def test_bad_benches_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words, says) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    with pytest.raises(UnicaError, match=says):
        show("bench", *words, "--weights", ".", "-q", "-o", "out")


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UnicaError, match="several images called a"):
        find_images(tmp_path)


def test_the_plot_is_svg_whatever_the_numbers() -> None:
    groups = {"<one>": [Point(0.1, 3e-5, "a&b")], "two": [Point(0.1, 3e-5, "c")]}
    root = ElementTree.fromstring(scatter(groups, "x", "y"))
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2 + 2 + 2  # points, means, legend
    assert all(0 <= float(c.get("cx", "nan")) <= 660 and 0 <= float(c.get("cy", "nan")) <= 480 for c in circles)


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (0.12345, "0.123"), (-9.5, "-9.500"), (43.21, "43.2")])
def test_numbers(value: float | None, shown: str) -> None:
    assert number(value) == shown
