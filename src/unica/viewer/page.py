"""The page of one picture: what is answered to each path. It knows no server."""

from __future__ import annotations

import json
import re
import traceback
from pathlib import Path
from typing import NamedTuple

from unica.errors import UnicaError
from unica.viewer.library import openseadragon
from unica.viewer.sources import TileSource
from unica.viewer.tiles import Gone, Tiles, Wanted

_FOLDER = Path(__file__).parent / "page"
_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
    "jpg": "image/jpeg",
    "png": "image/png",
}
_FILES = ("index.html", "viewer.css", "viewer.js", "icon.svg")
_TILE = re.compile(r"tiles/([0-9]{1,2})/([0-9]{1,10})_([0-9]{1,10})\.(jpg|png)")


class Answer(NamedTuple):
    """What a browser gets."""

    body: bytes
    kind: str
    status: int = 200


class Page:
    """A page with one picture. Its addresses are relative, so it may lie anywhere on a server.

    Without `fetch`, nothing is downloaded: the page says so if its program is not there.
    """

    def __init__(self, source: TileSource, name: str, fetch: bool = True) -> None:
        self.source, self.name, self._fetch = source, name, fetch
        self._tiles = Tiles(source)

    def answer(self, path: str, wanted: Wanted = lambda: True) -> Answer:
        """The answer to a path below the page's own. Raises `Gone` if the browser does not wait any more."""
        try:
            return self._found(path, wanted) or refusal(404, "there is nothing here")
        except UnicaError as error:
            return refusal(500, str(error))
        except MemoryError:
            return refusal(500, "there is not enough memory for this part of the picture")
        except OSError:
            return refusal(500, "this part of the picture cannot be read")
        except Gone:
            raise
        except Exception as error:
            traceback.print_exc()
            return refusal(500, f"unica failed ({type(error).__name__}): this is a fault of unica, not yours")

    def close(self) -> None:
        """End its threads."""
        self._tiles.close()

    def _found(self, path: str, wanted: Wanted) -> Answer | None:
        path = path or "index.html"
        if path in _FILES:
            return Answer((_FOLDER / path).read_bytes(), _kind(path))
        if path == "openseadragon.js":
            return Answer(openseadragon(self._fetch), _KINDS["js"])
        if path == "picture.json":
            return Answer(json.dumps(self._facts()).encode(), _KINDS["json"])
        asked = _TILE.fullmatch(path)
        if asked is None:
            return None
        level, column, row = map(int, asked.groups()[:3])
        if not self.source.levels.has(level, row, column) or asked[4] != self._tiles.kind(level):
            return None
        return Answer(self._tiles.get(level, row, column, wanted), _KINDS[asked[4]])

    def _facts(self) -> dict[str, object]:
        """What the page must know of the picture."""
        levels = self.source.levels
        return {
            "name": self.name,
            "width": levels.size[0],
            "height": levels.size[1],
            "tile": levels.tile,
            "first": levels.first,
            "kinds": [self._tiles.kind(level) for level in range(levels.last + 1)],
            "transparent": self.source.channels in (2, 4),
            "drawn": self.source.drawn,
        }


def refusal(status: int, sentence: str) -> Answer:
    """An answer that says what was wrong."""
    return Answer(json.dumps({"error": sentence}).encode(), _KINDS["json"], status)


def _kind(name: str) -> str:
    return _KINDS[name.rpartition(".")[2]]
