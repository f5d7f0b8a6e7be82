"""The protocol, the report and the bench: from files to tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from conftest import SHARED, scenery
from torch import Tensor
from typer.testing import CliRunner

from unica.cli.bench import run_and_show
from unica.cli.evaluate import pictures
from unica.engines import base
from unica.engines.base import Engine, Model
from unica.errors import UnicaError
from unica.evaluation import Evaluation, Networks, Samples, evaluate, load_networks
from unica.evaluation.bench import Benchmark, Method, find_images, read_results, run
from unica.evaluation.protocol import read
from unica.evaluation.report import Figure, html, measures_markdown, number, reasons, rows, verdict, weights_markdown
from unica.image import save_png, to_pil
from unica.metrics import Inception, Network, Sample, SampleSet, layout, measure, measures, pyiqa_metric, structure
from unica.metrics.base import Need, registry
from unica.metrics.inception import INCEPTION
from unica.plot import Point, scatter
from unica.training.session import state_path

DOCS = Path(__file__).resolve().parents[1] / "docs" / "evaluation.md"
WEIGHTS = SHARED / "weights"


def write(path: Path, pixels: Tensor) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
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


def shown_by(*arguments: str | Path) -> str:
    from unica.cli.app import make_app

    result = CliRunner().invoke(make_app(), [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def copy_of(source: Path, folder: Path, count: int) -> Samples:
    paths = [folder / f"{n}.png" for n in range(count)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read_bytes())
    return Samples(paths)


def test_copies_have_perfect_fidelity_and_are_flagged(source: Path, tmp_path: Path) -> None:
    result = evaluate(source, copy_of(source, tmp_path / "copies", 3), Networks())
    for name in ("coherence", "completeness", "swd", "pixel_diversity"):
        assert result.mean(name) == pytest.approx(0, abs=1e-6)
    assert result.mean("largest_copy") == 1 and result.near_copies == 3
    assert "Near-copies: 3 of 3 samples" in (verdict(result) or "")


def test_copies_of_a_large_picture_have_perfect_layout_and_windows(tmp_path: Path) -> None:
    source = write(tmp_path / "source.png", scenery(70, 93))
    result = evaluate(source, copy_of(source, tmp_path / "copies", 2), Networks())
    for name in ("layout", "layout_p95", "worst_window"):
        assert result.each[name] == pytest.approx([0, 0], abs=1e-6)


def test_small_pictures_have_no_layout_and_no_windows(source: Path, samples: Path, tmp_path: Path) -> None:
    result = evaluate(source, Samples(pictures([samples])), Networks())  # 64x48
    assert result.absent["layout"] == result.absent["layout_p95"] == "it needs 60 pixels a side"
    assert len(result.each["worst_window"]) == 3
    small = write(tmp_path / "small.png", scenery(41, 64))
    assert evaluate(source, Samples([small]), Networks()).absent["worst_window"] == "it needs 42 pixels a side"


def test_layout_and_windows_are_measured_at_other_sizes_than_the_source(source: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "source.png", scenery(61, 75))
    canvases = [write(tmp_path / f"{h}x{w}.png", scenery(h, w, seed=1)) for h, w in ((150, 203), (60, 60))]
    result = evaluate(source, Samples(canvases), Networks())
    for name in ("layout", "layout_p95", "worst_window"):
        assert len(result.each[name]) == 2 and min(result.each[name]) > 0
    assert all(p95 >= mean for mean, p95 in zip(result.each["layout"], result.each["layout_p95"]))


def test_other_pictures_are_not_flagged(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples(pictures([samples])), Networks())
    assert result.near_copies == 0 and verdict(result) is None
    assert (result.mean("pixel_diversity") or 0) > 0.1
    assert result.absent["niqe"].startswith("it needs 96 pixels")


def test_one_sample_has_no_measures_of_pairs(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples([samples / "0.png"]), Networks())
    assert result.mean("pixel_diversity") is None and "two samples" in result.absent["pixel_diversity"]
    assert result.mean("coherence") is not None and result.deviation("coherence") is None


def test_mixed_sizes_are_named_as_the_reason(source: Path, samples: Path) -> None:
    write(samples / "wide.png", scenery(48, 90))
    result = evaluate(source, Samples(pictures([samples])), Networks())
    assert "several sizes" in result.absent["pixel_diversity"]
    assert "not loaded" in result.absent["lpips_diversity"]
    assert len(result.each["coherence"]) == 4


def test_constant_pictures_give_reasons_not_nan(tmp_path: Path) -> None:
    flat = write(tmp_path / "flat.png", torch.zeros(3, 40, 48))
    result = evaluate(flat, copy_of(flat, tmp_path / "flat", 2), Networks())
    assert "no finite value" in result.absent["pixel_diversity"] and "no finite value" in result.absent["sharpness"]
    assert "NaN" not in json.dumps(result.as_json()) and result.near_copies == 2


def test_an_evaluation_survives_json(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples(pictures([samples])), Networks())
    again = Evaluation.from_json(json.loads(json.dumps(result.as_json())))
    assert again.each == result.each and again.whole == result.whole and again.near_copies == result.near_copies


def test_outliers_are_the_share_of_the_worst_tenth() -> None:
    each = {"sifid_64": [0.1] * 18 + [2.0, 1.0], "largest_copy": [0.0] * 20}
    result = Evaluation("x", (4, 4), ["x"] * 20, each, {}, {})
    assert result.outliers("sifid_64") == pytest.approx(3.0 / 4.8)
    (row,) = [cells for measure, cells in rows(result) if measure.name == "sifid_64"]
    assert row[1:4] == ("0.240", "0.460", "0.100")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Network:
    """A measure of samples and one of the set, declared as a module of metrics/ would; gone after the test."""
    monkeypatch.setattr("unica.metrics.base.registry", dict(registry))
    measures()  # the others are declared first
    monkeypatch.setattr("unica.metrics.base.registry", dict(registry))
    network = Network(lambda folder: torch.nn.AvgPool2d(2))
    wide = Need("it needs a wide source", lambda sample: sample.source.size[1] > sample.source.size[0])

    @measure("brightness", "quality", "", "brightness of a toy", "mean", network=network, needs=(wide,), captioned=True)
    def _brightness(sample: Sample, pool: torch.nn.Module) -> float:
        return pool(sample.pixels).mean().item()

    @measure("number", "diversity", "", "number of a toy", "N", of="set")
    def _number(samples: SampleSet) -> float:
        return float(len(samples))

    return network


def test_a_declared_measure_is_in_the_result_the_table_the_report_and_the_docs(
    source: Path, samples: Path, tmp_path: Path, toys: Network
) -> None:
    (tmp_path / "none").mkdir()
    arguments = ("eval", source, samples, "--weights", tmp_path / "none", "-q", "--html", tmp_path / "r.html")
    table, data = shown_by(*arguments), json.loads(shown_by(*arguments, "--json"))
    assert "brightness of a toy" in table and "number of a toy" in table
    assert len(data["each"]["brightness"]) == 3 and data["whole"]["number"] == 3
    assert data["summary"]["number"]["mean"] == 3
    assert (tmp_path / "r.html").read_text().count("brightness of a toy") == 1 + 3  # the table and three captions
    assert "| number of a toy (`number`) | N |" in measures_markdown()


def test_a_measure_without_its_network_or_its_needs_is_absent(
    source: Path, samples: Path, tmp_path: Path, toys: Network
) -> None:
    one = Samples([samples / "0.png"])
    assert evaluate(source, one, Networks()).absent["brightness"] == "its network is not loaded"
    networks = load_networks(tmp_path)
    assert toys in networks.loaded and "brightness" not in evaluate(source, one, networks).absent
    tall = write(tmp_path / "tall.png", scenery(64, 48))
    assert evaluate(tall, one, networks).absent["brightness"] == "it needs a wide source"


def test_a_new_measure_makes_bench_measure_again(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    copy_of(tmp_path / "images" / "a.png", tmp_path / "theirs" / "a", 2)
    methods = [Method("copier", tmp_path / "theirs")]
    benchmark = Benchmark(find_images(tmp_path / "images"), methods, 2, tmp_path / "out")
    run(benchmark, Networks())
    request.getfixturevalue("toys")
    (row,) = run(benchmark, Networks())
    assert row.evaluation.whole["number"] == 2
    said: list[str] = []
    run(benchmark, Networks(), said.append)
    assert said[0].endswith("(done before)")


def test_two_measures_of_one_name_are_refused(toys: Network) -> None:
    with pytest.raises(ValueError, match="two measures called brightness"):
        measure("brightness", "quality", "higher", "x", "x")(lambda sample: 0.0)


def test_shared_results_are_computed_once(monkeypatch: pytest.MonkeyPatch, source: Path, samples: Path) -> None:
    calls: list[int] = []
    searched = Sample.origins.func
    monkeypatch.setattr(Sample.origins, "func", lambda sample: calls.append(1) or searched(sample))
    evaluate(source, Samples(pictures([samples])), Networks())
    assert len(calls) == 3  # once for each sample, though three measures read it


def test_the_distances_of_a_layout_are_computed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[int] = []
    searched = layout.layout_distances
    monkeypatch.setattr(layout, "layout_distances", lambda *images: calls.append(1) or searched(*images))
    source = write(tmp_path / "source.png", scenery(61, 75))
    evaluate(source, copy_of(source, tmp_path / "copies", 2), Networks())
    assert len(calls) == 2  # once for each sample, though two measures read it


def test_the_documentation_has_every_measure_and_weight() -> None:
    """`python -m unica.evaluation.report` prints the tables to put there."""
    text = DOCS.read_text(encoding="utf-8")
    assert measures_markdown() in text and weights_markdown() in text


def test_every_measure_is_declared_in_full() -> None:
    for m in measures():
        assert m.title and m.formula and m.better in ("higher", "lower", "near 1", "")
    assert [m.family for m in measures()] == sorted(
        (m.family for m in measures()), key=["diversity", "fidelity", "quality", "honesty"].index
    )


def test_results_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """A file as `unica bench` wrote it before measures were declared, with a measure that does not exist any more."""
    each = {"coherence": [0.04, 0.05], "largest_copy": [0.1, 0.9], "forgotten": [1.0, 2.0]}
    row = {"method": "instant", "image": "a", "made": {"seconds": 1.5, "seeds": [0, 1]}, "source": "a.png"}
    row |= {"size": [40, 32], "names": ["0.png", "1.png"], "each": each, "whole": {"pixel_diversity": 0.5}}
    row |= {"absent": {"niqe": "it needs 96 pixels a side"}, "protocol": "unica-1", "near_copies": 1, "summary": {}}
    results = {"version": "0.1.0", "protocol": "unica-1", "count": 2, "machine": {}, "rows": [row]}
    (tmp_path / "results.json").write_text(json.dumps(results))
    (read,) = read_results(tmp_path)
    assert read.evaluation.near_copies == 1 and read.evaluation.mean("coherence") == pytest.approx(0.045)
    assert "near-copies" in shown_by("bench", "--compare", tmp_path)


@pytest.mark.parametrize("wrong", [None, 7, "x", [], [None], {"x": None}, {"coherence": [1.0]}, {"seconds": "x"}])
def test_results_that_were_edited_are_read_or_refused(tmp_path: Path, wrong: Any) -> None:
    row = {
        "method": "instant",
        "image": "a",
        "made": {},
        "source": "a.png",
        "size": [40, 32],
        "names": ["0.png", "1.png"],
    }
    row |= {"each": {"coherence": [0.04, 0.05]}, "whole": {"pixel_diversity": 0.5}, "absent": {}, "protocol": "unica-1"}
    path = tmp_path / "results.json"
    for key in row:
        path.write_text(json.dumps({"rows": [row, {**row, key: wrong}]}))
        try:
            assert "instant" in shown_by("bench", "--compare", tmp_path)
        except UnicaError as error:
            assert str(error) == f"{path} is not a result of unica bench"
    path.write_text(json.dumps(wrong))
    with pytest.raises(UnicaError, match="not a result"):
        read_results(path)


@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"the feature weights are not in {WEIGHTS}")
def test_loaded_networks_add_their_measures(source: Path, samples: Path) -> None:
    networks = load_networks(WEIGHTS)
    result = evaluate(source, Samples(pictures([samples])), networks)
    lpips = result.mean("lpips_diversity")
    assert lpips is not None and result.mean("lpips_eq9") == pytest.approx(lpips * 3 / 1)  # N / (N - 2)
    assert result.mean("frechet_stem") is not None and len(result.each["lpips_source"]) == 3
    assert len(result.each["structure"]) == 3
    assert "pt_inception" in result.absent["sifid_64"]


@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"the feature weights are not in {WEIGHTS}")
def test_the_source_is_seen_at_each_size_once(monkeypatch: pytest.MonkeyPatch, source: Path, samples: Path) -> None:
    seen: list[tuple[int, ...]] = []
    features = structure.deep_features
    monkeypatch.setattr(structure, "deep_features", lambda x, net: seen.append(tuple(x.shape[-2:])) or features(x, net))
    evaluate(source, Samples(pictures([samples])), load_networks(WEIGHTS))
    assert sorted(seen) == sorted([(38, 51), (48, 64), (60, 80), *[(48, 64)] * 3])


def test_sifid_is_measured_with_its_network(tmp_path: Path) -> None:
    source = write(tmp_path / "large.png", scenery(80, 90))
    network = Inception()
    result = evaluate(source, copy_of(source, tmp_path / "copies", 2), Networks({INCEPTION: network}))
    assert all(result.mean(f"sifid_{n}") == pytest.approx(0, abs=1e-4) for n in (64, 192, 768, 2048))
    small = write(tmp_path / "small.png", scenery(40, 50))
    seen = evaluate(small, copy_of(small, tmp_path / "small", 2), Networks({INCEPTION: network}))
    assert "75 pixels" in seen.absent["sifid_64"]


def test_without_weights_the_other_measures_run(source: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shown = shown_by("eval", source, samples, "--weights", tmp_path / "empty", "-q")
    assert "coherence" in shown and "lpips_diversity" in shown and "absent" in shown


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lpips_alex_v0.1.pt").write_bytes(b"half")
    assert "not the published lpips_alex_v0.1.pt" in load_networks(tmp_path).absent["lpips_diversity"]


def test_nima_and_musiq_come_from_pyiqa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(UnicaError, match="pyiqa and torchvision"):
        pyiqa_metric("nima")
    made = SimpleNamespace(create_metric=lambda name, device: lambda image: image.amax())
    monkeypatch.setitem(sys.modules, "pyiqa", made)
    assert pyiqa_metric("musiq")(torch.full((1, 1, 8, 8), 0.5)) == 0.75  # in [0, 1]


def test_eval_prints_json_and_writes_a_report(source: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = (
        "eval",
        source,
        samples,
        "--weights",
        tmp_path / "empty",
        "-q",
        "--json",
        "--html",
        tmp_path / "r.html",
    )
    data = json.loads(shown_by(*arguments))
    assert data["names"] == ["0.png", "1.png", "2.png"] and data["protocol"] == "unica-1"
    assert set(data["summary"]) | set(data["absent"]) == {m.name for m in measures()}
    page = (tmp_path / "r.html").read_text()
    assert page.count("<img") == 8 and "coherence" in page


def test_a_report_escapes_html(source: Path, samples: Path) -> None:
    result = evaluate(source, Samples([samples / "0.png"]), Networks(absent={"nima": "<script>"}))
    page = html(result, [Figure("<script>alert(1)</script>", ["data:,"])])
    assert "<script>" not in page and "nima: absent, <script>." in reasons(result)


def test_folders_leave_out_sheets_and_maps(samples: Path) -> None:
    for name in ("photo-sheet.png", "0.map.png", "0.overview.png", "notes.txt", ".hidden.png"):
        (samples / name).write_bytes(b"")
    assert [path.name for path in pictures([samples])] == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("damage", ["empty", "missing", "broken"])
def test_bad_samples_are_one_sentence(source: Path, tmp_path: Path, damage: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"not a picture")
    with pytest.raises(UnicaError, match=damage):
        shown_by("eval", source, tmp_path / damage, "-q", "--weights", tmp_path)


# The bench


def test_finished_rows_and_pictures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    copy_of(tmp_path / "images" / "a.png", tmp_path / "theirs" / "a", 2)
    methods = [Method("instant"), Method("copier", tmp_path / "theirs")]
    benchmark = Benchmark(find_images(tmp_path / "images"), methods, 2, tmp_path / "out")
    said: list[str] = []
    first = run(benchmark, Networks(), said.append)
    assert first[1].evaluation.near_copies == 2
    assert first[0].made["seeds"] == [0, 1] and first[0].made["seconds"] > 0
    pictures = sorted((tmp_path / "out" / "instant" / "a").glob("*.png"))
    written = [path.stat().st_mtime_ns for path in pictures]

    assert run(benchmark, Networks(), said.append) == first
    assert [line.endswith("(done before)") for line in said] == [False, False, True, True]
    run(benchmark, Networks(absent={"lpips_diversity": "it is gone"}), said.append)  # scored again, not drawn again
    assert [path.stat().st_mtime_ns for path in pictures] == written
    assert [line.endswith("(done before)") for line in said[4:]] == [False, False]
    write(tmp_path / "images" / "a.png", scenery(32, 40, seed=5))
    run(benchmark, Networks(), said.append)
    assert [path.stat().st_mtime_ns for path in pictures] != written
    assert len(read_results(tmp_path / "out")) == 2


def test_bench_prints_both_papers_tables(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    copy_of(tmp_path / "images" / "a.png", tmp_path / "theirs" / "a", 2)
    (tmp_path / "none").mkdir()
    options = ("--weights", tmp_path / "none", "-q", "-n", "2", "-o", tmp_path / "out")
    shown = shown_by("bench", tmp_path / "images", "--external", f"copier={tmp_path / 'theirs'}", *options)
    assert "copier" in shown and "near-copies" in shown and "2 of 2" in shown and "instant" not in shown
    ElementTree.parse(tmp_path / "out" / "diversity-fidelity.svg")
    beside = shown_by("bench", "--compare", tmp_path / "out", "--compare", tmp_path / "out" / "results.json")
    assert beside.count("near-copies") == 1 and "copier, out" in beside and "copier, out 2" in beside


def test_bench_trains_engines_that_open_no_pictures(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.png", scenery(48, 64))
    (tmp_path / "none").mkdir()
    options = ("--weights", tmp_path / "none", "-q", "-n", "1", "-o", tmp_path / "out")
    assert "sinddm" in shown_by("bench", tmp_path / "images", "--engine", "sinddm", "--budget", "10s", *options)
    made = {path.name for path in (tmp_path / "out" / "sinddm" / "a").iterdir()}
    assert made == {"0.png", "10s.unica", "made.json"}


@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"the feature weights are not in {WEIGHTS}")
def test_published_pictures_are_scored_beside_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(DOCS.parents[1] / "benchmarks"))
    import peers

    for folder, names in (("sources", "abc"), ("theirs", "axc")):  # theirs of b is another picture
        for name, seed in zip("abc", names):
            write(tmp_path / "peers" / folder / f"{name}.png", scenery(60, 64, seed=ord(seed)))
    words = ["--peers", tmp_path / "peers", "--weights", WEIGHTS, "--count", "2", "-o", tmp_path / "out"]
    words = list(map(str, words))
    peers.main(words)
    assert "instant" not in capsys.readouterr().out
    peers.main([*words, "--engine", "instant"])
    said = capsys.readouterr().out
    assert "theirs: a  (done before)" in said
    head, _, theirs, ours = (line.split(" | ") for line in said.splitlines() if line.startswith("|"))
    assert "structure" in head and "worst window" in head and len(head) == len(theirs) == len(ours)
    assert theirs[0] == "| theirs" and theirs[-1] == "2 of 3 |" and theirs[head.index("LPIPS of pairs")] == ""
    assert ours[:2] == ["| instant", "6"] and ours[head.index("structure")] > "0"


class ToyModel(Model):
    """A model of another package; here it only knows its picture."""

    engine = "toy"

    def __init__(self, image: Path) -> None:
        self.image = image

    @property
    def settings(self) -> dict[str, Any]:
        return {"toy": True}

    def run(self, size: Any, wrap: Any = "") -> Any:
        raise NotImplementedError

    def denoiser(self, seeds: Any) -> Any:
        raise NotImplementedError

    def to(self, device: Any) -> Model:
        return self


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two engines of another package: `mirrors` draws from a picture, `learns` must be trained."""

    class Mirrors(Engine):
        name, summary, rank, opens_pictures = "mirrors", "A toy.", 0, True

        def open(self, image, device="auto", precision="auto", report=None, **knobs):
            return ToyModel(image)

    class Learns(Engine):
        name, summary, presets = "learns", "A toy.", {"only": "The only one."}

    def train(image, engine, budget, output, resume):
        assert engine == "learns" and budget == "10s" and not resume
        output.write_bytes(b"model")
        state_path(output).write_bytes(b"state")
        return ToyModel(image)

    def sample(model, seed):
        return [to_pil(read(model.image)[0].roll(5 * (seed + 1), -1))]

    entries = [SimpleNamespace(load=Mirrors), SimpleNamespace(load=Learns)]
    monkeypatch.setattr(base, "entry_points", lambda group: entries)
    base.engines.cache_clear()
    monkeypatch.setattr("unica.train", train, raising=False)
    monkeypatch.setattr("unica.sample", sample, raising=False)
    yield
    base.engines.cache_clear()


