"""What ComfyUI offers to nodes, as far as unica's use it: enough to load and run them without ComfyUI."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Interrupted(BaseException):
    """As ComfyUI's InterruptProcessingException: no `except Exception` holds it up."""


@dataclass
class Seen:
    """What nodes told ComfyUI."""

    progress: list[int] = field(default_factory=list)
    previews: list[Any] = field(default_factory=list)
    stop_at: int | None = None  # of a progress bar


def install(monkeypatch: pytest.MonkeyPatch, models: Path, v3: bool = True) -> Seen:
    """Put the stubs where Python finds modules. Without V3 it is a ComfyUI of before 0.3.48."""
    seen = Seen()

    class ProgressBar:
        def __init__(self, total: int) -> None:
            self.total = total

        def update_absolute(self, value: int, total: int, preview: Any = None) -> None:
            assert 0 <= value <= total == self.total
            seen.progress.append(value)
            if preview is not None:
                seen.previews.append(preview)

    def throw() -> None:
        if seen.stop_at is not None and seen.progress and seen.progress[-1] >= seen.stop_at:
            raise Interrupted

    management = {"throw_exception_if_processing_interrupted": throw, "intermediate_device": lambda: "cpu"}
    folders: dict[str, tuple[list[str], set[str]]] = {}

    def files(name: str) -> list[str]:
        (folder,), suffixes = folders[name]
        return sorted(path.name for path in Path(folder).glob("*") if path.suffix in suffixes)

    modules: dict[str, dict[str, Any]] = {
        "comfy": {},
        "comfy.utils": {"ProgressBar": ProgressBar},
        "comfy.model_management": management,
        "folder_paths": {
            "models_dir": str(models),
            "folder_names_and_paths": folders,
            "get_filename_list": files,
            "get_folder_paths": lambda name: folders[name][0],
            "get_full_path_or_raise": lambda name, file: str(Path(folders[name][0][0]) / file),
        },
    }
    if v3:
        modules |= {
            "comfy_api": {},
            "comfy_api.latest": {"io": _io(), "ComfyExtension": type("ComfyExtension", (), {})},
        }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    return seen


def _io() -> Any:
    def of(type_name: str, *widget: str) -> Any:
        class Input:
            def __init__(self, id: str, optional: bool = False, tooltip: str | None = None, **rest: Any) -> None:
                assert rest.keys() <= {*widget, "advanced"}
                self.id, self.type, self.optional, self.settings = id, type_name, optional, rest

        class Output:
            def __init__(self, id: str | None = None, display_name: str | None = None) -> None:
                self.type, self.display_name = type_name, display_name

        return SimpleNamespace(Input=_open(Input, *widget, "advanced"), Output=Output)

    number = ("default", "min", "max", "step")
    return SimpleNamespace(
        Int=of("INT", *number, "control_after_generate"),
        Float=of("FLOAT", *number),
        String=of("STRING", "default", "multiline"),
        Boolean=of("BOOLEAN", "default"),
        Combo=of("COMBO", "default", "options"),
        Image=of("IMAGE"),
        Mask=of("MASK"),
        Custom=of,
        ComfyNode=type("ComfyNode", (), {}),
        Schema=SimpleNamespace,
        NodeOutput=lambda *values: values,
    )


def _open(cls: type, *names: str) -> type:
    """The class with a signature that names what it takes, as ComfyUI's classes do."""
    import inspect

    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in names]
    plain = [p for p in inspect.signature(cls).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    cls.__signature__ = inspect.Signature([*plain, *named])  # pyright: ignore[reportAttributeAccessIssue]
    return cls
