"""Pictures of many channels, and several maps of one thing that are drawn together."""

from unica.maps.files import MAP_SUFFIXES, WRITTEN, check_form, is_ordinary, read_header, read_text
from unica.maps.names import MAP_NAMES, in_folder, is_one_thing, meant_by, pictures_in, without_meaning
from unica.maps.source import Maps, load_content, load_source, picture_of_numbers
from unica.maps.writing import copied, is_one_file, map_files, numbers, working_range

__all__ = [
    "MAP_NAMES",
    "MAP_SUFFIXES",
    "WRITTEN",
    "Maps",
    "check_form",
    "copied",
    "in_folder",
    "is_one_file",
    "is_one_thing",
    "is_ordinary",
    "load_content",
    "load_source",
    "map_files",
    "meant_by",
    "numbers",
    "picture_of_numbers",
    "pictures_in",
    "read_header",
    "read_text",
    "without_meaning",
    "working_range",
]
