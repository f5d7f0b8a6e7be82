"""Who may ask for what: the one door through which every request goes.

Only the paths below exist; Gradio has more, which nobody needs here. A request must name this machine (else a page of
another site could reach a studio on loopback under a name of its own), must not come from a page of another site, and
beyond loopback must know the secret. Nothing that it says is an address to fetch something from.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from unica.viewer.safety import HEADERS, LOCAL, host_name

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

COOKIE, KEY = "unica_session", "unica_key"  # who one is; and, beyond loopback, that one may
LARGEST_BODY = 2**20  # bytes of a request that is not an upload
_WITH_PICTURES = {"/mcp": 2**25}  # where a request may have a picture inside
_UPLOADS = ("/studio/uploads", "/studio/masks", "/gradio_api/upload")
_OURS = re.compile(r"/|/mcp|/page/[\w.-]+|/studio/[\w/.,()+ -]+")
_GRADIO = re.compile(
    r"/config|/gradio_api/(info|upload|queue/(join|data)|startup-events|call/[\w/-]+|file=.+|cancel|reset|heartbeat/\w+)"
)
_STARTED = "/gradio_api/startup-events"  # Gradio asks itself for it, to see that it runs
_JSON = re.compile(r"/gradio_api/(queue/join|call/.+)|/studio/.+|/mcp")


@dataclass(frozen=True)
class Access:
    """Who may use the studio: everybody on this machine; beyond it, whoever has the token, or the user's password."""

    local: bool = True
    token: str = ""
    user: str = ""

    def allows(self, headers: Mapping[str, str], query: Mapping[str, list[str]], cookies: Mapping[str, str]) -> bool:
        if self.local:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if self.user:
            try:
                words = base64.b64decode(given).decode() if kind.lower() == "basic" else ""
            except ValueError:
                words = ""
            return _same(words, f"{self.user}:{self.token}")
        offered = [given if kind.lower() == "bearer" else "", *query.get("token", []), cookies.get(KEY, "")]
        return any(_same(one, self.token) for one in offered)


class Guard:
    """The middleware: refuses in one sentence, and gives every answer its headers."""

    def __init__(self, app: Any, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self.app(scope, receive, send) if scope["type"] == "lifespan" else _closed(send))
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query, cookies = parse_qs(scope["query_string"].decode("latin-1")), _cookies(headers.get("cookie", ""))
        refused = self._refused(scope, headers, query, cookies)
        if refused is None:
            refused, receive = await _checked(scope, headers, receive)
        secret = cookies.get(COOKIE) or secrets.token_urlsafe(24)
        scope["unica_session"] = secret
        new = [] if COOKIE in cookies else [f"{COOKIE}={secret}"]
        if self.access.token and not self.access.local and "token" in query:
            new.append(f"{KEY}={self.access.token}")

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in given]
                if scope["path"] == "/" and refused is None:
                    facts = "; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
                    more += [(b"set-cookie", f"{cookie}{facts}".encode()) for cookie in new]
                kept = [(name, value) for name, value in message["headers"] if name.lower() != b"server"]
                message = {**message, "headers": [*kept, *more]}
            await send(message)

        await (self.app(scope, receive, sending) if refused is None else _answer(refused, sending, self.access))

    def _refused(
        self, scope: Scope, headers: Mapping[str, str], query: Mapping[str, list[str]], cookies: Mapping[str, str]
    ) -> tuple[int, str] | None:
        path, host = scope["path"], headers.get("host", "")
        if not (_OURS.fullmatch(path) or _GRADIO.fullmatch(path)) or ".." in path.split("/"):
            return 404, "there is nothing here"
        if self.access.local and host_name(host) not in LOCAL:
            return 403, "this studio answers to localhost only"
        if path != _STARTED and not self.access.allows(headers, query, cookies):
            return 401, "this studio asks for its token, or for a user and a password"
        site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if scope["method"] not in ("GET", "HEAD") and (foreign or site not in ("none", "same-origin")):
            return 403, "pages of other sites may not ask this"
        most = int(headers["content-length"]) if headers.get("content-length", "").isdigit() else None
        if scope["method"] == "POST" and path not in _UPLOADS and most is not None and most > _most(path):
            return 413, "that is too long"
        return None


async def _checked(
    scope: Scope, headers: Mapping[str, str], receive: Receive
) -> tuple[tuple[int, str] | None, Receive]:
    """Read the body of a request that has JSON, and look for addresses of other machines in it."""
    if scope["method"] != "POST" or scope["path"] in _UPLOADS or not _JSON.fullmatch(scope["path"]):
        return None, receive
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _most(scope["path"]):
            return (413, "that is too long"), receive
    try:
        asked = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return (400, "this is not JSON"), receive
    if any(_remote(text, headers.get("host", "")) for text in _addresses(asked)):
        return (403, "the studio fetches nothing from other machines: upload the file"), receive
    sent = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return None, again


def _most(path: str) -> int:
    return _WITH_PICTURES.get(path, LARGEST_BODY)


def _addresses(asked: Any) -> Iterator[str]:
    """What stands for a file somewhere in a request."""
    stack = [asked]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            yield from (str(one[key]) for key in ("url", "path") if one.get(key))
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)


def _remote(text: str, host: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme or text.startswith("//")) and parts.netloc != host


async def _answer(refused: tuple[int, str], send: Send, access: Access) -> None:
    status, sentence = refused
    headers = [(b"content-type", b"application/json")]
    if status == 401 and access.user:
        headers.append((b"www-authenticate", b'Basic realm="unica studio"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": sentence}).encode()})


async def _closed(send: Send) -> None:
    await send({"type": "websocket.close", "code": 1008})


def _cookies(text: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(text).items()}
    except CookieError:
        return {}


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())
