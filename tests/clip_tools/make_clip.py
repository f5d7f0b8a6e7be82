"""Train a small CLIP on the pictures and captions of captions.py, and save it in the format of transformers.

    python tests/clip_tools/make_clip.py tests/clip

It takes minutes on one core. On the same machine, the weights are the same each time.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from captions import COLOURS, SHAPES, SURFACES, Scene, blur, captions, draw, photographic, scenes
from jaxtyping import Bool, Float
from tokenizers import pre_tokenizers
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig

SIZE, PATCH, LENGTH = 64, 8, 32
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": SIZE},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": SIZE, "width": SIZE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": MEAN,
    "image_std": STD,
    "do_convert_rgb": True,
}
START, END = "<|startoftext|>", "<|endoftext|>"
CLEAN = 0.4  # the share of steps before `worsened`
REACH = 3.0  # of `worsened`, at most
PREFIXES = ("", "", "", "a photo of ", "a picture of ", "an image of ", "a painting of ")

Pictures = Float[Tensor, "n 3 h w"]


# The tokenizer


def vocabulary(texts: list[str]) -> tuple[dict[str, int], list[str]]:
    """Byte pair encoding in CLIP's format: bytes, bytes that end a word, merges, then start and end.

    Pairs are merged, the most frequent first, until every word of the texts is a token.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Counter(word for text in texts for word in text.split())
    split = {word: [*word[:-1], f"{word[-1]}</w>"] for word in words}
    merges: list[str] = []
    while True:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in split.items():
            for pair in pairwise(parts):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(" ".join(best))
        split = {word: _merged(parts, best) for word, parts in split.items()}
    tokens = [*alphabet, *(f"{byte}</w>" for byte in alphabet), *(pair.replace(" ", "") for pair in merges), START, END]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}, merges


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for part in parts:
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    texts = sorted({prefix + text for scene in scenes() for text in captions(scene) for prefix in PREFIXES})
    vocab, merges = vocabulary(texts)
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=LENGTH)


# The network


