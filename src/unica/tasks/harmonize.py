"""A pasted object becomes part of the scene (SinDDM; SinGAN's harmonization)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from unica.declare import File, Group, Param, Whole
from unica.engines.base import Model
from unica.regions import Region
from unica.tasks.declare import BY_ENGINE, OTHERS, Count, Feather, Seed, strength, task

if TYPE_CHECKING:
    from unica.tasks.run import Frame


@task(OTHERS)
def harmonize(
    model: Model,
    content: Annotated[Any, Param("The scene with something pasted into it.", File())],
    where: Annotated[Region, Param("Where in the content something was pasted.", Group(Region, of_picture="content"))],
    strength: Annotated[float, strength(fallback=0.2)] = BY_ENGINE,
    dilate: Annotated[int, Param("Pixels around the mask that are drawn anew too.", Whole(0, 256))] = 7,
    feather: Feather = 5,
    count: Count = 1,
    seed: Seed = 0,
) -> "Iterator[Frame]":
    """Make what was pasted into a scene a part of it. The rest of the scene stays as it is."""
    from unica.masks import grown
    from unica.tasks.canvas import Canvas
    from unica.tasks.run import canvas_size
    from unica.tasks.strength import draw_from, read_content

    picture = read_content(model, content)
    canvas = Canvas.of_other(picture, model, grown(where.on(picture), dilate), feather)
    levels = model.run(canvas_size(model, picture.size)).levels
    return draw_from(model.with_small_patches(), canvas, levels, strength, count, seed)
