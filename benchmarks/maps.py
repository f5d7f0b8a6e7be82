"""Maps and channels: what is copied without a loss, how maps stay in step, tiles, labels, and what channels cost.

python examples/make_maps.py maps/
python benchmarks/maps.py lossless|lockstep|lengths|labels|joint|tiles maps/ [--engine hybrid]
python benchmarks/maps.py cost
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import unica
from unica.image import parts
from unica.metrics.patches import mean_patch_distance
from unica.provenance import continues
from unica.tasks.tiles import Borders

SEEDS = range(5)
FAR = 8  # pixels from a seam, beyond which nothing is healed


def main() -> None:
    parser = argparse.ArgumentParser()
    whats = ["lossless", "lockstep", "lengths", "labels", "joint", "tiles", "cost", "channels"]
    parser.add_argument("what", choices=whats)
    parser.add_argument("maps", type=Path, nargs="?", default=Path("maps"))
    parser.add_argument("--engine", default="instant")
    parser.add_argument("--channels", type=int, default=3)
    asked = parser.parse_args()
    {
        "lossless": lambda: lossless(asked.maps),
        "lockstep": lambda: lockstep(asked.maps, asked.engine),
        "lengths": lambda: lengths(asked.maps, asked.engine),
        "labels": lambda: labels(asked.maps, asked.engine),
        "joint": lambda: joint(asked.maps, asked.engine),
        "tiles": lambda: tiles(asked.maps, asked.engine),
        "cost": lambda: cost(asked.engine),
        "channels": lambda: channels(asked.channels, asked.engine),
    }[asked.what]()


def lossless(maps: Path) -> None:
    """The share of drawn pixels that are pixels of the source, and whether kept pixels are the same to the bit."""
    from unica.maps.files import encoded, read_planes
    from unica.maps.planes import Planes

    stack = stacked(8)
    unknown = stack.astype(np.float32) * 1.7 - 20
    unknown[40:60, 30:80, 3] = np.nan
    files = {
        "8 channels of 16 bits.tif": Planes((stack * 257).astype(np.uint16)),
        "floats, some unknown.npy": Planes(unknown),
        "colours of 16 bits.png": Planes((stack[..., :3] * 257).astype(np.uint16)),
        "floats.exr": Planes(unknown[..., :2] * 1e3),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, planes in files.items():
            path = Path(folder) / name
            path.write_bytes(encoded(path.suffix, planes, {}))
            values = read_planes(path).values
            model = unica.open(path)
            mask = np.zeros(values.shape[:2], bool)
            mask[80:140, 90:160] = True
            Image.fromarray(mask).save(Path(folder) / "mask.png")
            content = Path(folder) / f"content{path.suffix}"  # another picture with the same channels: upside down
            content.write_bytes(encoded(path.suffix, Planes(values[::-1]), {}))
            said = []
            for task, more in (
                ("sample", []),
                ("style", ["--content", str(content)]),
                ("inpaint", ["--mask", str(Path(folder) / "mask.png"), "--dilate", "0"]),
            ):
                result = Path(folder) / f"result{path.suffix}"
                command = ["unica", task, str(path), "-o", str(result), "-n", "1", "-q", "--overwrite", *more]
                subprocess.run([sys.executable, "-m", *command], check=True)
                drawn = read_planes(result).values
                assert drawn.dtype == values.dtype and drawn.shape == values.shape
                known = values[np.isfinite(values).all(-1)]
                new = drawn[mask] if task == "inpaint" else drawn.reshape(-1, drawn.shape[2])
                said.append(f"{task}: {share_in(new, known):.1%} of new pixels are the source's")
                if task == "inpaint":
                    same = np.array_equal(drawn[~mask], values[~mask], equal_nan=values.dtype.kind == "f")
                    said.append(f"kept pixels {'the same' if same else 'DIFFER'}")
            print(f"{name:28} {'; '.join(said)} ({model.picture.maps[0].dtype if model.picture.maps else 'ordinary'})")


def share_in(pixels: np.ndarray, known: np.ndarray) -> float:
    """How many pixels are among the known ones."""
    kind = np.dtype((np.void, known.dtype.itemsize * known.shape[1]))
    one, other = (np.ascontiguousarray(x).view(kind).ravel() for x in (pixels, known))
    return float(np.isin(one, np.unique(other)).mean())


def stacked(channels: int) -> np.ndarray:
    """Many channels of one place, 256x256, in bytes: colours of an example, and filtered copies of them."""
    picture = np.asarray(Image.open("examples/images/gravel.png").convert("RGB"), np.float32)[:250, :250]
    planes = torch.from_numpy(picture).movedim(-1, 0)
    found = [planes]
    for n in range(-(-channels // 3)):
        found.append(F.avg_pool2d(planes[None], 2 * n + 3, 1, n + 1)[0].roll(n + 1, 0))
    return torch.cat(found)[:channels].movedim(0, -1).round().clamp(0, 255).numpy()


def far_from_seams(origins: torch.Tensor) -> torch.Tensor:
    seams = (~continues(origins)).float()[None, None]
    return F.max_pool2d(seams, 2 * FAR + 1, 1, FAR)[0, 0] == 0


def lockstep(maps: Path, engine: str) -> None:
    """Whether all maps come from one place, vectors have length 1, and slopes agree with vectors."""
    model = unica.open(maps / "stones", engine=engine)
    source = model.picture
    where = {one.name: channels for one, channels in parts(source.maps)}
    print(f"source: agreement of slopes {slopes(source.pixels, source, where):.3f}")
    for seed in SEEDS:
        *_, frame = unica.stream(unica.sample, model, seed=seed)
        assert frame.origins is not None
        rows, columns = frame.origins.long().unbind(-1)
        same = (frame.pixels == source.pixels[:, rows, columns]).all(0)
        far = far_from_seams(frame.origins)
        length = frame.pixels[where["normal"]].norm(dim=0) / source.maps[1].amplitude
        print(
            f"seed {seed}: far from seams {far.float().mean():.1%} of the picture, of which"
            f" {same[far].float().mean():.2%} are the source's in all maps (everywhere {same.float().mean():.1%});"
            f" length of vectors {length.min():.4f} to {length.max():.4f};"
            f" agreement of slopes {slopes(frame.pixels, source, where):.3f}"
        )


def lengths(maps: Path, engine: str) -> None:
    """The lengths of vectors in files, by the form of the file; some are drawn, some healed, and some mirrored."""
    from unica.maps.files import encoded, read_planes
    from unica.maps.planes import Planes

    levels = read_planes(maps / "stones" / "stones_normal.png").values
    vectors = levels.astype(np.float64) / 127.5 - 1
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    forms = {
        "8 bits.png": (levels, 127.5),
        "16 bits.png": (((vectors + 1) / 2 * 65535).round().astype(np.uint16), 32767.5),
        "floats.npy": (vectors.astype(np.float32), None),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (values, half) in forms.items():
            path = Path(folder) / name.replace(" ", "_")
            path.write_bytes(encoded(path.suffix, Planes(values), {}))
            model = unica.open({"color": maps / "stones" / "stones_color.png", "normal": path}, engine=engine)
            drawn = [*unica.sample(model, count=3, output="maps"), *unica.mirror(model, output="maps")]
            found = np.stack([one["normal"] for one in drawn]).astype(np.float64)
            length = np.linalg.norm(found if half is None else found / half - 1, axis=-1)
            print(f"{name}: length of vectors {length.min():.6f} to {length.max():.6f}")


def slopes(pixels: torch.Tensor, source: Any, where: dict[str, slice]) -> float:
    """The correlation of the height map's slopes with those that the vectors have."""
    height, (x, y, z) = pixels[where["height"]][0], pixels[where["normal"]]
    down, right = (torch.gradient(height)[axis] for axis in (0, 1))
    told = torch.stack([-x / z.clamp_min(0.05), y / z.clamp_min(0.05)]).flatten()
    seen = torch.stack([right, down]).flatten()
    return float(torch.corrcoef(torch.stack([told, seen]))[0, 1])


