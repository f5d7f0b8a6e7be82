"""A trained model: a network, the recipe that says what to do with it, and the picture it was trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelHubMixin, hf_hub_download
from jaxtyping import Float, Int
from torch import Tensor, nn

from unica.checkpoint import Stored, read_model, recipe_to_json, write_model
from unica.devices import find_device, find_dtype
from unica.diffusion import Axes, Denoiser, Level, Prediction
from unica.errors import UnicaError
from unica.guides import Known
from unica.image import Picture
from unica.networks import build
from unica.pyramid import Size, canvas_sizes, level_sizes, pyramid
from unica.recipe import Recipe
from unica.regions import Mask
from unica.schedule import Blend, Schedule
from unica.windows import windowed

HUB_FILE = "model.safetensors"
_SEARCHED = 3072  # pixels of the coarsest level in which origins are looked for
_TOGETHER = {"cpu": 1, "cuda": 16, "mps": 4}  # pictures drawn at a time


class TrainedModel(ModelHubMixin, library_name="unica", tags=["unica", "single-image"]):
    """Ready to draw from. Nothing of a run is kept on it."""

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Module,
        picture: Picture,
        training: dict[str, Any] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        source: bool = True,
    ) -> None:
        self.recipe = recipe
        self.network = network.eval().requires_grad_(False).to(device)
        self.picture = picture
        self.training = training or {}  # how it came to be: preset, steps, seconds
        self.device, self.dtype = torch.device(device), dtype
        self.source = source  # whether the picture's pixels are there, or only its size
        self._hub_mixin_config = {"unica": {"recipe": recipe_to_json(self.recipe), "training": self.training}}

    @property
    def engine(self) -> str:
        return self.recipe.engine

    @property
    def batch(self) -> int:
        return _TOGETHER[self.device.type]

    @property
    def channels(self) -> int:
        return self.recipe.network.channels

    @property
    def settings(self) -> dict[str, Any]:
        return {"preset": self.training.get("preset"), **self.recipe.settings}

    @property
    def summary(self) -> str:
        width, height = self.picture.size
        levels = f"{len(self.recipe.sizes)} levels, " if len(self.recipe.sizes) > 1 else ""
        return f"{self.engine} engine, {width}x{height} source, {levels}{self.device.type}"

    @property
    def traces(self) -> bool:
        return False

    def without(self, hidden: Mask) -> TrainedModel:
        """The same: what a network has learned is in all of its weights."""
        return self

    def closer(self) -> TrainedModel:
        return self

    def pliant(self) -> TrainedModel:
        """SinDDM's authors switch the blend off, and use DDPM on all levels."""
        if "blend" not in self.recipe.words:
            return self
        copy_of = copy(self)
        copy_of.recipe = self.recipe.tuned(blend=False)
        return copy_of

    def denoiser(self, seeds: Sequence[int], known: Known | None = None) -> Denoiser:
        return NetworkDenoiser(self)

    def levels(self, size: Size, wrap: Axes = "") -> list[Level]:
        return self.recipe.levels(canvas_sizes(size, list(self.recipe.sizes)), wrap)

    def initial(self, level: Level) -> None:
        return None

    def work(self, level: Level, t: float) -> float:
        return level.size[0] * level.size[1]

    def alpha(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Float[Tensor, "1 h w"] | None:
        """The network draws transparency as one channel more."""
        colours = self.picture.pixels.shape[0]
        return ((x0[colours:] + 1) / 2).clamp(0, 1) if len(x0) > colours else None

    def origins(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Int[Tensor, "h w 2"]:
        """The nearest patch of the source: a network does not say where it has something from."""
        if not self.source:
            raise UnicaError("this model was saved without its source: where its pixels come from cannot be told")
        from unica.patches import match  # brings a compiler, which drawing does without

        source = self.picture.pixels
        sizes = level_sizes((source.shape[-2], source.shape[-1]), _SEARCHED)
        return match(x0[: len(source)].clamp(-1, 1).cpu(), pyramid(source, None, sizes))

    def predict_noise(
        self, x: Float[Tensor, "b c h w"], t: int | Int[Tensor, "b"], level: int
    ) -> Float[Tensor, "b c h w"]:
        """The network's estimate of the noise in x, in float32.

        `t` is numbered as the authors do: 0 is the least noisy state and 99 the noisiest. `level` 0 is the coarsest.
        """
        times = torch.as_tensor(t).expand(len(x)) + 1
        if not 0 <= level < len(self.recipe.sizes):
            raise UnicaError(f"level must lie between 0 and {len(self.recipe.sizes) - 1}, not {level}")
        if not (int(times.min()) >= 1 and int(times.max()) <= self.recipe.chain):
            raise UnicaError(f"t must lie between 0 and {self.recipe.chain - 1}")
        with torch.inference_mode():
            return self.recipe.eps(self.network, x.to(self.device), times.cpu(), level).clone()

    def save(self, path: str | os.PathLike[str], source: bool = True) -> None:
        """One file with everything that is needed to draw; without `source`, the picture stays at home."""
        stored = Stored(self.recipe, self.network.state_dict(), self.picture, self.training, source and self.source)
        write_model(Path(path), stored)

    def _save_pretrained(self, save_directory: Path) -> None:
        self.save(save_directory / HUB_FILE)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **words: Any) -> TrainedModel:
        """A model from a folder or from the Hugging Face hub; `words` are those of `load`, and the hub's own."""
        try:
            return super().from_pretrained(pretrained_model_name_or_path, **words)
        except UnicaError:
            raise
        except Exception as error:  # the hub's library raises its own kinds, and those of what carries its requests
            reason = str(error).strip().splitlines()[0]
            raise UnicaError(
                f"{pretrained_model_name_or_path} is no folder here and cannot be had from the Hugging Face hub"
                f" ({reason.rstrip('.')}); download its {HUB_FILE} elsewhere and load that"
            ) from None

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **words: Any) -> TrainedModel:
        hub = ("revision", "cache_dir", "force_download", "local_files_only", "token", "proxies", "resume_download")
        options = {name: words.pop(name, None) for name in hub}
        if Path(model_id).is_dir():
            return load(model_id, **words)
        given = {name: value for name, value in options.items() if value is not None}
        return load(hf_hub_download(model_id, HUB_FILE, **given), **words)


