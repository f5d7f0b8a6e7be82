"""A model that was trained: a network, the process that it reverses, and the picture that it was trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import ModelHubMixin, hf_hub_download, whoami
from jaxtyping import Float, Int
from torch import Tensor, nn

from unica.devices import find_device
from unica.diffusion import Denoiser, Level, Parts, Prediction, eps_of, mean_of
from unica.engines.base import HUB_FILE, Model, Run
from unica.engines.files import (
    Damaged,
    StoredModel,
    load,
    process_from_json,
    process_to_json,
    write_model,
)
from unica.engines.windows import windowed
from unica.errors import UnicaError, as_path, reason, whole
from unica.image import Picture
from unica.masks import Mask
from unica.networks import build, order_channels, weights_of
from unica.patches import PatchDenoiser, Patchwork, heights_of, row_means
from unica.process import Detail, Process
from unica.pyramid import Size, canvas_sizes
from unica.schedule import Blend
from unica.tensor_files import check_tensors
from unica.torus import Axes
from unica.training.config import TrainingConfig

_NETWORK, _PATCHES = "network", "patches"  # parts of a run
_NETWORK_WORK = 2.0  # as long as a step of patches that are only refined
_WILDEST = 1e6  # the largest estimate of noise, which is about 1
_ROWS_UNTIL = 0.5  # of a chain: the time until which rows whose heights are given keep their mean colours
_BATCH = {"cpu": 1, "cuda": 16, "mps": 4}  # pictures drawn together


class TrainedModel(ModelHubMixin, Model, library_name="unica", tags=["unica", "single-image"]):
    """A trained network, ready to draw from. A run leaves nothing on it.

    With detail by patches, the network draws its coarsest level only. The closed form takes over inside its own
    coarsest level, at noise low enough to keep the layout and high enough to snap it to real patches.
    """

    def __init__(
        self,
        process: Process,
        network: nn.Module,
        picture: Picture,
        training: Mapping[str, Any] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        has_source: bool = True,
        max_side: int | None = None,
    ) -> None:
        self.process = process
        self.engine = process.engine
        self.network = network.eval().requires_grad_(False).to(device)
        self.picture = picture
        self.training = dict(training or {})  # how the model was made: preset, steps, seconds, seed
        self.device, self.dtype = torch.device(device), dtype
        self.has_source, self.max_side = has_source, max_side
        self.batch = _BATCH[self.device.type]
        self.beside: dict[str, bytes] = {}  # files that go with it to the hub
        self.patchwork = self._patchwork()
        self.knows_origins = self.patchwork is not None
        self._hub_mixin_config = {"unica": {"recipe": process_to_json(process), "training": self.training}}

    def _patchwork(self) -> Patchwork | None:
        """What draws detail from the source's patches, if the process wants that and there is a source."""
        if self.process.detail == "network" or not self.has_source:
            return None
        return Patchwork.of(self._source(), self.process.patch_settings, self.device)

    def _source(self) -> Picture:
        """The picture as the network sees it, which may draw transparency as one more channel."""
        return self.picture if self.channels == len(self.picture.pixels) else self.picture.with_alpha_channel()

    @property
    def channels(self) -> int:
        return self.process.network.channels

    @property
    def differentiable(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.patchwork is None

    @property
    def detail_patches(self) -> Patchwork | None:
        return self.patchwork

    @property
    def settings(self) -> dict[str, Any]:
        settings = {"preset": self.training.get("preset"), **self.process.settings}
        return settings if self.max_side is None else {**settings, "max_side": self.max_side}

    @property
    def summary(self) -> str:
        width, height = self.picture.size
        levels = f"{len(self.process.sizes)} levels, " if len(self.process.sizes) > 1 else ""
        return f"{self.engine} engine, {width}x{height} source, {levels}{self.device.type}"

    @property
    def facts(self) -> dict[str, Any]:
        weights = sum(weight.numel() for weight in self.network.parameters())
        field = self.process.network.receptive_field
        return {
            "trained": ", ".join(f"{key} {value}" for key, value in self.training.items()),
            "network": f"{type(self.network).__name__}, {weights} weights, receptive field of {field} pixels",
            "levels": ", ".join(f"{width}x{height}" for height, width in self.process.sizes),
            **{name.replace("_", " "): value for name, value in self.process.settings.items()},
            **self.process.details,
        }

    def run(self, size: Size, wrap: Axes = "") -> Run:
        """The network's levels, or its coarsest one and those of the patches."""
        width, height = self.picture.size
        sizes = list(self.process.sizes)
        whole = sizes if sizes[-1] == (height, width) else [*sizes, (height, width)]
        levels = self.process.levels(canvas_sizes(size, whole)[: len(sizes)], wrap)
        if self.patchwork is None:
            return Run(levels)
        coarsest, *finer = self.patchwork.levels(size, wrap, _PATCHES, self.process.taken_over)
        layout = replace(levels[0], part=_NETWORK)
        if layout.start == self.process.chain:
            layout, start = replace(layout, heights=coarsest.heights, order=coarsest.order), None
        else:
            start = self.patchwork.source(layout.size)
        return Run([layout, coarsest, *finer], start)

    def denoiser(self, seeds: Sequence[int]) -> Denoiser:
        network = NetworkDenoiser(self)
        if self.patchwork is None:
            return network
        return Parts({_NETWORK: network, _PATCHES: self.patchwork.denoiser(seeds)})

    def to(self, device: str | torch.device) -> TrainedModel:
        where = find_device(device) if isinstance(device, str) else device
        model = copy(self)
        model.network, model.device, model.batch = deepcopy(self.network).to(where), where, _BATCH[where.type]
        model.patchwork = None if self.patchwork is None else self.patchwork.to(where)
        return model

    def _with(self, process: Process | None = None, patchwork: Patchwork | None = None) -> TrainedModel:
        model = copy(self)
        model.process = process or self.process
        model.patchwork = patchwork or self.patchwork
        return model

    def for_guidance(self) -> TrainedModel:
        patchwork = None if self.patchwork is None else self.patchwork.for_guidance()
        return self._with(self.process.for_guidance(), patchwork)

    def hiding(self, mask: Mask) -> TrainedModel:
        return self if self.patchwork is None else self._with(patchwork=self.patchwork.hiding(mask))

    def preferring(self, relevance: Float[Tensor, "h w"]) -> TrainedModel:
        return self if self.patchwork is None else self._with(patchwork=self.patchwork.preferring(relevance))

    def with_small_patches(self) -> TrainedModel:
        return self if self.patchwork is None else self._with(patchwork=self.patchwork.with_small_patches())

    def with_wide_search(self) -> TrainedModel:
        return self if self.patchwork is None else self._with(patchwork=self.patchwork.with_wide_search())

    def work(self, level: Level, t: float) -> float:
        if self.patchwork is None or level.part == _NETWORK:
            return _NETWORK_WORK * super().work(level, t)
        return self.patchwork.work(level, t)

    def origins(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Int[Tensor, "h w 2"]:
        if self.patchwork is None:
            return super().origins(x0, denoiser, row)
        parts = cast(Parts, denoiser).parts
        return self.patchwork.origins(x0, cast(PatchDenoiser, parts[_PATCHES]), row)

    def alpha(self, x0: Float[Tensor, "c h w"], denoiser: Denoiser, row: int) -> Float[Tensor, "1 h w"] | None:
        """The network draws transparency as one more channel, and so do the patches of its source."""
        colours = self.picture.pixels.shape[0]
        return ((x0[colours:] + 1) / 2).clamp(0, 1) if len(x0) > colours else None

    def predict_noise(
        self, x: Float[Tensor, "b c h w"], t: int | Int[Tensor, "b"], level: int
    ) -> Float[Tensor, "b c h w"]:
        """The network's estimate of the noise in x, in float32.

        `t` counts as the authors do: 0 is the least noisy state. `level` 0 is the coarsest.
        """
        whole("level", level, 0, len(self.process.sizes) - 1)
        times = torch.as_tensor(t).expand(len(x))
        for time in times.tolist():
            whole("t", time, 0, self.process.chain - 1)
        with torch.inference_mode():
            return self.process.eps(self.network, x.to(self.device), _times(times + 1), level).clone()

    def save(self, path: str | os.PathLike[str], source: bool = True) -> None:
        """Write one file with everything that drawing needs. Without `source`, it leaves out the picture's pixels."""
        if self.process.needs_source and not source:
            raise UnicaError(
                f"the {self.engine} engine draws with patches of its picture: it must be kept in the model"
            )
        write_model(as_path("a model's file", path), replace(self.stored(), has_source=source and self.has_source))

    def stored(self) -> StoredModel:
        """What a file holds of this model."""
        process, weights = process_to_json(self.process), self.network.state_dict()
        return StoredModel(process, weights, self.picture, self.training, self.has_source)

    def _save_pretrained(self, save_directory: Path) -> None:
        self.save(save_directory / HUB_FILE)
        for name, data in self.beside.items():
            (save_directory / name).write_bytes(data)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **settings: Any) -> TrainedModel:
        """A model from a folder or from the Hugging Face hub. The settings are those of `unica.load` and the hub's."""
        try:
            return super().from_pretrained(pretrained_model_name_or_path, **settings)
        except UnicaError:
            raise
        except Exception as error:  # the hub's library raises errors of its own, and those of its transport
            raise UnicaError(
                f"{pretrained_model_name_or_path} is no folder here, and the Hugging Face hub does not give it"
                f" ({reason(error)}); download its {HUB_FILE} elsewhere and load that"
            ) from None

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **settings: Any) -> Any:
        hub = ("revision", "cache_dir", "force_download", "local_files_only", "token", "proxies", "resume_download")
        options = {name: settings.pop(name, None) for name in hub}
        if Path(model_id).is_dir():
            return load(model_id, **settings)
        given = {name: value for name, value in options.items() if value is not None}
        return load(hf_hub_download(model_id, HUB_FILE, **given), **settings)


