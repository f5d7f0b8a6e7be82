"""Names that come from files of unknown origin, made safe."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 80  # characters
_KEPT = " -_.,+()"  # besides letters and digits of every script
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)  # device names of Windows


def safe_name(text: str) -> str:
    """The text as the name of a file on any system: no path, no hidden file, no option, nothing a terminal obeys."""
    kept = "".join(c if c in _KEPT or unicodedata.category(c)[0] in "LMN" else "_" for c in text[: 4 * _LONGEST])
    name = kept.lstrip(" .-")[:_LONGEST].rstrip(" .")
    return ("_" + name[1:] if _RESERVED.match(name) else name) or "picture"
