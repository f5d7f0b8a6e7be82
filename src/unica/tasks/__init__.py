"""What a user can do with a model. Each task is a thin composition of levels, a starting picture and guides."""

from unica.tasks.inpaint import inpaint
from unica.tasks.outpaint import outpaint
from unica.tasks.task import Frame, Task, stream
from unica.tasks.unconditional import sample

__all__ = ["Frame", "Task", "inpaint", "outpaint", "sample", "stream"]