def load(path: str | os.PathLike[str], device: str = "auto", precision: str = "auto", **words: Any) -> TrainedModel:
    """A model from its file, or from a folder of the Hugging Face hub's kind. The words are those of its engine:

    - sinddm: `start_steps`, a number for each level above the coarsest (more change more of what the coarser level
      drew), and `blend`, without which levels denoise and do not deblur (both: App. H).
    - sindiffusion: `steps` of a run, and `sampler`.
    """
    where = find_device(device)
    file = Path(path) / HUB_FILE if Path(path).is_dir() else Path(path)
    stored = read_model(file)
    network = build(stored.recipe.network)
    try:
        network.load_state_dict(stored.weights)
    except RuntimeError:
        raise UnicaError(f"{file} is damaged: its weights are not those of the network it names") from None
    recipe, dtype = stored.recipe.tuned(**words), find_dtype(precision, where)
    return TrainedModel(recipe, network, stored.picture, stored.training, where, dtype, stored.source)


@dataclass(frozen=True)
class NetworkDenoiser:
    """Alg. 2, lines 6 and 7: the mean of the noisy picture, and the clean picture that the blend made it of."""

    model: TrainedModel

    @property
    def schedule(self) -> Schedule:
        return self.model.recipe.schedule

    def __call__(self, x_t: Float[Tensor, "b c h w"], t: float, level: Level, blend: Blend) -> Prediction:
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        mean = (x_t - sigma * self._eps(x_t, t, level)) / alpha
        x0 = blend.unmix(mean, t)
        return Prediction(x0, (x_t - alpha * mean.clamp(-1, 1)) / sigma)

    def _eps(self, x: Float[Tensor, "b c h w"], t: float, level: Level) -> Float[Tensor, "b c h w"]:
        model = self.model
        half = model.dtype != torch.float32

        def eps(x: Tensor) -> Tensor:
            times = torch.full((len(x),), int(t))
            with torch.autocast(x.device.type, model.dtype, enabled=half):
                x = x.contiguous(memory_format=torch.channels_last)
                return model.recipe.eps(model.network, x, times, level.index).float().contiguous()

        network = model.recipe.network
        margin = network.field // 2
        return windowed(eps, x, margin, level.wrap, grid=network.grid, feather=margin // 2 if network.norm else 0)
