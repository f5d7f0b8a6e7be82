"""Pictures in and out: files and Pillow images on one side, tensors in [-1, 1] on the other.

No other part of unica touches Pillow.
"""

from unica.image.colour import match_colours
from unica.image.convert import to_array, to_pil
from unica.image.maps import (
    KINDS,
    MOST_CHANNELS,
    Kind,
    Map,
    check_channels,
    codes,
    parts,
    preview,
    settled,
    signs,
    smooth,
    with_amplitudes,
)
from unica.image.noise import noise_level, without_noise
from unica.image.picture import LARGEST, Picture
from unica.image.reading import SMALLEST, SUFFIXES, Header, fitted_size, load, read_header, read_levels, read_text
from unica.image.resizing import Resampling, resize, shrink
from unica.image.sheet import contact_sheet
from unica.image.video import VIDEOS, video_frames
from unica.image.writing import (
    ANIMATED,
    STILL,
    animation_bytes,
    check_animation,
    check_ending,
    data_uri,
    levels_png_bytes,
    picture_bytes,
    png16_bytes,
    png_bytes,
    preview_bytes,
    save_animation,
    save_png,
)

__all__ = [
    "ANIMATED",
    "KINDS",
    "LARGEST",
    "MOST_CHANNELS",
    "SMALLEST",
    "STILL",
    "SUFFIXES",
    "VIDEOS",
    "Header",
    "Kind",
    "Map",
    "Picture",
    "Resampling",
    "animation_bytes",
    "check_animation",
    "check_channels",
    "check_ending",
    "codes",
    "contact_sheet",
    "data_uri",
    "fitted_size",
    "levels_png_bytes",
    "load",
    "match_colours",
    "noise_level",
    "parts",
    "picture_bytes",
    "png16_bytes",
    "png_bytes",
    "preview",
    "preview_bytes",
    "read_header",
    "read_levels",
    "read_text",
    "resize",
    "save_animation",
    "save_png",
    "settled",
    "shrink",
    "signs",
    "smooth",
    "to_array",
    "to_pil",
    "video_frames",
    "with_amplitudes",
    "without_noise",
]
