"""Pictures in and out: files and Pillow images on one side, tensors in [-1, 1] on the other.

No other part of unica touches Pillow.
"""

from unica.image.colour import match_colours
from unica.image.convert import to_array, to_pil
from unica.image.noise import noise_level, without_noise
from unica.image.picture import LARGEST, Picture
from unica.image.reading import SUFFIXES, load, read_header, read_text
from unica.image.resizing import Resampling, resize, shrink
from unica.image.sheet import contact_sheet
from unica.image.writing import (
    ANIMATED,
    STILL,
    animation_bytes,
    check_ending,
    data_uri,
    picture_bytes,
    png16_bytes,
    png_bytes,
    preview_bytes,
    save_animation,
    save_png,
)

__all__ = [
    "ANIMATED",
    "LARGEST",
    "STILL",
    "SUFFIXES",
    "Picture",
    "Resampling",
    "animation_bytes",
    "check_ending",
    "contact_sheet",
    "data_uri",
    "load",
    "match_colours",
    "noise_level",
    "picture_bytes",
    "png16_bytes",
    "png_bytes",
    "preview_bytes",
    "read_header",
    "read_text",
    "resize",
    "save_animation",
    "save_png",
    "shrink",
    "to_array",
    "to_pil",
    "without_noise",
]
