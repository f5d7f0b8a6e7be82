"""Pictures too large for memory, as tiles at several sizes: OME-Zarr, DeepZoom and TIFF.

Any process may write any tile at any time. When all are there, `finish` makes the picture. This module imports nothing:
help needs the endings, and must not wait for numpy.
"""

ENDINGS = (".zarr", ".dzi", ".tif", ".tiff")
