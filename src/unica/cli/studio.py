"""`unica studio`: the page in the browser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unica.cli.terminal import say
from unica.errors import UnicaError
from unica.studio.launch import serve


def run(path: Path | None, open: bool, quiet: bool, clips: Sequence[str], **settings: Any) -> None:
    """Serve the studio until it is interrupted."""
    folders = [Path(clip) for clip in clips]
    for folder in folders:
        if not folder.is_dir():
            raise UnicaError(f"{folder} is not a folder with a CLIP")
    named = {folder.resolve().name: folder.resolve() for folder in folders}
    serve(path, open, (lambda line: None) if quiet else _say_now, clips=named, **settings)


def _say_now(line: str) -> None:
    """Say it at once, also where stdout is no terminal."""
    say(line)
    sys.stdout.flush()
