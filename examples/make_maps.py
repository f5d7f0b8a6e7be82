"""Make the example maps: a material of stones, and a picture of cells with the labels of its pixels.

    python examples/make_maps.py examples/maps

Both are drawn from nothing but noise with a fixed seed, so anyone may do anything with them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 192


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, maps in (("stones", stones()), ("cells", cells())):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for ending, values in maps.items():
            Image.fromarray(values).save(folder / name / f"{name}_{ending}.png", optimize=True)


def stones() -> dict[str, np.ndarray]:
    """Round stones in sand: color, normal, height (16 bits) and roughness."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    height = 0.10 * noise(random, 24) + 0.05 * noise(random, 4)
    stone, tint = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    placed: list[tuple[float, float, float]] = []
    for _ in range(4000):
        row, column, radius = random.uniform(-10, SIDE + 10), random.uniform(-10, SIDE + 10), random.uniform(7, 22)
        if any(np.hypot(row - r, column - c) < 0.9 * (radius + q) for r, c, q in placed):
            continue
        placed.append((row, column, radius))
        angle, squeeze = random.uniform(0, np.pi), random.uniform(0.75, 1)
        along = (y - row) * np.sin(angle) + (x - column) * np.cos(angle)
        across = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
        distance = np.sqrt((along / radius) ** 2 + (across / (squeeze * radius)) ** 2)
        dome = np.sqrt(np.maximum(1 - distance**2, 0)) * radius / 22
        inside = distance < 1
        height = np.where(inside, np.maximum(height, 0.15 + 0.8 * dome), height)
        stone[inside], tint[inside] = 1, random.uniform(-1, 1)
    height = np.clip(height + stone * 0.03 * noise(random, 3), 0, 1)
    sand = np.array([0.62, 0.53, 0.40])[None, None] + 0.06 * noise(random, 2)[..., None]
    rock = np.array([0.42, 0.43, 0.46])[None, None] + tint[..., None] * np.array([0.12, 0.08, 0.05])
    rock = rock + 0.08 * noise(random, 6)[..., None] + 0.05 * noise(random, 2)[..., None]
    color = np.where(stone[..., None] > 0, rock, sand) * (0.75 + 0.25 * np.clip(height / 0.4, 0, 1))[..., None]
    rough = np.where(stone > 0, 0.45 + 0.1 * tint, 0.9) + 0.05 * noise(random, 5)
    return {
        "color": eight(color),
        "normal": eight(normals(height) / 2 + 0.5),
        "height": (height * 65535).round().astype(np.uint16),
        "roughness": eight(rough),
    }


def normals(height: np.ndarray, depth: float = 12.0) -> np.ndarray:
    """Unit vectors across the surface of a height map, x to the right and y up (as OpenGL has it)."""
    down, right = np.gradient(height * depth)
    vectors = np.stack([-right, down, np.ones_like(height)], -1)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def cells() -> dict[str, np.ndarray]:
    """Cells as a fluorescence microscope shows them, and labels: 0 around them, 1 the cell, 2 its nucleus."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    body, nucleus, labels = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE), np.uint8)
    placed: list[tuple[float, float, float]] = []
    for _ in range(3000):
        row, column, radius = random.uniform(0, SIDE), random.uniform(0, SIDE), random.uniform(11, 20)
        if any(np.hypot(row - r, column - c) < 1.05 * (radius + q) for r, c, q in placed):
            continue
        placed.append((row, column, radius))
        turn = np.arctan2(y - row, x - column)
        wobble = 1 + sum(random.uniform(-0.09, 0.09) * np.cos(k * turn + random.uniform(0, 6.3)) for k in (2, 3, 4))
        distance = np.hypot(y - row, x - column) / (radius * wobble)
        core = np.hypot(y - row - random.normal(0, 2), x - column - random.normal(0, 2)) / (0.42 * radius)
        body = np.maximum(body, random.uniform(0.35, 0.7) * np.clip(1.6 * (1 - distance), 0, 1) ** 0.7)
        nucleus = np.maximum(nucleus, random.uniform(0.6, 1.0) * np.clip(3 * (1 - core), 0, 1))
        labels[distance < 0.97] = 1
        labels[core < 0.9] = 2
    body = body * (1 + 0.25 * noise(random, 3)) + 0.04
    nucleus = nucleus * (1 + 0.15 * noise(random, 4)) + 0.03
    picture = np.stack([0.15 * body, body, nucleus], -1) + random.normal(0, 0.02, (SIDE, SIDE, 3))
    return {"image": eight(picture), "labels": labels}


def noise(random: np.random.Generator, size: float) -> np.ndarray:
    """Smooth noise with a standard deviation of 1, whose spots have about this size in pixels."""
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]
    spectrum = np.fft.fft2(random.normal(size=(SIDE, SIDE))) * np.exp(-((rows**2 + columns**2) * (2 * size) ** 2))
    found = np.fft.ifft2(spectrum).real
    return found / found.std()


def eight(shares: np.ndarray) -> np.ndarray:
    return (shares.clip(0, 1) * 255).round().astype(np.uint8)


if __name__ == "__main__":
    main()
