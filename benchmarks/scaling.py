"""How long many jobs take on many machines: a simulation, with what was measured here.

    python benchmarks/scaling.py measure PICTURE -o scaling.json    # runs 1, 2 and 4 processes, and simulates the same
    python benchmarks/scaling.py predict scaling.json               # a million pictures, a terapixel

The simulation has workers that start, take one job after the other, share the cores of their machine, and die with it;
a job that was lost is done again. It has a store that answers so many requests and takes so many bytes a second.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

CORES = 2  # of a machine, here and in the predictions
HOURS = 3600.0


@dataclass(frozen=True)
class Fleet:
    """Machines, and what a job costs there."""

    workers: int  # in all
    per_machine: int  # of them
    seconds: tuple[float, ...]  # that jobs took on a core of their own: one of them is drawn for each job
    start: float  # seconds before a worker's first job: libraries, the model, the layout
    overhead: float  # seconds of each job besides its work
    opened: float = 0.0  # seconds that the command itself needs before the first job, and after the last
    dispatch: float = 1e-4  # seconds of the one process that hands out jobs, for each job
    requests: int = 2  # to the store, for each job
    megabytes: float = 0.1  # to the store, for each job
    most_requests: float = 5000.0  # that the store answers a second
    most_megabytes: float = 2000.0  # that it takes a second
    hours_between_failures: float = 0.0  # of a machine; 0: it never fails
    back: float = 120.0  # seconds until a machine that failed is replaced


def simulated(fleet: Fleet, jobs: int, seed: int = 0) -> float:
    """Seconds until all jobs are done."""
    chance = random.Random(seed)
    busy = max(fleet.per_machine / CORES, 1.0)  # processes that share a core
    machines = -(-fleet.workers // fleet.per_machine)
    fails = [_next_failure(fleet, chance, 0.0) for _ in range(machines)]
    free = [(fleet.opened + fleet.start * busy, worker) for worker in range(fleet.workers)]
    heapq.heapify(free)
    handed = stored = last = 0.0
    left = jobs
    while left:
        now, worker = heapq.heappop(free)
        machine = worker // fleet.per_machine
        if now >= fails[machine]:  # what failed while nothing was lost
            back = fails[machine] + fleet.back
            fails[machine] = _next_failure(fleet, chance, back)
            heapq.heappush(free, (max(now, back) + fleet.start * busy, worker))
            continue
        handed = max(handed, now) + fleet.dispatch  # one job after the other is handed out
        end = handed + (chance.choice(fleet.seconds) + fleet.overhead) * busy
        if end > fails[machine]:  # the job is lost
            heapq.heappush(free, (fails[machine], worker))
            continue
        need = max(fleet.requests / fleet.most_requests, fleet.megabytes / fleet.most_megabytes)
        stored = max(stored, end) + need  # the store is shared by all
        end = max(end, stored)
        left -= 1
        last = max(last, end)
        heapq.heappush(free, (end, worker))
    return last


def _next_failure(fleet: Fleet, chance: random.Random, now: float) -> float:
    if not fleet.hours_between_failures:
        return float("inf")
    return now + chance.expovariate(1 / (fleet.hours_between_failures * HOURS))


def measure(picture: str, output: Path, count: int) -> None:
    """Run commands with 1, 2 and 4 processes, and simulate the same."""
    runs = {}
    for workers in (1, 2, 4):
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-m", "unica", "sample", picture, "-n", str(count), "-o", folder, "--json", "-q"]
            words += ["--workers", str(workers), "--max-side", "256"]
            began = time.perf_counter()
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            runs[workers] = {"seconds": time.perf_counter() - began, "jobs": json.loads(done.stdout)["pictures"]}
    one, two = ([job["seconds"] for job in runs[workers]["jobs"]] for workers in (1, 2))
    # With one thread a job takes longer than with two; the first job of a process compiles and reads.
    alone = tuple(sorted(two)[: -2 or None])
    start = max(max(two) - sorted(two)[len(two) // 2], 0.0) + 2.0
    fleet = Fleet(1, 1, alone, start=start, overhead=0.002, opened=max(runs[1]["seconds"] - sum(one), 0.0))
    print(f"{count} pictures; on one core of two: median {sorted(alone)[len(alone) // 2]:.2f} s; start {start:.1f} s")
    for workers in (2, 4):
        guess = simulated(replace(fleet, workers=workers, per_machine=workers), count)
        real = runs[workers]["seconds"]
        print(f"{workers} processes: {real:6.1f} s, simulated {guess:6.1f} s ({guess / real:.2f})")
    print(f"1 process with all threads: {runs[1]['seconds']:.1f} s")
    output.write_text(json.dumps({"seconds": alone, "start": start, "opened": fleet.opened}, indent=1) + "\n")


def predict(path: Path, block: float) -> None:
    """A million pictures, and a terapixel in blocks of 4.2 megapixels, on 10, 100 and 1,000 machines of two cores."""
    found = json.loads(path.read_text())
    pictures = Fleet(1, 2, tuple(found["seconds"]), found["start"], overhead=0.002, opened=found["opened"],
                     dispatch=1.9e-3, requests=3, megabytes=0.15, hours_between_failures=30 * 24)  # fmt: skip
    tiles = replace(pictures, seconds=(0.9 * block, block, 1.2 * block), requests=2 * 21 + 2, megabytes=8.0)
    for name, fleet, jobs in (("a million pictures", pictures, 10**6), ("a terapixel", tiles, 10**12 // 2048**2)):
        print(f"{name}: {jobs} jobs")
        ideal = jobs * sum(fleet.seconds) / len(fleet.seconds)
        for machines in (10, 100, 1000):
            many = replace(fleet, workers=machines * CORES, per_machine=CORES)
            took = simulated(many, jobs)
            calm = simulated(replace(many, hours_between_failures=0.0), jobs)
            fast = simulated(replace(many, most_requests=1e9, most_megabytes=1e9), jobs)
            used = ideal / (machines * CORES) / took
            print(f"  {machines:5} machines: {took / HOURS:7.2f} h, cores used {used:4.0%}; without failures"
                  f" {calm / HOURS:7.2f} h; with a store without limits {fast / HOURS:7.2f} h")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("picture")
    measuring.add_argument("-n", "--count", type=int, default=48)
    measuring.add_argument("-o", "--output", type=Path, default=Path("scaling.json"))
    predicting = commands.add_parser("predict")
    predicting.add_argument("measured", type=Path)
    predicting.add_argument("--block", type=float, default=11.0, help="seconds of a core for a block of 2048x2048")
    asked = parser.parse_args()
    if asked.command == "measure":
        measure(asked.picture, asked.output, asked.count)
    else:
        predict(asked.measured, asked.block)


if __name__ == "__main__":
    main()
