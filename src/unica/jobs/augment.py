"""New pairs of pictures and label masks from pairs of a folder, to train other networks with. A pair is a job."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from unica.errors import UnicaError, listed, reason
from unica.files import check_folder, whole_file, write_text
from unica.fleet import Job, stream

IMAGES, MASKS, ORIGINS, MANIFEST = "images", "masks", "origins", "manifest.jsonl"
_SETTINGS = "settings.json"
_COLOR, _LABELS = "color", "labels"  # the names of the two maps


class Pair(NamedTuple):
    """A picture, and the labels of its pixels."""

    name: str
    image: Path
    mask: Path


def pairs_in(images: Path, masks: Path) -> list[Pair]:
    """The pictures of a folder, each with the mask of the same name in another; it may end in _mask, or the like."""
    pictures, labels = _named(images), _named(masks)
    lonely = [str(pictures[name]) for name in pictures if name not in labels]
    if lonely:
        raise UnicaError(f"{masks} has no mask for {listed(lonely[:4])}: its name should be that of the picture")
    return [Pair(name, path, labels[name]) for name, path in pictures.items()]


def _named(folder: Path) -> dict[str, Path]:
    """The files of a folder by their names, without what says which map they are."""
    from unica.maps import MAP_SUFFIXES, without_meaning

    if not folder.is_dir():
        raise UnicaError(f"{folder} is not a folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in MAP_SUFFIXES or path.name.startswith("."):
            continue
        name = without_meaning(path.stem)
        if name in found:
            raise UnicaError(f"{found[name]} and {path} would have results of the same name: rename one of them")
        found[name] = path
    if not found:
        raise UnicaError(f"there are no pictures in {folder}")
    return found


def augmented(
    pairs: Sequence[Pair], output: Path, workers: int | None, ray: str | None, overwrite: bool, **settings: Any
) -> Generator[tuple[Pair, list[dict[str, Any]] | str], None, None]:
    """Draw pairs from each pair. Yields each with what the manifest says of its results, or with what is wrong.

    What is there already is kept, if these settings made it. The settings are those of `draw_pairs`.
    """
    for folder in (output, *(output / name for name in (IMAGES, MASKS, ORIGINS))):
        check_folder(folder)
    known = output / _SETTINGS
    said = json.dumps({key: value for key, value in settings.items() if key not in ("count", "seed")}, sort_keys=True)
    if not overwrite and known.exists() and known.read_text() != said:
        raise UnicaError(f"{output} was made with other settings: name another folder, or replace it with --overwrite")
    write_text(said, known)
    jobs = (
        Job(pair.name, f"{__name__}:draw_pairs", {
            "name": pair.name, "image": str(pair.image), "mask": str(pair.mask), "output": str(output),
            "overwrite": overwrite, **settings,
        })
        for pair in pairs
    )  # fmt: skip
    entries: dict[str, list[dict[str, Any]]] = {}
    with closing(stream(jobs, workers, ray)) as done:
        for one in done:
            pair = pairs[one.number]
            if not isinstance(one.result, str):
                entries[pair.name] = one.result
            yield pair, one.result
    lines = [json.dumps(entry) for pair in pairs for entry in entries.get(pair.name, [])]
    write_text("".join(f"{line}\n" for line in lines), output / MANIFEST)


def draw_pairs(description: Mapping[str, Any]) -> list[dict[str, Any]] | str:
    """Draw the pairs of a pair: the work of a job. Returns what the manifest says of each, or what is wrong."""
    try:
        return _draw_pairs(**description)
    except UnicaError as error:
        return str(error)
    except MemoryError:
        return "there is not enough memory"
    except OSError as error:
        return f"{error.filename or description['output']} cannot be written: {reason(error)}"


def _draw_pairs(
    name: str, image: str, mask: str, output: str, overwrite: bool, count: int, seed: int, engine: str | None,
    size: Sequence[int] | None, device: str, precision: str, max_side: int | None,
) -> list[dict[str, Any]]:  # fmt: skip
    import unica
    from unica.maps import Maps, map_files
    from unica.provenance import map_bytes as origin_bytes

    model, entries, folder = None, [], Path(output)
    for own in range(seed, seed + count):
        entry = _entry(name, image, mask, own, folder)
        paths = [folder / entry[kind] for kind in ("image", "mask", "origins") if kind in entry]
        if not overwrite and len(paths) == 3 and all(path.exists() for path in paths):
            entries.append(entry)
            continue
        if model is None:
            maps = Maps({_COLOR: image, _LABELS: mask}, kinds={_LABELS: "labels"})
            knobs: dict[str, Any] = {} if max_side is None else {"max_side": max_side}
            model = unica.open(maps, engine, device, precision, **knobs)
        first, labels = model.picture.maps
        *_, frame = unica.stream(unica.sample, model, size=None if size is None else tuple(size), seed=own)
        entry = {
            "image": f"{IMAGES}/{name}-{own}{first.suffix}", "mask": f"{MASKS}/{name}-{own}{labels.suffix}",
            "origins": f"{ORIGINS}/{name}-{own}.png", "seed": own, "source_image": image, "source_mask": mask,
        }  # fmt: skip
        assert frame.origins is not None
        text = {"Software": f"unica {unica.__version__}", "unica:seed": str(own), "unica:engine": model.engine}
        files = map_files(model.picture.maps, frame.maps, frame.alpha, text, first.suffix)
        for kind, data in (
            ("image", files[_COLOR][1]),
            ("mask", files[_LABELS][1]),
            ("origins", origin_bytes(frame.origins)),
        ):
            with whole_file(folder / entry[kind]) as file:
                file.write(data)
        entries.append(entry)
    return entries


def _entry(name: str, image: str, mask: str, seed: int, folder: Path) -> dict[str, Any]:
    """What the manifest says of a pair that is there already."""
    found: dict[str, Any] = {}
    for kind, place in (("image", IMAGES), ("mask", MASKS), ("origins", ORIGINS)):
        for path in (folder / place).glob(f"{escape(name)}-{seed}.*"):
            found[kind] = f"{place}/{path.name}"
    return {**found, "seed": seed, "source_image": image, "source_mask": mask}
