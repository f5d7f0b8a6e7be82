"""Record what every gallery command makes, or compare with what was recorded: has a change altered any picture?

    python benchmarks/fingerprints.py record FILE.json --models MODELS      before the change
    python benchmarks/fingerprints.py compare FILE.json --models MODELS     after it

MODELS holds one small model of each trained engine, trained if they are not there yet; copy them, not the pictures,
from one version to the next. Each command runs in a process of its own, on the CPU in float32. Of every file that it
writes, the SHA-256 of all bytes and of the pixels alone are kept, and of a PNG its text.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from unica.engines.base import engines

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from gallery import TASKS, inputs

CLIP = Path(__file__).parents[1] / "tests" / "clip"
TRAINED = [engine.name for engine in engines().values() if engine.presets]
STEPS = 60
MORE = {  # knobs and kinds of pictures that the gallery does not show
    "instant": [
        "sample source.png --diversity 0.2",
        "sample source.png --diversity 0.8 --tile xy --stretch 1.3x0.8",
        "sample source.png --patch 5 --levels 2 -n 2 --sheet --provenance",
        "sample gray16.png",
        "sample clear.png",
        "outpaint gray16.png --right 20 --repeat 2",
        "edit clear.png --erase 10,10,30,30 --copy 100,40,30,30@20,60,50,50",
        "outpaint source.png --size 240x150 --anchor left-up",
        "objects source.png --size-factor 1.6",
        "mirror source.png --axis xy --size 150x100",
        "upscale source.png --factor 1.5 --strength 0.6",
    ],
    "sinddm": [
        "sample sinddm.unica --no-blend",
        "sample sinddm.unica --start-steps 40,30,20 -n 3 --batch 2",
        "sample sinddm.unica --tile xy --size 250x90",
        "text sinddm.unica 'vertical stripes' --clip CLIP --views 3 --scale 10000",
    ],
    "sindiffusion": [
        "sample sindiffusion.unica --steps 10 --sampler ddim",
        "sample sindiffusion.unica --tile x --size 250x90",
        "objects sindiffusion.unica --size-factor 1.6",
    ],
}
TEXT = [
    "'a red picture'",
    "'a red picture' stripes:-0.5 --mode style",
    "'a red picture' --mode restyle",
    "'vertical stripes' --mode region --box 100,20,64,64",
]


def commands() -> list[str]:
    lines = []
    for engine in engines():
        name = f"{engine}.unica" if engine in TRAINED else "source.png"
        lines += [f"{task} {name} {options}" for task, (_, options) in TASKS.items()]
        lines += [f"text {name} {options} --clip CLIP --views 3" for options in TEXT]
        lines += MORE.get(engine, [])
    return lines


def more_inputs(folder: Path) -> None:
    source = Image.open(folder / "source.png")
    gray = source.convert("L").point(lambda value: value * 257, "I").convert("I;16")
    gray.save(folder / "gray16.png")
    clear = source.convert("RGBA")
    clear.paste((0, 0, 0, 0), (120, 70, 160, 110))
    clear.save(folder / "clear.png")


def described(path: Path) -> dict[str, Any]:
    with Image.open(path) as image:
        frames = [(frame.mode, frame.size, frame.tobytes()) for frame in ImageSequence.Iterator(image)]
        text = dict(getattr(image, "text", {}))
    return {"file": sha256(path.read_bytes()).hexdigest(), "pixels": sha256(repr(frames).encode()).hexdigest(), **text}


def drawn(folder: Path, line: str) -> dict[str, Any]:
    """Each file that a command writes, by name."""
    with tempfile.TemporaryDirectory() as out:
        words = [str(CLIP) if word == "CLIP" else word for word in shlex.split(line)]
        words = [*words, "-o", out, "--quiet", "--device", "cpu", "--precision", "float32"]
        words += [] if "-n" in words else ["-n", "1"]
        subprocess.run([sys.executable, "-m", "unica", *words], check=True, cwd=folder)
        return {path.name: described(path) for path in sorted(Path(out).iterdir())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--only", default="", help="commands that begin with this")
    args = parser.parse_args()
    args.models.mkdir(parents=True, exist_ok=True)
    known = json.loads(args.file.read_text()) if args.what == "compare" else {}
    made: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        inputs(folder)
        more_inputs(folder)
        for engine in TRAINED:
            kept = (args.models / f"{engine}.unica").resolve()
            if not kept.exists():
                words = f"train source.png --engine {engine} --steps {STEPS} --precision float32 --no-preview -q -o"
                command = [sys.executable, "-m", "unica", *words.split(), str(kept)]
                subprocess.run(command, check=True, cwd=folder)
            (folder / kept.name).symlink_to(kept)
        for line in (line for line in commands() if line.startswith(args.only)):
            made[line] = drawn(folder, line)
            if args.what == "compare":
                print(f"{verdict(known.get(line), made[line])}  {line}", flush=True)
            else:
                args.file.write_text(json.dumps(made, indent=1) + "\n")


def verdict(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """`same` to the byte; `text` where only what a picture says of itself differs; or `PIXELS`."""
    if before == after:
        return "same"
    if before is None or before.keys() != after.keys():
        return "FILES"
    return "text" if all(before[name]["pixels"] == after[name]["pixels"] for name in after) else "PIXELS"


if __name__ == "__main__":
    main()
