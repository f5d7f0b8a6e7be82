"""How many things a command does at a time, and where: the options of every command that does many."""

from typing import Annotated

from unica.declare import Param, Text, Whole
from unica.fleet import MOST_WORKERS, check_address


class _Address(Text):
    """The address of a Ray cluster."""

    def parse(self, name: str, text: str) -> str:
        return check_address(name, text)


NAMES = ("workers", "ray")

Workers = Annotated[
    int | None,
    Param(
        "How many are made at a time, in processes that share the cores (default: 1; with --ray, one for each core of"
        " the cluster). Each has fewer threads, so what a trained network draws may differ in the last bits.",
        Whole(1, MOST_WORKERS),
        advanced=True,
        recorded=False,
    ),
]
Ray = Annotated[
    str | None,
    Param(
        "Make them on a Ray cluster: auto is the one that this machine belongs to, HOST:PORT is its head's address, and"
        " here starts one on this machine. All its machines must see the same files.",
        _Address("auto|here|HOST:PORT"),
        advanced=True,
        recorded=False,
    ),
]
