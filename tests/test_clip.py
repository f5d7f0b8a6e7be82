"""CLIP as a score, with a network of random weights that is made here. No test needs the hub."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from unica.errors import UnicaError
from unica.guides import clip as guide
from unica.guides.clip import BLURRY, SHARP, Clip, load
from unica.guides.views import views
from unica.prompts import DEFAULT_CLIP, Prompt

SIDE = 16
LETTERS = [chr(code) for code in range(33, 127)]
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP model that reads letter by letter."""
    transformers = pytest.importorskip("transformers", reason="the extra `text` is not installed")
    path = tmp_path_factory.mktemp("clip")
    words = [*LETTERS, *(letter + "</w>" for letter in LETTERS), *SPECIAL]
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": len(words), **ends},
        vision_config={**small, "image_size": SIDE, "patch_size": 4},
        projection_dim=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.CLIPModel(config).save_pretrained(path)
    (path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    marks = {"bos_token": SPECIAL[0], "eos_token": SPECIAL[1], "unk_token": SPECIAL[1], "pad_token": SPECIAL[1]}
    told = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **marks}
    (path / "tokenizer_config.json").write_text(json.dumps(told))
    (path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2] * 3}))
    return path


@pytest.fixture(scope="module")
def clip(folder: Path) -> Clip:
    return load(str(folder))


