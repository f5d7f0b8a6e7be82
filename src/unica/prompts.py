"""Prompts: texts with weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from unica.declare import Repeated
from unica.errors import UnicaError, short, shown

DEFAULT_CLIP = "openai/clip-vit-base-patch32"


@dataclass(frozen=True)
class Prompt:
    """A text, and how much it counts among others. A negative weight pushes away from it."""

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UnicaError("a prompt is empty: say in words what the picture should show")
        if not math.isfinite(self.weight):
            raise UnicaError(f'the weight of "{short(self.text)}" must be a number, not {self.weight}')

    def as_style(self) -> "Prompt":
        """The prompt with " Style" appended, as SinDDM's authors name a style; as it is, if that is its last word."""
        return self if self.text.split()[-1].lower() == "style" else replace(self, text=f"{self.text} Style")


class Prompts(Repeated):
    """One prompt or several, as texts or as `Prompt`s; on a command line each is TEXT or TEXT:WEIGHT."""

    metavar = "PROMPT..."

    def parse(self, name: str, text: str) -> Prompt:
        words, _, weight = text.rpartition(":")
        try:
            return Prompt(words, float(weight)) if words else Prompt(text)
        except ValueError:  # the colon belongs to the text
            return Prompt(text)

    def check(self, name: str, value: Any) -> list[Prompt]:
        several = [value] if isinstance(value, str | Prompt) else value
        if not isinstance(several, Sequence):
            raise UnicaError(f"{name} must be a text or a list of texts, not {shown(value)}")
        if not several:
            raise UnicaError("there is no prompt: say in words what the picture should show")
        return [self.item(name, one) for one in several]

    def item(self, name: str, value: Any) -> Prompt:
        if isinstance(value, Prompt):
            return value
        if not isinstance(value, str):
            raise UnicaError(f"{name} must be texts or Prompts, not {shown(value)}")
        return Prompt(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}, "minItems": 1}

    def format(self, value: Prompt) -> str:
        return value.text if self.parse("", value.text) == value else f"{value.text}:{value.weight!r}"
