"""IMAGE|MODEL on the command line: which engine is meant, and the options that only one kind of engine has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unica
from unica.errors import UnicaError
from unica.model import TRAINED, Model

ENGINES = ("instant", *TRAINED)
SUFFIXES = (".unica", ".safetensors")


@dataclass(frozen=True)
class Opening:
    """The options that make a model of what was named, as typed; None is left out."""

    path: Path
    engine: str | None
    diversity: float | None
    patch: int | None
    levels: int | None
    max_side: int | None
    start_steps: tuple[int, ...] | None
    blend: bool | None
    steps: int | None
    sampler: str | None
    device: str
    precision: str

    def open(self) -> Model:
        if self.engine not in (None, *ENGINES):
            raise UnicaError(f"engine must be {' or '.join(ENGINES)}, not {self.engine}")
        if is_model(self.path):
            self._refuse("instant", _INSTANT, "a trained model has its own")
            model = unica.load(self.path, **self._given(_TRAINED), device=self.device, precision=self.precision)
            if self.engine not in (None, model.engine):
                raise UnicaError(f"{self.path} is a model of the {model.engine} engine, not of {self.engine}")
            return model
        if self.engine in TRAINED:
            raise UnicaError(
                f"{self.engine} draws from a trained model, not from a picture: unica train {self.path} --engine"
                f" {self.engine} makes one"
            )
        self._refuse("trained", _TRAINED, "nothing is trained here")
        return unica.open(self.path, **self._given(_INSTANT), device=self.device, precision=self.precision)

    def words(self, model: Model) -> list[str]:
        """What opens the same model again, whatever the defaults will be then."""
        words = ["--engine", model.engine]
        for name, value in model.settings.items():
            if name == "blend":
                words += [] if value else ["--no-blend"]
            elif name in (*_INSTANT, *_TRAINED) and value not in (None, ""):
                words += [f"--{name.replace('_', '-')}", str(value)]
        words += ["--device", self.device] if self.device != "auto" else []
        known = str(model.dtype) != "torch.float32" or model.engine in TRAINED
        precision = "bf16" if str(model.dtype) == "torch.bfloat16" else "float32"
        return [*words, "--precision", precision] if known else words

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _refuse(self, kind: str, names: tuple[str, ...], why: str) -> None:
        for name in self._given(names):
            raise UnicaError(f"--{name.replace('_', '-')} is for {kind} models: {why}")


_INSTANT = ("diversity", "patch", "levels", "max_side")
_TRAINED = ("start_steps", "blend", "steps", "sampler")


def is_model(path: Path) -> bool:
    """By its name, or by its being a folder, as the Hugging Face hub has models."""
    return path.suffix.lower() in SUFFIXES or path.is_dir()
