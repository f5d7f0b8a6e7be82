"""Which map a file holds, by the names that libraries of materials give to their files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from unica.errors import UnicaError, listed
from unica.image import Kind
from unica.maps.files import MAP_SUFFIXES

# Names as they stand at the end of a file's name, and the map that they mean. The first are unica's own.
_NAMES = {
    "color": "color colour albedo basecolor base_color diffuse diff col image images photo",
    "normal": "normal normals normalmap normalgl normaldx normal_gl normal_dx nor nor_gl nor_dx nrm",
    "height": "height heightmap displacement disp bump depth elevation",
    "roughness": "roughness rough rgh",
    "gloss": "gloss glossiness smoothness",
    "metallic": "metallic metalness metal",
    "ao": "ao ambientocclusion ambient_occlusion occlusion occ",
    "specular": "specular spec",
    "emission": "emission emissive",
    "opacity": "opacity",
    "labels": "labels label mask masks seg segmentation classes",
}
MAP_NAMES = tuple(_NAMES)
_MEANT = {name: meant for meant, names in _NAMES.items() for name in names.split()}
_KINDS: dict[str, Kind] = {
    "color": "color", "specular": "color", "emission": "color", "normal": "normal", "labels": "labels",
}  # fmt: skip
_COMPONENTS = "RGBAXYZ"  # of colours and vectors, in this order
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+|[0-9]+")  # BaseColor is two words, and so is base_color
_DETAIL = re.compile(r"[-_ .]?(\d+k|\d+|jpg|png|exr|tif)$", re.IGNORECASE)  # such as the 4k of stones_normal_4k.png


def meant_by(name: str) -> str | None:
    """The map that a name ends in, such as "normal" for "Stones_NormalGL_2K"; None if it names none."""
    return _split(name)[1]


def without_meaning(name: str) -> str:
    """A name without the map that it ends in: "cell7" for "cell7_mask". A name that is nothing else stays."""
    rest, meant = _split(name)
    return rest if meant is not None and rest else name


def _split(name: str) -> tuple[str, str | None]:
    """A name in two: what the thing is called, and which of its maps it is."""
    for stem in (name, _DETAIL.sub("", name), _DETAIL.sub("", _DETAIL.sub("", name))):
        words = list(_WORD.finditer(stem))
        for count in (3, 2, 1):
            for glue in ("_", ""):
                last = [word.group().lower() for word in words[-count:]]
                meant = _MEANT.get(glue.join(last)) if len(words) >= count else None
                if meant is not None:
                    return stem[: words[-count].start()].rstrip("-_ ."), meant
    return name, None


def layers(names: Sequence[str]) -> dict[str, list[int]]:
    """The channels of each map in a file, by names such as "normal.X" or "mask". What names no map is of the first."""
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        found.setdefault(meant_by(name.rpartition(".")[0] or name) or MAP_NAMES[0], []).append(at)
    for channels in found.values():
        channels.sort(key=lambda at: _COMPONENTS.find(component(names[at]).upper()))
    return {name: found[name] for name in sorted(found, key=MAP_NAMES.index)}


def component(name: str) -> str:
    """What a channel is of its map: "X" for "normal.X"."""
    return name.rpartition(".")[2]


def kind_of(name: str, channels: int) -> Kind:
    """The kind of a map of this name."""
    meant = meant_by(name) or name
    if meant in _KINDS:
        return _KINDS[meant]
    return "color" if meant not in _NAMES and channels == 3 else "scalar"


def is_one_thing(folder: Path) -> bool:
    """Whether a folder holds maps of one thing, by the names of its files, and not several pictures.

    The names of maps of one thing differ only in the map that they name, as stones_color and stones_normal do. Any
    other file must begin like them, as the preview stones does.
    """
    parts = [_split(path.stem) for path in _files(folder)]
    names = {name.lower() for name, _ in parts} - {""}
    shortest = min(names, key=len, default="")
    bare = all(name == "" for name, meant in parts if meant is not None)  # maps that are called nothing but maps
    alike = bare or all(name.startswith(shortest) for name in names)
    return alike and len({meant for _, meant in parts} - {None}) > 1


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder, by name."""
    found = _files(folder)
    if not found:
        raise UnicaError(f"there are no pictures in {folder}")
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in MAP_SUFFIXES and path.name[0] != ".")


def in_folder(folder: Path) -> dict[str, Path]:
    """The maps in a folder, by name; that of colours is the first."""
    files = _files(folder)
    found: dict[str, Path] = {}
    for path in files:
        name = meant_by(path.stem)
        if name is None:
            continue
        if name in found:
            raise UnicaError(
                f"{folder} has two maps of the name {name}, {found[name].name} and {path.name}: name those that are"
                " meant, as in albedo.png --with normal=normal.png"
            )
        found[name] = path
    if not found:
        raise UnicaError(
            f"{folder} has no maps: their names should end in {listed([f'_{name}' for name in _NAMES])},"
            " or in another name that is common for one of them"
        )
    return {name: found[name] for name in sorted(found, key=list(_NAMES).index)}
