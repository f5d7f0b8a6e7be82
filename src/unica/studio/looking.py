"""Large results in the viewer: those that were looked at last are kept open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from unica.errors import UnicaError
from unica.viewer.page import Answer, Page, refusal
from unica.viewer.sources import source_of
from unica.viewer.tiles import Gone

_OPEN = 2  # pictures at a time, each of which may need a lot of memory


class Looking:
    """A page of the viewer for each picture. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[Path, int], Page] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, path: Path, below: str) -> Answer:
        """What the page of a picture answers to a path below its own."""
        try:
            found = self._page(path).answer(below)
        except UnicaError as error:
            found = refusal(404, str(error))
        except Gone:
            found = refusal(503, "other pictures were looked at meanwhile: load the page again")
        if found.status == 200:
            return found
        return found._replace(body=found.body.replace(f"{path.parent}/".encode(), b""))  # no folders of this machine

    def _page(self, path: Path) -> Page:
        with self._lock:  # also while one is opened, so that many questions at once open it once
            key = path, path.stat().st_mtime_ns
            page = self._pages.get(key)
            if page is None:
                page = self._pages[key] = Page(source_of(path), path.name, fetch=False)
            self._pages.move_to_end(key)
            while len(self._pages) > _OPEN:
                self._pages.popitem(last=False)[1].close()
            return page
