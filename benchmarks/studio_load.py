"""How soon a studio is there, many users of it at once, and many runs one after the other.

    python benchmarks/studio_load.py [--clients 20] [--runs 200]

Each client has a picture of its own, and compares what it gets with what this process makes of it. Memory is that of
the server (with the clients) and its workers together, resting before and after.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

import unica
from unica.studio.launch import Running, start


def picture(number: int, folder: Path) -> Path:
    """A picture that no other client has."""
    path = folder / f"user{number}.png"
    random = np.random.default_rng(number)
    rows = np.linspace(0, 255, 72)[:, None, None] * random.random(3)
    ground = random.integers(0, 120, (72, 96, 3)) * (np.arange(72) > 40)[:, None, None]
    Image.fromarray((rows + ground).clip(0, 255).astype(np.uint8)).save(path)
    return path


def memory(running: Running) -> float:
    """MB of the server and its workers."""
    pids = [os.getpid(), *(worker.process.pid for worker in running.studio.pool._workers)]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def crowd(running: Running, clients: int, folder: Path) -> dict[str, Any]:
    """All clients ask at once. Returns how many pictures were right, how long they took, and whether order was kept."""
    paths = [picture(number, folder) for number in range(clients)]
    expected = [unica.sample(unica.open(path), seed=number)[0] for number, path in enumerate(paths)]
    came, began, told = [], [], running.studio.pool._listener
    submit = running.studio.pool.submit

    def submitting(job: str, *rest: Any, **more: Any) -> None:
        came.append(job)
        submit(job, *rest, **more)

    def listener(job: str, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            began.append(job)
        told(job, event)

    running.studio.pool._listener, running.studio.pool.submit = listener, submitting  # type: ignore[method-assign]
    barrier = threading.Barrier(clients)

    def ask(number: int) -> tuple[bool, float]:
        client = Client(running.url, verbose=False, download_files=folder / f"got{number}")
        barrier.wait()
        start = time.perf_counter()
        files, _ = client.predict(handle_file(paths[number]), count=1, seed=number, api_name="/sample")
        seconds = time.perf_counter() - start
        got = Image.open(files[0]).convert("RGB")
        return np.array_equal(np.asarray(got), np.asarray(expected[number].convert("RGB"))), seconds

    with ThreadPoolExecutor(clients) as pool:
        results = list(pool.map(ask, range(clients)))
    running.studio.pool._listener, running.studio.pool.submit = told, submit  # type: ignore[method-assign]
    right, seconds = zip(*results)
    return {"right": sum(right), "median": median(seconds), "longest": max(seconds), "in_order": began == came}


def _job(running: Running, count: int) -> tuple[Any, Any]:
    session = running.studio.store.session("measuring")
    harvest = Path(__file__).parents[1] / "examples" / "images" / "harvest.jpg"
    with open(harvest, "rb") as file:
        source = running.studio.upload(session, harvest.name, file)
    return session, running.studio.submit(session, {"task": "sample", "source": source.id, "values": {"count": count}})


def first_picture(running: Running) -> float:
    """Seconds from a job to its first picture."""
    began = time.perf_counter()
    _, job = _job(running, 1)
    while not job.about["pictures"]:
        time.sleep(0.01)
    return time.perf_counter() - began


def cancel(running: Running) -> float:
    """Seconds from a cancel in the middle of a picture until its worker is free."""
    session, job = _job(running, 100)
    while not job.about["pictures"]:
        time.sleep(0.01)
    began = time.perf_counter()
    running.studio.cancel(session, job.id)
    while running.studio.pool.busy():
        time.sleep(0.005)
    return time.perf_counter() - began


def settle(running: Running) -> float:
    """Memory, when nothing has happened for a moment."""
    time.sleep(1.5)
    return memory(running)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--runs", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        running = start(port=0, folder=folder / "studio")
        try:
            served = time.perf_counter() - began
            running.studio.pool.wait_ready(120)
            print(f"start: the page after {served:.1f} s, the first worker after {time.perf_counter() - began:.1f} s")
            print(f"first picture of harvest.jpg (320x230): {first_picture(running):.1f} s")
            print(f"cancel: {cancel(running):.2f} s until the worker is free", flush=True)
            crowd(running, 2, folder)  # everything is loaded, everything compiled
            rested = settle(running)
            for turn in range(2):
                before = settle(running)
                result = crowd(running, asked.clients, folder)
                print(f"crowd {turn + 1}: {result['right']} of {asked.clients} right, in order: {result['in_order']}, "
                      f"median {result['median']:.1f} s, longest {result['longest']:.1f} s, "
                      f"memory {before:.0f} -> {settle(running):.0f} MB", flush=True)  # fmt: skip
            client = Client(running.url, verbose=False, download_files=folder / "got")
            source, sizes = handle_file(picture(0, folder)), []
            for run in range(asked.runs):
                client.predict(source, count=1, seed=run, api_name="/sample")
                if (run + 1) % max(asked.runs // 4, 1) == 0:
                    sizes.append(settle(running))
            print(f"{asked.runs} runs: memory after each quarter {', '.join(f'{size:.0f}' for size in sizes)} MB")
            print(f"memory at rest: {rested:.0f} -> {settle(running):.0f} MB")
        finally:
            running.close()


if __name__ == "__main__":
    main()
