"""Pictures in and out: files and Pillow images on one side, tensors in [-1, 1] on the other.

No other part of unica touches Pillow.
"""

from unica.image.colour import match_histogram
from unica.image.convert import to_pil
from unica.image.picture import Picture
from unica.image.reading import SUFFIXES, load, read_text
from unica.image.resizing import Resampling, resize, shrink
from unica.image.sheet import contact_sheet
from unica.image.writing import ANIMATED, data_uri, save_animation, save_png, save_rgb16

__all__ = [
    "ANIMATED",
    "SUFFIXES",
    "Picture",
    "Resampling",
    "contact_sheet",
    "data_uri",
    "load",
    "match_histogram",
    "read_text",
    "resize",
    "save_animation",
    "save_png",
    "save_rgb16",
    "shrink",
    "to_pil",
]