def labels(maps: Path, engine: str) -> None:
    """Whether edges of labels and of the picture coincide, and what drawn pairs do for a small network."""
    image = np.asarray(Image.open(maps / "cells/cells_image.png"), np.float32) / 127.5 - 1
    mask = np.asarray(Image.open(maps / "cells/cells_labels.png"), np.int64)
    half = image.shape[1] // 2
    with tempfile.TemporaryDirectory() as folder:
        left = {name: Path(folder) / f"{name}.png" for name in ("color", "labels")}
        Image.open(maps / "cells/cells_image.png").crop((0, 0, half, image.shape[0])).save(left["color"])
        Image.open(maps / "cells/cells_labels.png").crop((0, 0, half, image.shape[0])).save(left["labels"])
        model = unica.open(left, engine=engine)
        drawn = unica.sample(model, count=50, output="maps")
    pairs = [(one["color"].astype(np.float32) / 127.5 - 1, one["labels"][..., 0].astype(np.int64)) for one in drawn]
    known = set(np.unique(mask[:, :half]).tolist())
    assert all(set(np.unique(one).tolist()) <= known for _, one in pairs)
    print(f"edges of labels in the picture: source {alignment(image[:, :half], mask[:, :half]):.3f}, drawn"
          f" {np.mean([alignment(*pair) for pair in pairs]):.3f}")  # fmt: skip
    test = (image[:, half:], mask[:, half:])
    own = (image[:, :half], mask[:, :half])
    for name, given in (("one picture", [own]), ("and 50 drawn", [own, *pairs])):
        scores = [dice(given, test, seed) for seed in SEEDS]
        print(f"Dice on the other half, {name}: {np.mean(scores):.4f} ({', '.join(f'{s:.4f}' for s in scores)})")


