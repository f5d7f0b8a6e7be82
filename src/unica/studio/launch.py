"""Starting the studio: its folder, its workers, the server, and the way in."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unica import cache
from unica.errors import UnicaError, reason, whole
from unica.studio import DAYS, GIGABYTES, HOST, PORT
from unica.studio.guard import Access, Guard
from unica.studio.store import Store
from unica.studio.studio import LARGEST_FILE, Studio

_SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_NODE_SERVER": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_NUM_PORTS": "1",
}
_UPLOADS = "GRADIO_TEMP_DIR"
LOOPBACK = (HOST, "localhost", "::1")
_DAY = 86400.0


class Running:
    """A studio that is served."""

    def __init__(self, studio: Studio, server: Any, url: str, access: Access, uploads: str | None) -> None:
        self.studio, self.server, self.access, self._uploads = studio, server, access, uploads
        self.url = url if access.local or access.user else f"{url}?token={access.token}"

    def close(self) -> None:
        """End the workers and the server."""
        self.studio.close()
        self.server.get_blocks().close(verbose=False)
        if self._uploads is None:
            os.environ.pop(_UPLOADS, None)
        else:
            os.environ[_UPLOADS] = self._uploads


def start(
    shown: Path | None = None,
    host: str = HOST,
    port: int = PORT,
    auth: str | None = None,
    folder: Path | None = None,
    quota: float = GIGABYTES,
    days: float = DAYS,
    clips: Mapping[str, Path] | None = None,
    mcp: bool = False,
    workers: int | None = None,
) -> Running:
    """Serve a studio, and return at once. Port 0 takes any that is free."""
    access = _access(host, auth)
    port = _free(host, whole("port", port, 0, 65535))
    os.environ.update(_SETTINGS)
    try:
        from gradio import Server
    except ImportError:
        raise UnicaError("the studio needs Gradio: pip install 'unica[studio]'") from None
    store = Store(folder or cache.folder() / "studio", round(quota * 2**30), days * _DAY)
    uploads = os.environ.get(_UPLOADS)  # Gradio reads it at every request
    os.environ[_UPLOADS] = str(store.uploads)
    studio = Studio(store, workers, clips)
    try:
        if shown is not None:
            _share_first(studio, shown)
        threading.Thread(target=_share_examples, args=(studio,), daemon=True).start()
        return Running(studio, *_serve(Server, studio, access, host, port, mcp), access, uploads)
    except BaseException:
        studio.close()
        raise


def serve(shown: Path | None, open_page: bool, say: Callable[[str], None], **settings: Any) -> None:
    """Serve a studio until it is interrupted."""
    running = start(shown, **settings)
    say(f"the studio is at {running.url} (Ctrl-C ends it)")
    if open_page:
        webbrowser.open(running.url)
    try:
        threading.Event().wait()
    finally:
        running.close()


def _serve(server_of: Any, studio: Studio, access: Access, host: str, port: int, mcp: bool) -> tuple[Any, str]:
    from unica.studio import assistants
    from unica.studio.api import add_endpoints
    from unica.studio.routes import routes

    server = server_of(docs_url=None, redoc_url=None, openapi_url=None)
    server.include_router(routes(studio))
    if mcp:
        server.include_router(assistants.routes(studio))
    add_endpoints(server, studio)
    server.add_middleware(Guard, access=access)
    _, url, _ = server.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        show_error=True,
        share=False,
        mcp_server=False,
        max_file_size=LARGEST_FILE,
        enable_monitoring=False,
        ssr_mode=False,
        max_threads=80,
        _frontend=False,
    )
    return server, url


def _share_first(studio: Studio, path: Path) -> None:
    """Put what the studio was started with where every session sees it."""
    _forget(studio, "picture", "model")
    try:
        with open(path, "rb") as file:
            studio.upload(studio.store.shared, path.name, file)
    except OSError as error:
        raise UnicaError(f"{path} cannot be read: {reason(error)}") from None


def _share_examples(studio: Studio) -> None:
    """The same with the examples. Reading pictures needs torch, for which the page need not wait."""
    from unica.maps import in_folder

    _forget(studio, "example")
    pictures, materials = examples()
    for path in pictures:
        with open(path, "rb") as file:
            studio.upload(studio.store.shared, path.name, file, "example")
    for folder in materials:
        studio.keep_maps(studio.store.shared, in_folder(folder), "example")


def _forget(studio: Studio, *kinds: str) -> None:
    """Remove what an earlier studio shared."""
    shared = studio.store.shared
    for record in list(shared.records.values()):
        if record.kind in kinds:
            shared.remove(record)


def examples() -> tuple[list[Path], list[Path]]:
    """The example pictures, and folders of maps: those in the package, or in a checkout those of the repository."""
    inside, outside = Path(__file__).parent / "examples", Path(__file__).parents[3] / "examples"
    folder = inside if inside.is_dir() else outside
    pictures, materials = folder / "images", folder / "maps"
    if not pictures.is_dir() or not materials.is_dir():
        return [], []
    return (
        sorted(path for path in pictures.iterdir() if path.suffix in (".png", ".jpg")),
        sorted(path for path in materials.iterdir() if path.is_dir()),
    )


def _access(host: str, auth: str | None) -> Access:
    if auth is None:
        return Access() if host in LOOPBACK else Access(local=False, token=secrets.token_urlsafe(24))
    user, colon, file = auth.partition(":")
    if not (user and colon and file):
        raise UnicaError("auth is written as USER:FILE, where the file holds the password")
    try:
        password = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnicaError(f"{file} cannot be read: {reason(error)}") from None
    if len(password) < 8:
        raise UnicaError(f"the password in {file} is too short: at least 8 characters")
    return Access(local=False, token=password, user=user)


def _free(host: str, port: int) -> int:
    """The port, if it is free; for 0, one that is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return probe.getsockname()[1]
    except OSError as error:
        raise UnicaError(f"{host}:{port} cannot be used: {reason(error)}; name another with --port") from None
