"""Pictures too large for memory, as tiles at several sizes: OME-Zarr, DeepZoom and TIFF.

Any process may write any tile at any time. When all are there, `finish` makes the picture.
"""

from unica.tiled.base import TiledPicture, TileWriter, Tiling
from unica.tiled.coarser import halved, write_coarser, write_coarser_tile
from unica.tiled.formats import ENDINGS, open_tiled, writer
from unica.tiled.working import working_files, working_folder

__all__ = [
    "ENDINGS",
    "TileWriter",
    "TiledPicture",
    "Tiling",
    "halved",
    "open_tiled",
    "working_files",
    "working_folder",
    "write_coarser",
    "write_coarser_tile",
    "writer",
]
