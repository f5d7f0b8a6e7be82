"""What a user can do with a model. Each task is a thin composition of levels, a starting picture and guides."""

from unica.tasks.harmonize import harmonize
from unica.tasks.inpaint import inpaint
from unica.tasks.outpaint import outpaint
from unica.tasks.paint import paint
from unica.tasks.region import region
from unica.tasks.style import analogy, style
from unica.tasks.task import Frame, Task, stream
from unica.tasks.unconditional import sample

__all__ = [
    "Frame",
    "Task",
    "analogy",
    "harmonize",
    "inpaint",
    "outpaint",
    "paint",
    "region",
    "sample",
    "stream",
    "style",
]
