"""TIFFs of any number of channels, by tifffile: their axes, resolution and channel names are written again."""

from __future__ import annotations

import io
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from unica.errors import UnicaError
from unica.maps.planes import Planes, check_dtype, check_length

_CHANNEL_AXES = "CSQI"  # channels, samples of a pixel, and axes that have no name
_SOFTWARE = 305  # the tag that holds our text; the description belongs to other programs
_RESOLUTION = ("XResolution", "YResolution", "ResolutionUnit")


def read(path: Path) -> Planes:
    tifffile = _library()
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        check_length(math.prod(series.shape))
        array, axes = series.asarray(), _plain_axes(series.axes, series.shape)
        array = check_dtype(array.reshape([n for n, axis in zip(series.shape, series.axes) if axis in axes]))
        page = file.pages[0]
        facts: dict[str, Any] = {
            "axes": axes,
            "resolution": [_fraction(page.tags[name].value) for name in _RESOLUTION if name in page.tags],
            "style": "imagej" if file.is_imagej else "ome" if file.is_ome else "plain",
            "alpha": bool(page.extrasamples) and int(page.extrasamples[-1]) in (1, 2),
            "colour": int(page.photometric) == 2,
        }
        names = _names(file, page)
        spacing = (file.imagej_metadata or {}).get("spacing"), (file.imagej_metadata or {}).get("unit")
        facts |= {key: value for key, value in zip(("spacing", "unit"), spacing) if value is not None}
    channels = next((axis for axis in axes if axis not in "YX"), None)
    values = array[..., None] if channels is None else np.moveaxis(array, axes.index(channels), -1)
    if axes.replace(channels or "", "") == "XY":
        values = values.swapaxes(0, 1)
    names = names if len(names) == values.shape[2] else ()
    return Planes(np.ascontiguousarray(values), names, {k: v for k, v in facts.items() if v not in ([], False)})


def encoded(planes: Planes, text: Mapping[str, str]) -> bytes:
    """What a file with these numbers and this text holds."""
    tifffile, facts, values, buffer = _library(), planes.facts, planes.values, io.BytesIO()
    count, axes = values.shape[2], str(facts.get("axes", "CYX" if values.shape[2] not in (1, 3, 4) else "YXS"))
    channels = next((axis for axis in axes if axis not in "YX"), None)
    if channels is None and count > 1:
        channels, axes = "C", "CYX"
    array = values[..., 0] if channels is None else np.moveaxis(values, -1, axes.index(channels))
    style, names = facts.get("style", "plain"), list(planes.names)
    colour = bool(facts.get("colour")) and count in (3, 4)
    options: dict[str, Any] = {
        "photometric": "rgb" if colour else "minisblack",
        "software": "unica " + json.dumps(dict(text)),
        "metadata": {"axes": axes},
    }
    if colour and axes.startswith(str(channels)):
        options["planarconfig"] = "separate"
    if (colour or facts.get("alpha")) and count == (4 if colour else 2):
        options["extrasamples"] = ["unassalpha"]
    if len(facts.get("resolution", ())) >= 2:
        options["resolution"] = tuple(tuple(one) for one in facts["resolution"][:2])
        options["resolutionunit"] = int(facts["resolution"][2]) if len(facts["resolution"]) > 2 else 1
    if style == "imagej":
        options["imagej"] = True
        options["metadata"] |= {key: facts[key] for key in ("spacing", "unit") if key in facts}
        options["metadata"] |= {"Labels": names} if names else {}
    else:
        options["compression"] = "zlib"
        if style == "ome":
            options["ome"] = True
            options["metadata"] |= {"Channel": {"Name": names}} if names else {}
        elif names:
            options["metadata"] |= {"channels": names}
    tifffile.imwrite(buffer, np.ascontiguousarray(array), **options)
    return buffer.getvalue()


def read_text(path: Path) -> dict[str, str]:
    tifffile = _library()
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags.get(_SOFTWARE)
    said = tag.value if tag is not None and isinstance(tag.value, str) else ""
    if not said.startswith("unica "):
        return {}
    try:
        found = json.loads(said.removeprefix("unica "))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def is_ordinary(path: Path) -> bool:
    """Whether a TIFF is a picture of 8 bits, gray or in colours, or one in colours of 16 bits."""
    tifffile = _library()
    with tifffile.TiffFile(path) as file:
        page, series = file.pages[0], file.series[0]
        alpha = bool(page.extrasamples) and len(page.extrasamples) == 1 and int(page.extrasamples[0]) in (1, 2)
        plain = page.samplesperpixel - alpha in (1, 3) and series.ndim <= 2 + (page.samplesperpixel > 1)
        colour = int(page.photometric) == 2
        return (
            plain and page.planarconfig == 1 and page.dtype in ((np.uint8, np.uint16) if colour else (np.uint8, bool))
        )


def _plain_axes(axes: str, shape: tuple[int, ...]) -> str:
    """The axes without those of one step; Y, X and at most one more, which is that of the channels."""
    kept = "".join(axis for axis, length in zip(axes, shape) if length > 1 or axis in "YX")
    more = kept.replace("Y", "", 1).replace("X", "", 1)
    if len(kept) - len(more) != 2 or len(more) > 1 or (more and more not in _CHANNEL_AXES):
        raise UnicaError(
            f"has the axes {axes} ({'x'.join(map(str, shape))}): only rows, columns and channels are drawn; save one"
            " plane and one time of it."
        )
    return kept


def _names(file: Any, page: Any) -> tuple[str, ...]:
    """The names of the channels, by the convention of the program that wrote the file."""
    if file.is_imagej and file.imagej_metadata:
        return tuple(map(str, file.imagej_metadata.get("Labels", ())))
    if file.is_ome and file.ome_metadata:
        root = ElementTree.fromstring(file.ome_metadata)
        found = [one.get("Name") for one in root.iter() if one.tag.endswith("}Channel")]
        return tuple(found) if all(found) else ()  # pyright: ignore[reportReturnType]
    shaped = (file.shaped_metadata or ({},))[0]
    if isinstance(shaped.get("channels"), list):
        return tuple(map(str, shaped["channels"]))
    named = [one.tags.get("PageName") for one in file.pages]
    return tuple(str(one.value) for one in named) if all(named) else ()


def _fraction(value: Any) -> Any:
    return [int(part) for part in value] if isinstance(value, tuple) else int(value)


def _library() -> Any:
    try:
        import tifffile
    except ImportError:
        raise UnicaError("needs tifffile to be read or written: pip install 'unica[maps]'") from None
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong with a file is said in a sentence
    return tifffile
