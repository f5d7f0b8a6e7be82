"""A score of how well a picture fits a text, by CLIP (Radford et al., ICML 2021).

No other file uses transformers, which is the extra `text` and takes seconds to import.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from unica.errors import UnicaError, reason, short
from unica.guides.score import Score
from unica.guides.views import views as views_of
from unica.prompts import DEFAULT_CLIP, Prompt
from unica.seeds import generator_of

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of RGB, in OpenAI's models

_FILES = (  # a model's folder has at least one file of each row
    ("config.json",),
    ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"),
    ("tokenizer.json", "vocab.json"),
)
_OPTIONAL = ("preprocessor_config.json", "processor_config.json")

SHARP = (  # templates of prompts, from Text2LIVE
    *("photo of {}.", "high quality photo of {}.", "a photo of {}.", "the photo of {}."),
    *("image of {}.", "an image of {}.", "high quality image of {}.", "a high quality image of {}."),
    *("the {}.", "a {}.", "{}.", "{}", "{}!", "{}..."),
)
BLURRY = (  # SinDDM's supplement, E.2: for small pictures and regions, which become blurry when enlarged for CLIP
    *("photo of {}.", "low quality photo of {}.", "low resolution photo of {}.", "low-res photo of {}."),
    *("blurry photo of {}.", "pixelated photo of {}.", "a photo of {}.", "the photo of {}."),
    *("image of {}.", "an image of {}.", "low quality image of {}.", "a low quality image of {}."),
    *("low resolution image of {}.", "a low resolution image of {}.", "low-res image of {}.", "a low-res image of {}."),
    *("blurry image of {}.", "a blurry image of {}.", "pixelated image of {}.", "a pixelated image of {}."),
    *("the {}.", "a {}.", "{}.", "{}", "{}!", "{}..."),
)


@dataclass(frozen=True)
class Clip:
    """A CLIP model. It turns pictures and texts into unit vectors; the larger their product, the better they fit."""

    network: Any  # transformers' CLIPModel
    tokenizer: Any
    mean: Float[Tensor, "3 1 1"]
    std: Float[Tensor, "3 1 1"]

    @property
    def side(self) -> int:
        """Of the square pictures that the network was trained on."""
        return self.network.config.vision_config.image_size

    @property
    def patch(self) -> int:
        """The side of the squares that a picture is cut into."""
        return self.network.config.vision_config.patch_size

    @property
    def limit(self) -> int:
        """The most tokens of a text, counting the two that begin and end it."""
        return self.network.config.text_config.max_position_embeddings

    def see(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """The vectors of pictures in [0, 1], at least one patch high and wide.

        The network's position embeddings are interpolated to the picture's proportions. It sees whole patches only:
        what is left over at the right and at the bottom is not seen.
        """
        pixels = (pictures - self.mean) / self.std
        return _unit(self.network.get_image_features(pixel_values=pixels, interpolate_pos_encoding=True))

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """The vectors of texts."""
        tokens = self.tokenizer(list(texts), padding=True, return_tensors="pt").to(self.mean.device)
        return _unit(self.network.get_text_features(tokens["input_ids"], tokens["attention_mask"]))

    def score(
        self,
        prompts: Sequence[Prompt],
        templates: Sequence[str] = SHARP,
        views: int = 16,
        seeds: Sequence[int] = (0,),
        together: int = 64,
    ) -> Score:
        """The cosine of picture and text, averaged over views and over a random part of the templates.

        Up to a constant this is SinDDM's negative loss (§3.3) in the authors' code. Several prompts are averaged with
        weights w / sum |w|. Every call draws new views and templates for each picture, by that picture's seed: make a
        fresh score for each run. For the gradient at most `together` views are in the network at once; if there are
        more, the network runs on all of them twice.
        """
        total = sum(abs(prompt.weight) for prompt in prompts)
        if not prompts:
            raise UnicaError("there is no prompt: say in words what the picture should show")
        if total == 0:
            raise UnicaError("all prompts have the weight 0: give at least one of them another weight")
        # Cosines are products of unit vectors, so texts can be averaged before the product.
        texts = torch.stack([prompt.weight / total * self._embed(prompt, templates) for prompt in prompts]).sum(0)
        generators = [generator_of(seed) for seed in seeds]

        def score(pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
            aims = torch.stack([texts[_drawn(len(texts), random)].mean(0) for random in generators])
            parts = views_of(pictures, views, self.side, generators, self.patch).split(together)
            if len(parts) == 1:
                seen = self.see(parts[0])
            else:
                seen = torch.cat([checkpoint(self.see, part, use_reentrant=False) for part in parts])
            return torch.einsum("bvd,bd->bv", seen.unflatten(0, (-1, views)), aims).mean(1)

        return score

    def _embed(self, prompt: Prompt, templates: Sequence[str]) -> Float[Tensor, "templates d"]:
        """The vectors of a prompt in each template."""
        texts = [template.format(prompt.text) for template in templates]
        longest = max(len(ids) for ids in self.tokenizer(texts, verbose=False)["input_ids"])
        if longest > self.limit:
            raise UnicaError(
                f'"{short(prompt.text)}" has up to {longest} tokens with the templates around it, and this CLIP model'
                f" reads at most {self.limit}: use fewer words"
            )
        return self.read(texts)


def load(name: str = DEFAULT_CLIP, device: torch.device | str = "cpu") -> Clip:
    """A CLIP model from a folder, or by its name on the Hugging Face hub: frozen, in float32."""
    here = Path(name).is_dir()
    if not here and (Path(name).exists() or not re.fullmatch(r"(\w[\w.-]*/)?\w[\w.-]*", name)):
        raise UnicaError(f"{name} is no folder, and not a name on the Hugging Face hub such as {DEFAULT_CLIP}")
    missing = [files[0] for files in _FILES if here and not any((Path(name) / file).is_file() for file in files)]
    if missing:
        raise UnicaError(f"{name} is not a CLIP model's folder: it has no {', no '.join(missing)}; {_remedy()}")
    config_of, network_of, tokenizer_of, images_of = transformers_classes()
    try:
        with _quiet():
            config = config_of.from_pretrained(name, local_files_only=here)
            if config.model_type != "clip":
                raise UnicaError(f"{name} is not a CLIP model, but of the type {config.model_type}: try {DEFAULT_CLIP}")
            network, report = network_of.from_pretrained(
                name, config=config, local_files_only=here, ignore_mismatched_sizes=True, output_loading_info=True
            )
            tokenizer = tokenizer_of.from_pretrained(name, local_files_only=here)
            numbers = _normalisation(images_of, name, here)
    except UnicaError:
        raise
    except Exception as error:  # transformers, the hub's library and its transport each raise their own kinds
        if here:
            raise UnicaError(f"{name} holds a CLIP model that cannot be read ({reason(error)}); {_remedy()}") from None
        raise UnicaError(
            f"{name} is no folder here, and the Hugging Face hub did not deliver it ({reason(error)}); {_remedy(name)}"
        ) from None
    if report["missing_keys"] or report["mismatched_keys"] or len(tokenizer) > config.text_config.vocab_size:
        raise UnicaError(f"{name} is damaged: its weights or its tokenizer do not fit its config")
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in numbers)
    return Clip(network.float().eval().requires_grad_(False).to(device), tokenizer, mean, std)


def transformers_classes() -> tuple[Any, Any, Any, Any]:
    """What is used of transformers; a sentence if it is not there."""
    try:
        from transformers import AutoConfig, AutoTokenizer, CLIPModel, ImageProcessingMixin
    except Exception as error:  # a version that does not fit torch raises many kinds
        raise UnicaError(
            f"text guidance needs transformers, which cannot be imported ({type(error).__name__}: {reason(error)}):"
            " pip install 'unica[text]'"
        ) from None
    if "interpolate_pos_encoding" not in inspect.signature(CLIPModel.get_image_features).parameters:
        raise UnicaError(
            "text guidance shows CLIP pictures that are not square, which this version of transformers cannot:"
            " pip install 'transformers>=4.46'"
        )
    return AutoConfig, CLIPModel, AutoTokenizer, ImageProcessingMixin


def _normalisation(images_of: Any, name: str, here: bool) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and standard deviation of the model's training pictures; OpenAI's, if no file has them."""
    if here and not any((Path(name) / file).is_file() for file in _OPTIONAL):
        return MEAN, STD
    found, _ = images_of.get_image_processor_dict(name, local_files_only=here)
    return found.get("image_mean") or MEAN, found.get("image_std") or STD


@contextmanager
def _quiet() -> Iterator[None]:
    """Switch transformers' progress bars and warnings off, and back as they were."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _remedy(name: str = DEFAULT_CLIP) -> str:
    return f"download it on a machine that can (hf download {name} --local-dir DIR) and pass the folder (--clip DIR)"


def _drawn(count: int, random: torch.Generator) -> Int[Tensor, " n"]:
    """A random number of indices below `count`, at least one and at most `count`; some may come twice."""
    number = int(torch.randint(1, count + 1, (), generator=random))
    return torch.randint(count, (number,), generator=random)


def _unit(features: Any) -> Float[Tensor, "b d"]:
    """Normalised features. Since version 5, transformers wraps them in an object."""
    return F.normalize(features if isinstance(features, Tensor) else features.pooler_output, dim=-1)