@pytest.fixture
def changed(folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the model in which some files have another text, or are missing."""

    def change(**files: str | None) -> Path:
        copy = shutil.copytree(folder, tmp_path / "copy", dirs_exist_ok=True)
        for name, text in files.items():
            (path,) = copy.glob(f"{name}.*")
            path.unlink() if text is None else path.write_text(text)
        return copy

    return change


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def vector(features: object) -> Tensor:  # those of transformers 5 come in an object
    return features if isinstance(features, Tensor) else features.pooler_output  # type: ignore


def by_hand(clip: Clip, pictures: Tensor, text: str) -> Tensor:
    """The cosines of views and a text."""
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), 0.2
    shown = (pictures - mean) / std
    seen = vector(clip.network.get_image_features(pixel_values=shown, interpolate_pos_encoding=True))
    read = vector(clip.network.get_text_features(**clip.tokenizer([text], return_tensors="pt")))
    return F.cosine_similarity(seen, read)


@pytest.fixture
def same_views(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tensor], Tensor]:
    """Makes three views of each picture, the same at every look, and returns them."""

    def show(pictures: Tensor, *_: object) -> Tensor:
        return views(pictures, 3, SIDE, [torch.Generator().manual_seed(5 + i) for i in range(len(pictures))], 4)

    monkeypatch.setattr(guide, "views_of", show)
    return show


def test_the_score_is_the_mean_cosine_of_the_views(clip: Clip, same_views: Callable[[Tensor], Tensor]) -> None:
    pictures = noise(2, 3, 20, 30)
    score = clip.score([Prompt("a tree")], ["{}"], views=3, seeds=[0, 1])
    wanted = by_hand(clip, same_views(pictures), "a tree").view(2, 3).mean(1)
    assert torch.allclose(score(pictures), wanted, atol=1e-6)


def test_prompts_are_averaged_by_their_weights(clip: Clip, same_views: Callable[[Tensor], Tensor]) -> None:
    picture = noise(1, 3, SIDE, SIDE)
    fire, snow = (by_hand(clip, same_views(picture), f"a {word}.").mean() for word in ("fire", "snow"))
    prompts = [Prompt("fire", 3), Prompt("snow", -1)]
    assert torch.allclose(clip.score(prompts, ["a {}."], views=3)(picture), (3 * fire - snow) / 4, atol=1e-6)
    twice = [Prompt(prompt.text, 2 * prompt.weight) for prompt in prompts]
    one, other = (clip.score(weighted, views=3)(picture) for weighted in (prompts, twice))
    assert torch.allclose(one, other, atol=1e-6)
    towards, away = (clip.score([Prompt("fire", weight)], views=3)(picture) for weight in (1, -1))
    assert torch.allclose(away, -towards, atol=1e-6)


def test_each_look_takes_a_random_number_of_templates(clip: Clip, same_views: Callable[[Tensor], Tensor]) -> None:
    """Of two templates: one with probability 1/2, or two that may be the same: so 3/8, 3/8, and 1/4 for both."""
    picture, count = noise(1, 3, SIDE, SIDE), 200
    fire, snow = (by_hand(clip, same_views(picture), text).mean().item() for text in ("a fire.", "snow!"))
    score = clip.score([Prompt("-")], ["a fire.", "snow!"], views=3)
    with torch.no_grad():
        seen = [score(picture).item() for _ in range(count)]
    for value, share in ((fire, 3 / 8), (snow, 3 / 8), ((fire + snow) / 2, 1 / 4)):
        found = sum(abs(one - value) < abs(fire - snow) / 100 for one in seen) / count
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / count) ** 0.5)


def test_the_number_of_templates_is_any_from_one_to_all() -> None:
    random, count, each = torch.Generator().manual_seed(0), 2800, 1 / 14
    drawn = [guide._drawn(14, random) for _ in range(count)]
    numbers = torch.tensor([len(indices) for indices in drawn]).bincount(minlength=15)
    indices = torch.cat(drawn).bincount(minlength=14)
    assert numbers[0] == 0 and len(numbers) == 15 and len(indices) == 14
    for found in (numbers[1:], indices):
        total = int(found.sum())
        assert ((found / total - each).abs() < 4 * (each * (1 - each) / total) ** 0.5).all()


def test_pictures_that_are_not_square_are_seen_as_they_are(clip: Clip) -> None:
    """Position embeddings are interpolated. Nothing changes for squares, and every whole patch is seen."""
    square = noise(2, 3, SIDE, SIDE)
    plain = vector(clip.network.get_image_features(pixel_values=(square - clip.mean) / clip.std))
    assert torch.allclose(clip.see(square), F.normalize(plain, dim=-1), atol=1e-6)
    for size in ((16, 20), (20, 16), (11, 22), (4, 23)):
        picture = noise(1, 3, *size).requires_grad_()
        (gradient,) = torch.autograd.grad(clip.see(picture)[:, 0].sum(), picture)
        rows, columns = (side // 4 * 4 for side in size)
        assert (gradient[..., :rows, :columns].abs().sum(1) > 0).all()
        assert gradient[..., rows:, :].abs().sum() == gradient[..., columns:].abs().sum() == 0


@pytest.mark.parametrize("weight", (1.0, -1.0))
def test_steps_along_the_gradient_raise_the_score(clip: Clip, weight: float) -> None:
    """Together they reach every pixel, and no weight; other views confirm that the score has risen."""
    picture, reached = noise(1, 3, 20, 30), torch.zeros(1, 20, 30)

    def judged(picture: Tensor) -> Tensor:
        return clip.score([Prompt("a tree", weight)], views=32, seeds=[9])(picture.detach())

    score, before = clip.score([Prompt("a tree", weight)], views=8), judged(picture)
    for _ in range(20):
        picture.requires_grad_()
        (gradient,) = torch.autograd.grad(score(picture).sum(), picture)
        reached += gradient.abs().sum(1) > 0
        picture = (picture + gradient / gradient.abs().max() * 0.05).detach().clamp(0, 1)
    assert judged(picture) > before + 0.01 and (reached > 0).all()
    assert all(not p.requires_grad and p.dtype == torch.float32 for p in clip.network.parameters())


def test_each_call_draws_new_views_and_each_picture_has_its_own_seed(clip: Clip) -> None:
    pictures, prompts = noise(2, 3, 20, 30), [Prompt("a tree")]
    both = clip.score(prompts, views=4, seeds=[3, 4])
    first, second = both(pictures), both(pictures)
    assert not torch.equal(first, second)
    assert torch.allclose(first, clip.score(prompts, views=4, seeds=[3, 4])(pictures), atol=1e-6)
    alone = torch.cat([clip.score(prompts, views=4, seeds=[3 + i])(pictures[i : i + 1]) for i in range(2)])
    assert torch.allclose(first, alone, atol=1e-6)


def test_the_number_of_views_in_memory_changes_nothing(clip: Clip) -> None:
    picture = noise(2, 1, 20, 30).requires_grad_()
    results = []
    for together in (64, 3):
        score = clip.score([Prompt("a tree")], views=4, seeds=[0, 1], together=together)(picture)
        results.append((score, torch.autograd.grad(score.sum(), picture)[0]))
    for one, other in zip(*results):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_normalisation_is_read_from_the_files(clip: Clip, changed: Callable[..., Path]) -> None:
    assert clip.side == SIDE and clip.limit == 77
    assert clip.mean.flatten().tolist() == pytest.approx([0.5, 0.4, 0.3])
    plain = load(str(changed(preprocessor_config=None)))
    assert plain.mean.flatten().tolist() == pytest.approx(guide.MEAN) and plain.std[2] == pytest.approx(guide.STD[2])


def test_loading_prints_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load(str(folder))
    assert "".join(capfd.readouterr()) == ""
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_templates_are_as_many_as_in_the_papers() -> None:
    assert len(SHARP) == len(set(SHARP)) == 14 and len(BLURRY) == len(set(BLURRY)) == 26
    assert all(template.count("{}") == 1 for template in SHARP + BLURRY)


def refused(make: Callable[[], object], *words: str) -> None:
    with pytest.raises(UnicaError) as raised:
        make()
    assert all(word in str(raised.value) for word in words), raised.value
    assert "\n" not in str(raised.value)


def test_prompts_that_make_no_sense_are_refused(clip: Clip) -> None:
    refused(lambda: Prompt("  "), "empty")
    refused(lambda: Prompt("a tree", float("nan")), "a tree", "nan")
    refused(lambda: clip.score([]), "no prompt")
    refused(lambda: clip.score([Prompt("a tree", 0), Prompt("a dog", 0)]), "the weight 0")
    tokens = 2 + 50 + len("ahighqualityimageof.")
    clip.score([Prompt("x" * 55)])
    refused(lambda: clip.score([Prompt("x" * 50 + " y" * 30)]), f"{tokens + 30} tokens", "77")


def test_without_the_extra_the_message_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(load, "transformers", "pip install 'unica[text]'")


@pytest.mark.parametrize("name", ("/no/such/folder", "./none", "no/such/folder", __file__))
def test_names_that_the_hub_cannot_have_are_refused(name: str) -> None:
    refused(lambda: load(name), name, "no folder", DEFAULT_CLIP)


def test_a_transformers_that_takes_only_squares_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import CLIPModel

    def get_image_features(self: object, pixel_values: Tensor) -> None: ...

    monkeypatch.setattr(CLIPModel, "get_image_features", get_image_features)
    refused(lambda: load(str(folder)), "not square", "pip install 'transformers>=4.46'")


@pytest.mark.parametrize("name", (DEFAULT_CLIP, "no-such-model"))
def test_without_the_hub_the_message_tells_how_to_download(
    folder: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    refused(lambda: load(name), name, "Hugging Face hub", f"hf download {name} --local-dir DIR", "--clip DIR")


def test_folders_without_a_model_are_refused(changed: Callable[..., Path], tmp_path: Path) -> None:
    refused(lambda: load(str(tmp_path)), "no config.json, no model.safetensors, no tok", "hf download open")
    refused(lambda: load(str(changed(vocab=None))), "it has no tokenizer.json;", "--clip DIR")
    refused(lambda: load(str(changed(model=None))), "no model.safetensors")
    refused(lambda: load(str(changed(model="half"))), "cannot be read")
    refused(lambda: load(str(changed(config="half"))), "cannot be read", "--clip DIR")


def test_other_models_are_refused(changed: Callable[..., Path], folder: Path) -> None:
    refused(lambda: load(str(changed(config='{"model_type": "bert"}'))), "not a CLIP model", "bert", DEFAULT_CLIP)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 3
    refused(lambda: load(str(changed(config=json.dumps(config)))), "damaged")
    config["vision_config"].update(num_hidden_layers=2, intermediate_size=48)
    refused(lambda: load(str(changed(config=json.dumps(config)))), "damaged")
    words = json.loads((folder / "vocab.json").read_text()) | {"one-more": 190}
    refused(lambda: load(str(changed(vocab=json.dumps(words)))), "damaged", "tokenizer")