def alignment(image: np.ndarray, mask: np.ndarray) -> float:
    """The mean step of a picture across edges of its labels, as a multiple of that elsewhere."""
    over, elsewhere = [], []
    for axis in (0, 1):
        edge = np.diff(mask, axis=axis) != 0
        step = np.abs(np.diff(image, axis=axis)).mean(-1)
        over.append(step[edge])
        elsewhere.append(step[~edge])
    return float(np.concatenate(over).mean() / np.concatenate(elsewhere).mean())


def dice(given: list[tuple[np.ndarray, np.ndarray]], test: tuple[np.ndarray, np.ndarray], seed: int) -> float:
    """The mean Dice of all labels on a test picture, of a small network that saw some pairs in 300 steps."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, padding=2, dilation=2), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, padding=4, dilation=4), torch.nn.ReLU(), torch.nn.Conv2d(16, 3, 1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(300):
        images, masks = [], []
        for n in range(4):
            image, mask = given[0] if n % 2 == 0 or len(given) == 1 else given[random.integers(1, len(given))]
            top, left = (int(random.integers(0, side - 64 + 1)) for side in mask.shape)
            part = (slice(top, top + 64), slice(left, left + 64))
            images.append(torch.from_numpy(image[part].copy()).movedim(-1, 0))
            masks.append(torch.from_numpy(mask[part].copy()))
        loss = F.cross_entropy(network(torch.stack(images)), torch.stack(masks))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = network(torch.from_numpy(test[0].copy()).movedim(-1, 0)[None])[0].argmax(0).numpy()
    scores = []
    for label in range(3):
        one, other = found == label, test[1] == label
        scores.append(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))
    return float(np.mean(scores))


def joint(maps: Path, engine: str) -> None:
    """The distance of stacked patches from the source's: maps drawn together, and each by itself."""
    files = {path.stem.rpartition("_")[2]: path for path in sorted((maps / "stones").iterdir())}
    together = unica.open(files, engine=engine)
    source = together.picture
    alone = {name: unica.open({name: path}, engine=engine) for name, path in files.items()}
    order = [one.name for one in source.maps]
    for seed in SEEDS:
        *_, frame = unica.stream(unica.sample, together, seed=seed)
        drawn = {name: unica.sample(alone[name], seed=seed, output="maps")[0][name] for name in order}
        separate = torch.cat([one.encoded(drawn[one.name]) for one in source.maps])
        found = [mean_patch_distance(x[None], source.pixels[None]) for x in (frame.pixels, separate)]
        print(f"seed {seed}: distance of stacked patches, together {found[0]:.4f}, each alone {found[1]:.4f}")


def tiles(maps: Path, engine: str) -> None:
    """The step across the border of all pairs that may lie beside each other, as a multiple of steps inside."""
    for name in ("stones", "gravel"):
        path = maps / name if (maps / name).is_dir() else Path("examples/images/gravel.png")
        model = unica.open(path, engine=engine)
        for by in ("edges", "corners"):
            began = time.perf_counter()
            drawn = [frame for frame in unica.stream(unica.tiles, model, by=by, count=16) if frame.last]
            seconds = time.perf_counter() - began
            borders = [Borders.of(frame.seed, by, 2) for frame in drawn]
            over, inside, pairs = [], [], 0
            for one, first in zip(borders, drawn):
                inside += [first.pixels.diff(dim=dim).abs().mean() for dim in (1, 2)]
                for other, second in zip(borders, drawn):
                    if one.sides[1] == other.sides[3]:
                        over.append((second.pixels[..., 0] - first.pixels[..., -1]).abs().mean())
                        pairs += 1
                    if one.sides[2] == other.sides[0]:
                        over.append((second.pixels[:, 0] - first.pixels[:, -1]).abs().mean())
                        pairs += 1
            print(
                f"{name}, by {by}: 16 tiles in {seconds:.0f} s, {pairs} pairs; steps over borders, as a multiple of"
                f" those inside: mean {float(torch.stack(over).mean() / torch.stack(inside).mean()):.3f}, largest"
                f" {float(torch.stack(over).max() / torch.stack(inside).mean()):.3f}"
            )


def cost(engine: str) -> None:
    """Time and memory of a picture by the number of channels, each in a process of its own."""
    for count in (1, 3, 8, 16, 64):
        subprocess.run([sys.executable, __file__, "channels", "--channels", str(count), "--engine", engine], check=True)


def channels(count: int, engine: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, stacked(count).astype(np.uint8))
        model = unica.open(path, engine=engine)
        unica.sample(model, output="maps")
        began = time.perf_counter()
        for seed in range(1, 4):
            unica.sample(model, seed=seed, output="maps")
        seconds = (time.perf_counter() - began) / 3
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{count:3} channels: {seconds:.2f} s a picture, {memory:.0f} MB")


if __name__ == "__main__":
    main()