@pytest.mark.usefixtures("outside")
def test_bench_measures_engines_of_other_packages(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    none = tmp_path / "none"
    none.mkdir()
    out = tmp_path / "out"
    run_and_show(tmp_path / "images", [], [], [], 2, "10s", out, none, True, True)  # the default: mirrors
    run_and_show(tmp_path / "images", ["learns"], [], [], 2, "10s", out, none, True, True)
    assert json.loads((out / "mirrors" / "a.json").read_text())["fingerprint"].get("budget") is None
    assert json.loads((out / "learns" / "a.json").read_text())["fingerprint"]["budget"] == "10s"
    assert {path.name for path in (out / "learns" / "a").iterdir()} == {"0.png", "1.png", "10s.unica", "made.json"}
    with pytest.raises(UnicaError, match="engine must be mirrors or learns, not instant"):
        run_and_show(tmp_path / "images", ["instant"], [], [], 2, "10s", out, none, True, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "folder of images"),
        (["images", "--budget", "soon"], "budget"),
        (["missing"], "missing"),
        (["images", "--engine", "magic"], "magic"),
        (["images", "--external", "x"], "NAME=FOLDER"),
        (["images", "--external", "x=missing"], "missing"),
        (["images", "--external", "instant=images"], "not an engine's"),
        (["images", "--external", "x=images"], "no pictures of a"),
        (["images", "-n", "0"], "count"),
        (["--compare", "missing.json"], r"missing\.json"),
        (["--compare", "images/a.png"], "not a result"),
    ],
)
def test_bad_benches_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, says) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "images" / "a.png", scenery(32, 40))
    with pytest.raises(UnicaError, match=says):
        shown_by("bench", *arguments, "--weights", ".", "-q", "-o", "out")


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UnicaError, match="several images called a"):
        find_images(tmp_path)


def test_a_damaged_image_is_found_before_the_long_work(tmp_path: Path) -> None:
    write(tmp_path / "a.png", scenery(32, 40))
    write(tmp_path / "b.png", scenery(32, 40))
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:200])
    with pytest.raises(UnicaError, match=r"b\.png cannot be read"):
        find_images(tmp_path)


def test_a_plot_is_svg_that_stays_in_its_frame() -> None:
    groups = {"<one>": [Point(0.1, 3e-5, "a&b")], "two": [Point(0.1, 3e-5, "c")]}
    root = ElementTree.fromstring(scatter(groups, "x", "y"))
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2 + 2 + 2  # points, means, legend
    assert all(0 <= float(c.get("cx", "nan")) <= 660 and 0 <= float(c.get("cy", "nan")) <= 480 for c in circles)


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (0.12345, "0.123"), (-9.5, "-9.500"), (43.21, "43.2")])
def test_numbers_are_rounded_by_size(value: float | None, shown: str) -> None:
    assert number(value) == shown
