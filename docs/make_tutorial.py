"""Run the tutorial, and keep the pictures that it shows for its page.

    python docs/make_tutorial.py

The notebook is kept without results. A test runs it, and holds the names of the pictures to what it shows.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

NOTEBOOK = Path(__file__).parent / "tutorial.ipynb"
PICTURES = Path(__file__).parent / "images" / "tutorial"


def page() -> str:
    """The notebook as Markdown: its texts, its programs, and the pictures that they showed."""
    parts = []
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        shown = sorted(PICTURES.glob(f"{cell['id']}-*.jpg"))
        parts += [" ".join(f"![{path.stem}](images/{PICTURES.name}/{path.name})" for path in shown)] if shown else []
    return "\n\n".join(parts) + "\n"


def run(notebook: Any, folder: Path) -> dict[str, bytes]:
    """Run a notebook in a folder. The pictures that it shows, as PNGs, by their cell and their order in it."""
    from nbclient import NotebookClient

    done = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    shown = {}
    for cell in done.cells:
        pngs = [output["data"].get("image/png") for output in cell.get("outputs", []) if "data" in output]
        shown |= {f"{cell['id']}-{n}": base64.b64decode(png) for n, png in enumerate(filter(None, pngs))}
    return shown


def main() -> None:
    import nbformat

    shown = run(nbformat.read(NOTEBOOK, as_version=4), NOTEBOOK.parent)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for name, png in shown.items():
        Image.open(io.BytesIO(png)).convert("RGB").save(PICTURES / f"{name}.jpg", quality=85)


if __name__ == "__main__":
    main()
