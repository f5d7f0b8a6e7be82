"""`unica augment`: new pairs of pictures and masks, and which pairs could not be used."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from unica.cli.progress import reporter
from unica.cli.signals import Stopped
from unica.cli.terminal import complain
from unica.errors import UnicaError, by_reason
from unica.jobs.augment import MANIFEST, augmented, pairs_in


def augment_and_show(
    images: Path,
    masks: Path,
    output: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    workers: int | None,
    ray: str | None,
    **settings: Any,
) -> None:
    """Draw the pairs. Those that fail are named at the end, when the others are done."""
    pairs = pairs_in(images, masks)
    made, failed = 0, {}
    try:
        with (
            reporter(quiet, "drawing pairs") as progress,
            closing(augmented(pairs, output, workers, ray, overwrite, **settings)) as arriving,
        ):
            for number, (pair, result) in enumerate(arriving, 1):
                if isinstance(result, str):
                    failed[pair.name] = result
                    progress.say(f"{pair.name}: {result}")
                else:
                    made += len(result)
                progress.update(number / len(pairs))
            progress.say(f"{output / MANIFEST}  ({made} pairs)")
    except Stopped as stopped:
        complain("interrupted; the same command goes on")
        raise SystemExit(stopped.exit_code) from None
    if as_json:
        print(json.dumps({"manifest": str(output / MANIFEST), "pairs": made, "failed": failed}))
    if failed:
        raise UnicaError(f"{len(failed)} of {len(pairs)} pairs gave nothing: {by_reason(failed)}")
