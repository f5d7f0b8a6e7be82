"""Tiles as files for a browser, made by threads of their own. Coarse ones come first, and then the newest.

Coarse tiles are few and show the most. Who moves over a large picture asks for many tiles that are out of sight before
they are made, and what is asked for last is what is seen now. Nothing is made for a browser that is gone.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from itertools import count
from queue import PriorityQueue
from threading import Lock, Thread

from unica.viewer.sources import TileSource

_READERS = 4  # threads that read tiles; drawing has one, which uses all cores
_KEPT = 2**26  # bytes of finished tiles

Wanted = Callable[[], bool]
_Work = tuple["Future[bytes]", Callable[[], bytes], Wanted]


class Gone(Exception):
    """Nobody waits for this tile any more."""


class Desk:
    """Does one piece of work after the other in each of its threads: of lower rank first, then what came last."""

    def __init__(self, threads: int) -> None:
        # Rank, how early it came, and the work; the last is never compared.
        self._waiting: PriorityQueue[tuple[float, int, _Work | None]] = PriorityQueue()
        self._came = count()
        self._threads, self._closed, self._lock = threads, False, Lock()
        for _ in range(threads):
            Thread(target=self._work, daemon=True).start()

    def do(self, work: Callable[[], bytes], wanted: Wanted, rank: int = 0) -> bytes:
        """The result of a piece of work. Raises `Gone` if it is not wanted any more when its turn comes."""
        future: Future[bytes] = Future()
        with self._lock:
            if self._closed:
                raise Gone
            self._waiting.put((rank, -next(self._came), (future, work, wanted)))
        return future.result()

    def close(self) -> None:
        """End the threads when all that waits is done."""
        with self._lock:
            self._closed = True
            for _ in range(self._threads):
                self._waiting.put((math.inf, -next(self._came), None))

    def _work(self) -> None:
        while (asked := self._waiting.get()[2]) is not None:
            future, work, wanted = asked
            try:
                if not wanted():
                    raise Gone
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del future, work, wanted, asked


class Tiles:
    """The tiles of one source, as JPEG or PNG. Those that were made last are kept.

    At full size they are PNG, which shows each pixel as it is; and at any size where the picture is transparent.
    """

    def __init__(self, source: TileSource) -> None:
        self.source = source
        self._desk = Desk(1 if source.drawn else _READERS)
        self._kept: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._bytes, self._lock = 0, Lock()
        Thread(target=import_module, args=("unica.image.writing",), daemon=True).start()  # while the browser starts

    def kind(self, level: int) -> str:
        """The ending of a level's tiles."""
        return "png" if level == self.source.levels.last or self.source.channels in (2, 4) else "jpg"

    def get(self, level: int, row: int, column: int, wanted: Wanted = lambda: True) -> bytes:
        """The file of a tile. Raises `Gone` if nobody wants it any more."""
        address = level, row, column
        kept = self._find(address)
        return kept if kept is not None else self._desk.do(lambda: self._made(address), wanted, rank=level)

    def close(self) -> None:
        self._desk.close()

    def _made(self, address: tuple[int, int, int]) -> bytes:
        from unica.image.writing import tile_bytes

        kept = self._find(address)  # another request may have had it made while this one waited
        if kept is not None:
            return kept
        data = tile_bytes(self.source.pixels(*address), self.kind(address[0]))
        with self._lock:
            self._kept[address] = data
            self._bytes += len(data)
            while self._bytes > _KEPT and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return data

    def _find(self, address: tuple[int, int, int]) -> bytes | None:
        with self._lock:
            data = self._kept.get(address)
            if data is not None:
                self._kept.move_to_end(address)
            return data
