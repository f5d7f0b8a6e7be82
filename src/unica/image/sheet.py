"""Many pictures on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

from PIL import Image

from unica.image.convert import eight_bits


def contact_sheet(pictures: Sequence[Image.Image | None], columns: int | None = None, gap: int = 4) -> Image.Image:
    """All pictures on one sheet, row by row. Each is centred in a cell as large as the largest; None leaves one free.

    The sheet is white RGB, or transparent RGBA where one of the pictures has an alpha channel.
    """
    if not any(pictures) or (columns is not None and columns < 1):
        raise ValueError("a contact sheet needs at least one picture and one column")
    columns = min(columns or ceil(sqrt(len(pictures))), len(pictures))
    rows = ceil(len(pictures) / columns)
    there = [picture for picture in pictures if picture is not None]
    width, height = (max(picture.size[side] for picture in there) for side in (0, 1))
    mode = "RGBA" if len(there) < len(pictures) or any("A" in picture.getbands() for picture in there) else "RGB"
    sheet = Image.new(mode, (columns * (width + gap) - gap, rows * (height + gap) - gap), (255, 255, 255, 0))
    for index, picture in enumerate(pictures):
        if picture is None:
            continue
        row, column = divmod(index, columns)
        left = column * (width + gap) + (width - picture.width) // 2
        top = row * (height + gap) + (height - picture.height) // 2
        shown = Image.fromarray(eight_bits(picture)) if picture.mode[0] == "I" else picture
        sheet.paste(shown.convert(mode), (left, top))
    return sheet
