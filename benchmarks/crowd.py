"""Several processes at once: how far from a fair share of the cores is each of them?

    python benchmarks/crowd.py [--processes 1 2 3] [--rounds 2]

Each row runs the same command in several processes at the same time. The fair share of k processes is k times the
seconds of one process alone; the ratio says how much longer than that the slowest of them took. Start-up is left out:
seconds are those of training, or of the pictures after the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

PICTURES = 5
COMMANDS = {
    "train (sinddm, fast)": "train source.png --steps 60 --no-preview --json -q -o {name}.unica",
    "sample (instant)": f"sample source.png -n {PICTURES} --json -q -o {{name}}",
    "sample (sinddm)": f"sample model.unica -n {PICTURES} --json -q -o {{name}}",
}


def seconds(command: str, processes: int, folder: Path, environment: dict[str, str]) -> list[float]:
    """Of each of so many processes that run the command at the same time."""
    running = []
    for number in range(processes):
        words = command.format(name=f"out-{processes}-{number}").split()
        line = [sys.executable, "-m", "unica", *words]
        running.append(subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment))
    reports = [json.loads(process.communicate()[0]) for process in running]
    for number in range(processes):
        for path in folder.glob(f"out-{processes}-{number}.unica*"):
            path.unlink()
    return [
        report["training_seconds"] if "steps" in report else sum(p["seconds"] for p in report["pictures"][1:])
        for report in reports
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=2, help="the fastest counts")
    parser.add_argument("--only", default="")
    parser.add_argument("--environment", nargs="*", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    environment = {**os.environ, **dict(pair.split("=", 1) for pair in args.environment)}
    table = Table(
        "command", "processes", "seconds, the slowest", "over the fair share", title=f"{os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = Path(__file__).parents[1] / "examples" / "images" / "dandelions.png"
        Image.open(source).convert("RGB").resize((192, 128)).save(folder / "source.png")
        words = "train source.png --steps 20 --no-preview -q -o model.unica"
        subprocess.run([sys.executable, "-m", "unica", *words.split()], check=True, cwd=folder, env=environment)
        for name, command in COMMANDS.items():
            if not name.startswith(args.only):
                continue
            alone = 0.0
            for count in args.processes:
                taken = min(max(seconds(command, count, folder, environment)) for _ in range(args.rounds))
                alone = alone or taken / count
                table.add_row(name, str(count), f"{taken:.1f}", f"{taken / (count * alone):.2f}")
                print(f"{name}, {count}: {taken:.1f} s", file=sys.stderr, flush=True)
    Console().print(table)


if __name__ == "__main__":
    main()