def check_hub() -> None:
    """Raise what the hub's library raises if the hub cannot be reached, or knows nobody here."""
    whoami()


def read_trained(
    stored: StoredModel,
    kind: type[Process],
    device: torch.device,
    dtype: torch.dtype,
    max_side: int | None = None,
    **knobs: Any,
) -> TrainedModel:
    """The model that a file holds, where the engine has this kind of process."""
    try:
        process = process_from_json(kind, stored.process)
        if process.needs_source and not stored.has_source:
            raise UnicaError(f"its source is missing, without which the {process.engine} engine cannot draw")
        draws_alpha = process.network.channels > len(stored.picture.pixels)
        if stored.has_source and stored.picture.alpha is None and draws_alpha:
            raise UnicaError("source.alpha is missing")
        network = network_of(process, stored.weights, stored.picture)
    except UnicaError as error:
        raise Damaged(str(error)) from None
    if knobs.get("detail") == "patches" and not stored.has_source:
        raise UnicaError("this model was saved without its source: there are no patches to draw detail with")
    process = process.tuned(**knobs)
    return TrainedModel(process, network, stored.picture, stored.training, device, dtype, stored.has_source, max_side)


def network_of(process: Process, weights: Mapping[str, Tensor], picture: Picture) -> nn.Module:
    """The network of a process with these weights, if they and the picture fit it."""
    check_tensors(weights, weights_of(process.network))
    (height, width), (colours, rows, columns) = process.sizes[-1], picture.pixels.shape
    smaller = height <= rows and width <= columns and process.needs_source  # the rest is drawn with patches of it
    if (height, width) != (rows, columns) and not smaller:
        raise UnicaError(f"the finest level is of {width}x{height} pixels and the picture of {columns}x{rows}")
    if process.network.channels not in (colours, colours + 1):
        raise UnicaError(f"its network draws {process.network.channels} channels and its picture has {colours}")
    network = build(process.network)
    network.load_state_dict(dict(weights))
    return network


