"""What a user can do with a model. Each task is a thin composition of levels, a starting picture and guides."""

from unica.tasks.animate import animate
from unica.tasks.edit import edit
from unica.tasks.harmonize import harmonize
from unica.tasks.inpaint import inpaint
from unica.tasks.mirror import mirror
from unica.tasks.outpaint import outpaint
from unica.tasks.paint import paint
from unica.tasks.region import region
from unica.tasks.sizes import objects, retarget, upscale
from unica.tasks.style import analogy, style
from unica.tasks.task import Frame, Task, stream
from unica.tasks.text import follow, text
from unica.tasks.tile import tile
from unica.tasks.unconditional import sample

__all__ = [
    "Frame",
    "Task",
    "analogy",
    "animate",
    "edit",
    "follow",
    "harmonize",
    "inpaint",
    "mirror",
    "objects",
    "outpaint",
    "paint",
    "region",
    "retarget",
    "sample",
    "stream",
    "style",
    "text",
    "tile",
    "upscale",
]
