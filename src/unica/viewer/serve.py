"""A server for one page: on this machine only, and nothing but the page's own paths."""

from __future__ import annotations

import select
import socket
import socketserver
import sys
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from unica.errors import UnicaError, reason
from unica.viewer.page import Answer, Page, refusal
from unica.viewer.safety import HEADERS, LOCAL, host_name
from unica.viewer.tiles import Gone

HOST = "127.0.0.1"
_IDLE = 60.0  # seconds after which a connection that says nothing is closed


class Server(ThreadingHTTPServer):
    """Serves a page. Port 0 takes any that is free."""

    daemon_threads = True
    request_queue_size = 64
    # On Windows, reuse would let two servers share a port.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, page: Page, port: int = 0) -> None:
        self.page = page
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UnicaError(f"{HOST}:{port} cannot be used: {reason(error)}; name another with --port") from None
        self.url = f"http://{HOST}:{self.server_port}/"

    def server_bind(self) -> None:
        """Without asking for the name of this machine, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers close connections at any time, which is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if host_name(self.headers.get("host", "")) not in LOCAL:
            self._send(refusal(403, "this page answers to localhost only"))
            return
        path = self.path.partition("?")[0]
        try:
            found = self.server.page.answer(path[1:], self._wanted) if path.startswith("/") else None
        except Gone:
            self.close_connection = True
            return
        self._send(found or refusal(404, "there is nothing here"))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no proper GET is refused in a sentence, too."""
        self.close_connection, self.request_version = True, self.protocol_version
        self._send(refusal(405 if code == 501 else code, "only GET is answered" if code == 501 else "bad request"))

    def version_string(self) -> str:
        return "unica"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _send(self, answer: Answer) -> None:
        headers = getattr(self, "headers", None) or {}
        if "content-length" in headers or "transfer-encoding" in headers:
            self.close_connection = True  # a body that nobody reads would be taken for the next request
        self.send_response(answer.status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("cache-control", "no-store")
        self.send_header("content-type", answer.kind)
        self.send_header("content-length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def _wanted(self) -> bool:
        """Whether the browser still waits: one that is gone has closed the connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return not readable or self.connection.recv(1, socket.MSG_PEEK) != b""
        except (OSError, ValueError):
            return False


def serve(page: Page, port: int, open_page: bool, say: Callable[[str], None]) -> None:
    """Serve a page until it is interrupted."""
    with Server(page, port) as server:
        say(f"{page.name} is at {server.url} (Ctrl-C ends it)")
        if open_page:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        finally:
            page.close()