def make_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    vocab = tokenizer.get_vocab()
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        projection_dim=64,
        bos_token_id=vocab[START],
        eos_token_id=vocab[END],
        pad_token_id=vocab[END],
    )
    vision = CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=3,
        image_size=SIZE,
        patch_size=PATCH,
        projection_dim=64,
    )
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=64)
    model = CLIPModel(config)
    places = model.vision_model.embeddings.position_embedding.weight
    with torch.no_grad():
        places[1:] = 0.3 * waves(SIZE // PATCH, vision.hidden_size)
    return model


def waves(patches: int, width: int) -> Float[Tensor, "{patches}**2 {width}"]:
    """Sines and cosines of rows and columns: a start from which places are learned in a tenth of the steps."""
    angles = torch.arange(patches)[:, None] * math.pi / 2 * torch.logspace(0, -3, width // 4, base=2)
    along = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = along[:, None].expand(-1, patches, -1), along.expand(patches, -1, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)


def normalized(pictures: Pictures) -> Pictures:
    """Of [0, 1], as the image processor does it."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (pictures - mean) / std


def embed_pictures(model: CLIPModel, pictures: Pictures) -> Float[Tensor, "n d"]:
    pooled = model.vision_model(pixel_values=normalized(pictures))[1]
    return F.normalize(model.visual_projection(pooled).float(), dim=-1)


def embed_texts(model: CLIPModel, tokenizer: CLIPTokenizer, texts: list[str]) -> Float[Tensor, "n d"]:
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    pooled = model.text_model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])[1]
    return F.normalize(model.text_projection(pooled).float(), dim=-1)


# The data


class Batch(NamedTuple):
    """Pictures that have captions, then pictures of nothing; `also` tells what other captions are true of a picture."""

    pictures: Pictures
    texts: list[str]
    also: Bool[Tensor, "n texts"]


class Data:
    """A store of drawn pictures, from which batches are varied."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.choice = random.Random(seed)
        kinds: dict[str, list[Scene]] = {}
        for scene in scenes():
            if not scene.held_out:
                kinds.setdefault(scene.kind, []).append(scene)
        weights = [1 if kind in SURFACES else 6 if kind in SHAPES else 4 for kind in kinds]
        names = self.choice.choices(list(kinds), weights, k=count)
        self.scenes = [self.choice.choice(kinds[name]) for name in names]
        self.pictures = torch.stack([(draw(s, i, SIZE) * 255).byte() for i, s in enumerate(self.scenes)])
        self.nothing = (photographic(count // 4, seed, SIZE) * 255).byte()
        self.captions = {scene: captions(scene) for scene in set(self.scenes)}

    def batches(self, steps: int, size: int, nothing: int) -> Iterator[Batch]:
        """Of few colours each, so that they alone do not tell pictures apart; half the way they get worse."""
        for step in range(steps):
            palette = {None, *self.choice.sample(list(COLOURS), 3)}
            fitting = [i for i, scene in enumerate(self.scenes) if {scene.first, scene.second} <= palette]
            chosen = self.choice.sample(fitting, size)
            severity = min(1, 2 * step / steps)
            scenes = [self.scenes[i] for i in chosen]
            said = [self.choice.choice(self.captions[scene]) for scene in scenes]
            texts = [self.choice.choice(PREFIXES) + text for text in said]
            pictures = self.pictures[chosen] / 255
            mirrored = torch.tensor([not scene.sided and self.choice.random() < 0.5 for scene in scenes])
            pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
            also = torch.zeros(size + nothing, size, dtype=torch.bool)
            for i, scene in enumerate(scenes):
                true = set(self.captions[scene])
                also[i] = torch.tensor([text in true for text in said])
            also[range(size), range(size)] = False
            shown = torch.cat([self._mixed(pictures, severity), self._nothing(nothing)])
            texture = torch.tensor([*(scene.kind in ("smooth", "rough") for scene in scenes), *[False] * nothing])
            yield Batch(self.varied(shown, texture, severity), texts, also)

    def _nothing(self, count: int) -> Pictures:
        chosen = torch.randint(len(self.nothing), (count,), generator=self.random)
        return self.nothing[chosen] / 255

    def _uniform(self, count: int, low: float, high: float) -> Float[Tensor, "n 1 1 1"]:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=self.random)

    def _some(self, count: int, share: float) -> Bool[Tensor, "n 1 1 1"]:
        return torch.rand(count, 1, 1, 1, generator=self.random) < share

    def _mixed(self, pictures: Pictures, severity: float) -> Pictures:
        """Half of them fade into pictures of nothing."""
        n = len(pictures)
        share = self._some(n, 0.5 * severity) * self._uniform(n, 0, 0.7)
        return (1 - share) * pictures + share * self._nothing(n)

    def varied(self, pictures: Pictures, texture: Bool[Tensor, "n"], severity: float) -> Pictures:
        """Crops and shifts, contrast and light; some are blurred, some are noisy, if the caption is not of texture."""
        n = len(pictures)
        free = ~texture[:, None, None, None]
        zoom = self._uniform(n, 0.75, 1.05).view(n, 1, 1)
        shift = self._uniform(2 * n, -0.1, 0.1).view(n, 2, 1)
        grid = F.affine_grid(torch.cat([zoom * torch.eye(2), shift], 2), [n, 3, SIZE, SIZE], align_corners=False)
        pictures = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
        sigma = self._uniform(1, 0.3, 2).item()
        pictures = torch.where(free & self._some(n, 0.3 * severity), blur(pictures, sigma), pictures)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        pictures = mean + self._uniform(n, 0.7, 1.1) * (pictures - mean) + self._uniform(n, -0.06, 0.06)
        scale = free * self._some(n, 0.5 * severity) * self._uniform(n, 0, 0.25)
        return (pictures + scale * torch.randn(pictures.shape, generator=self.random)).clamp(0, 1)


# Training


def contrast(logits: Float[Tensor, "n texts"], also: Bool[Tensor, "n texts"]) -> Float[Tensor, ""]:
    """InfoNCE both ways, without what is true of a picture too; pictures of nothing are wrong for every caption."""
    logits = logits.masked_fill(also, -math.inf)
    right = torch.arange(logits.shape[1])
    return (F.cross_entropy(logits[: len(right)], right) + F.cross_entropy(logits.T, right)) / 2


def worsened(
    model: CLIPModel, batch: Batch, texts: Float[Tensor, "texts d"], scale: Tensor, random: torch.Generator
) -> Pictures:
    """Each picture a small step away from its caption (L2): gradients at such pictures become those of things seen."""
    n = len(batch.pictures)
    start = torch.randn(batch.pictures.shape, generator=random)
    reach = REACH * torch.rand(n, 1, 1, 1, generator=random)
    pictures = (batch.pictures + reach / 2 * unit(start)).requires_grad_()
    loss = contrast((scale * embed_pictures(model, pictures) @ texts.T).float(), batch.also)
    (gradient,) = torch.autograd.grad(loss, pictures)
    return (pictures.detach() + reach * unit(gradient)).clamp(0, 1)


def unit(x: Pictures) -> Pictures:
    return x / x.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]


def train(model: CLIPModel, tokenizer: CLIPTokenizer, data: Data, steps: int, size: int = 64) -> Iterator[float]:
    """Yields the loss of each step. Matrices of layers learn by Muon, several times faster than by Adam."""
    layers = [p for name, p in model.named_parameters() if "layers" in name and p.ndim == 2]
    others = [p for name, p in model.named_parameters() if "layers" not in name or p.ndim != 2]
    optimizers: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.Muon(layers, weight_decay=0.1), 1e-2),
        (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01), 1e-3),
    ]
    for step, batch in enumerate(data.batches(steps, size, size // 5)):
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1, (step + 1) / 50) * (1 + math.cos(math.pi * step / steps)) / 2
        with torch.autocast("cpu", torch.bfloat16):
            texts = embed_texts(model, tokenizer, batch.texts)
            scale = model.logit_scale.exp().clamp(max=50)
            pictures = batch.pictures
            if step > steps * CLEAN:
                pictures = worsened(model, batch, texts.detach(), scale.detach(), data.random)
            seen = embed_pictures(model, pictures)
        loss = contrast(scale * seen @ texts.T, batch.also)
        model.zero_grad()
        loss.backward()
        for optimizer, _ in optimizers:
            optimizer.step()
        yield loss.item()


@torch.no_grad()
def retrieval(model: CLIPModel, tokenizer: CLIPTokenizer, rounds: int = 8, seed: int = 0) -> float:
    """How often the right one of 64 captions is the nearest, of combinations that training has not seen."""
    choice = random.Random(seed)
    unseen = [scene for scene in scenes() if scene.held_out]
    right = 0
    for i in range(rounds):
        chosen = choice.sample(unseen, 64)
        pictures = torch.stack([draw(scene, 10**6 + 64 * i + j, SIZE) for j, scene in enumerate(chosen)])
        texts = embed_texts(model, tokenizer, [captions(scene)[0] for scene in chosen])
        nearest = (embed_pictures(model, pictures) @ texts.T).argmax(1)
        right += int((nearest == torch.arange(64)).sum())
    return right / (64 * rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=1600)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(folder)
    model = make_model(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(tokenizer)} tokens")
    start = time.perf_counter()
    data = Data(8000)
    print(f"{time.perf_counter() - start:.0f} s to draw {len(data.scenes)} pictures")
    mean = 0.0
    model.set_attn_implementation("eager")
    for step, loss in enumerate(train(model, tokenizer, data, arguments.steps), 1):
        mean += (loss - mean) / min(step, 50)
        if step % 50 == 0:
            print(f"step {step}: loss {mean:.3f}, {time.perf_counter() - start:.0f} s", flush=True)
    model.eval()
    print(f"held-out retrieval: {retrieval(model, tokenizer):.1%} of 64 (chance 1.6%)")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