@dataclass(frozen=True, kw_only=True)
class TrainedModelConfig(TrainingConfig):
    """A training that makes a `TrainedModel`."""

    detail: Detail = "network"  # what draws detail, unless the user wants it otherwise

    def model(
        self,
        process: Process,
        network: nn.Module,
        picture: Picture,
        training: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype,
    ) -> TrainedModel:
        return TrainedModel(process, network, picture, training, device, dtype)


@dataclass(frozen=True)
class NetworkDenoiser:
    """Reads x0 and eps from the network's estimate of the noise (Alg. 2, lines 6 and 7)."""

    model: TrainedModel

    def __call__(self, x_t: Float[Tensor, "b c h w"], t: float, level: Level, blend: Blend) -> Prediction:
        mean = mean_of(x_t, self._eps(x_t, t, level), t, level.schedule)
        if level.heights is not None and t > _ROWS_UNTIL * self.model.process.chain:
            mean = self._with_rows(mean, level)
        return Prediction(blend.unmix(mean, t), eps_of(x_t, mean.clamp(-1, 1), t, level.schedule))

    def _with_rows(self, mean: Float[Tensor, "b c h w"], level: Level) -> Float[Tensor, "b c h w"]:
        """The estimate, with the mean colours of the source's rows at these heights, as far as order is firm."""
        model = self.model
        if not model.process.network.ordered or model.patchwork is None or "y" in level.wrap:
            return mean
        rows = row_means(model.patchwork.scales[0], heights_of(level))
        return mean + model.process.order * level.order * (rows.to(mean)[..., None] - mean.mean(-1, keepdim=True))

    def _eps(self, x: Float[Tensor, "b c h w"], t: float, level: Level) -> Float[Tensor, "b c h w"]:
        """The network's estimate, on a canvas of any size."""
        model = self.model
        half = model.dtype != torch.float32

        network, channels = model.process.network, x.shape[1]

        def eps(x: Tensor) -> Tensor:
            times = _times(torch.full((len(x),), int(t)))
            x, order = x[:, :channels], (x[:, channels:] if network.ordered else None)
            with torch.autocast(x.device.type, model.dtype, enabled=half):
                x = x.contiguous(memory_format=torch.channels_last)
                return model.process.eps(model.network, x, times, level.index, order).float().contiguous()

        if network.ordered:  # windows see a part of the rows, so each row is told where it lies
            strength = 0.0 if "y" in level.wrap else model.process.order * level.order
            heights = torch.linspace(0, 1, x.shape[-2]) if level.heights is None else heights_of(level).clamp(0, 1)
            told = order_channels(torch.full((len(x), 1, 1, 1), strength), heights, x.shape[-1])
            x = torch.cat([x, told.to(x)], 1)
        margin = network.receptive_field // 2
        estimate = windowed(eps, x, margin, level.wrap, grid=network.grid, feather=margin // 2 if network.norm else 0)
        low, high = estimate.aminmax()
        if not (low > -_WILDEST and high < _WILDEST):  # NaN is refused, too
            raise UnicaError(
                "the network of this model does not estimate noise: its weights are damaged; train it anew"
            )
        return estimate


def _times(t: Int[Tensor, "b"]) -> Int[Tensor, "b 1 1 1"]:
    return t.cpu().view(-1, 1, 1, 1)
