"""Between unica and ComfyUI: pictures as both have them, progress with previews, and stopping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import comfy.model_management  # pyright: ignore[reportMissingImports]
import comfy.utils  # pyright: ignore[reportMissingImports]
import torch
from PIL import Image

from unica.errors import UnicaError
from unica.tasks import Task
from unica.tasks.run import Frame, collected

_STEPS = 1000  # of a progress bar
_EVERY, _PREVIEW = 0.5, 512  # seconds between previews, and their longest side
_NO_MASK = (64, 64)  # the size of the empty mask that ComfyUI loads with a picture without transparency


def picture(images: torch.Tensor, mask: torch.Tensor | None = None) -> Image.Image:
    """The one picture of a batch [1, h, w, c] in [0, 1]. The mask, [1, h, w], is 1 where it is transparent."""
    _check_one(images, "picture")
    pixels = images[0].float()
    if mask is not None and not _is_empty(mask):
        pixels = torch.cat([pixels[..., :3], 1 - _fitted(mask, *pixels.shape[:2])[..., None]], -1)
    return _pillow(pixels)


def mask_picture(mask: torch.Tensor) -> Image.Image | None:
    """A mask [h, w] or [1, h, w] as a picture that is white where it is 1; None for one that marks nothing."""
    return None if _is_empty(mask) else _pillow(_one_mask(mask)[..., None])


def _fitted(mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A mask at this size, [h, w]."""
    mask = _one_mask(mask)[None, None]
    return torch.nn.functional.interpolate(mask, (height, width), mode="bilinear", antialias=True)[0, 0]


def _one_mask(mask: torch.Tensor) -> torch.Tensor:
    """The one mask of a batch, [h, w]."""
    masks = mask.reshape(-1, *mask.shape[-2:])
    _check_one(masks, "mask")
    return masks[0].float()


def _check_one(batch: torch.Tensor, what: str) -> None:
    if len(batch) != 1:
        raise UnicaError(f"unica draws from one {what}, and {len(batch)} came: pick one of the batch")


def _is_empty(mask: torch.Tensor) -> bool:
    return mask.shape[-2:] == _NO_MASK and not mask.any()


def _pillow(pixels: torch.Tensor) -> Image.Image:
    array = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


@contextmanager
def computing() -> Iterator[None]:
    """ComfyUI runs nodes without gradients; training and guidance need them."""
    with torch.inference_mode(False):
        yield


def reporter() -> Callable[..., None]:
    """A function that is told how much is done, with a preview if there is one. It raises when the user stops."""
    bar, shown = comfy.utils.ProgressBar(_STEPS), -_EVERY

    def report(done: float, preview: Callable[[], Image.Image] | None = None) -> None:
        nonlocal shown
        comfy.model_management.throw_exception_if_processing_interrupted()
        seen = None
        if preview is not None and time.monotonic() - shown >= _EVERY:
            shown = time.monotonic()
            seen = ("JPEG", preview().convert("RGB"), _PREVIEW)
        bar.update_absolute(round(done * _STEPS), _STEPS, seen)

    return report


def drawn(task: Task, model: Any, values: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures of a run as a batch [b, h, w, 3] in [0, 1], and masks [b, h, w] that are 1 where they are clear."""
    if model.picture.maps:
        raise UnicaError("this model draws maps, which ComfyUI cannot show: use it on a command line or in Python")
    report, finished = reporter(), list[Frame]()
    for frame in task.frames(model, **values):
        report(frame.done, frame.image)
        if frame.last:
            finished.append(frame)
    pixels: torch.Tensor = collected(finished, "pt").movedim(1, -1)
    colours, clear = pixels, torch.zeros(pixels.shape[:-1])
    if finished[0].alpha is not None:
        colours, clear = pixels[..., :-1], 1 - pixels[..., -1]
    colours = colours.expand(*colours.shape[:-1], 3)
    device = comfy.model_management.intermediate_device()
    return colours.contiguous().to(device), clear.to(device)
