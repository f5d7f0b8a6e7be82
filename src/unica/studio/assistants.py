"""Tools for assistants: the Model Context Protocol over HTTP, with a tool for each task.

The schemas are those of `unica schema`. A result is the path of each file, what is known of it, and a thumbnail to look
at. Assistants name pictures; they cannot make the studio read a file of their choice.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import queue
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

import unica
from unica.declare import File, object_schema
from unica.errors import UnicaError
from unica.jobs.options import Refused
from unica.studio.forms import options_of_form
from unica.studio.store import Record, Session
from unica.studio.studio import Studio
from unica.tasks import Task, tasks

PATH = "/mcp"
_VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")  # of the protocol, the newest first
_SESSION = "mcp-session-id"
_AT_ONCE = 32  # requests that wait for a job; they must not take the threads that pages need
_PICTURE = (
    "A picture: a name from list_pictures, the path of an earlier result, or a data: address with the file in base64."
)
_LIST = {
    "name": "list_pictures",
    "description": "List the pictures and models that tasks can begin with.",
    "inputSchema": {"type": "object", "properties": {}},
}
_UNKNOWN, _WRONG = -32601, -32602  # codes of JSON-RPC


def routes(studio: Studio) -> APIRouter:
    """The one route of the protocol."""
    router, waiting = APIRouter(), CapacityLimiter(_AT_ONCE)

    @router.post(PATH)
    async def answer(request: Request) -> Response:
        asked = await request.json()
        if not isinstance(asked, dict):
            return JSONResponse({"error": "one request at a time"}, 400)
        if "id" not in asked:  # a notification
            return Response(status_code=202)
        name = request.headers.get(_SESSION) or secrets.token_urlsafe(24)
        answering = partial(_answer, studio, f"assistant {name}", asked)
        said = await to_thread.run_sync(answering, limiter=waiting)
        headers = {_SESSION: name} if asked.get("method") == "initialize" else {}
        return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], **said}, headers=headers)

    return router


def _answer(studio: Studio, secret: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    method, given = asked.get("method"), asked.get("params") or {}
    if method == "initialize":
        wanted = given.get("protocolVersion")
        return {
            "result": {
                "protocolVersion": wanted if wanted in _VERSIONS else _VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "unica", "version": unica.__version__},
                "instructions": "Draw new pictures from one picture. Begin with list_pictures.",
            }
        }
    if method == "ping":
        return {"result": {}}
    if method == "tools/list":
        return {"result": {"tools": [_LIST, *(_tool(task) for task in tasks().values() if task.group is not None)]}}
    if method == "tools/call":
        return _call(studio, studio.store.session(secret), given)
    return {"error": {"code": _UNKNOWN, "message": f"there is no method {method}"}}


def _tool(task: Task) -> dict[str, Any]:
    """A task as a tool: its settings, and files as texts that name them."""
    options = {option.name: option for option in options_of_form(task)}
    schema = object_schema([option.parameter for option in options.values()])
    for name, option in options.items():
        if isinstance(option.parameter.kind, File):
            schema["properties"][name] = {"type": "string", "description": f"{option.parameter.about.help} {_PICTURE}"}
    schema["properties"] = {"source": {"type": "string", "description": _PICTURE}, **schema["properties"]}
    return {
        "name": task.name,
        "description": task.description,
        "inputSchema": {**schema, "required": ["source", *schema["required"]]},
    }


def _call(studio: Studio, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
    name, values = given.get("name"), dict(given.get("arguments") or {})
    known = {task.name: task for task in tasks().values() if task.group is not None}
    if name == _LIST["name"]:
        return _said({"pictures": sorted(_named(studio, session))})
    if name not in known:
        return {"error": {"code": _WRONG, "message": f"there is no tool {name}"}}
    try:
        source = _picture(studio, session, values.pop("source", None))
        for option in options_of_form(known[name]):
            if isinstance(option.parameter.kind, File) and values.get(option.name):
                values[option.name] = _picture(studio, session, values[option.name])
        record = _done(studio, session, {"task": name, "source": source, "values": values})
    except UnicaError as error:
        sentence = "; ".join(error.sentences.values()) if isinstance(error, Refused) else str(error)
        return _said(sentence, wrong=True)
    kept = ("seed", "size", "seconds", "command", "maps")
    files = [
        {"path": str(record.path(one["path"])), **{key: one[key] for key in kept}} for one in record.about["pictures"]
    ]
    thumbs = [_thumbnail(record, one["thumb"]) for one in record.about["pictures"]]
    return _said({"files": files}, thumbs)


def _done(studio: Studio, session: Session, asked: Mapping[str, Any]) -> Record:
    """Submit a job and wait until it is over."""
    happened: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    stop = studio.listen(session, happened.put)
    try:
        record = studio.submit(session, asked)
        while record.about["state"] in ("waiting", "running"):
            happened.get()
    finally:
        stop()
    if record.about["state"] != "done":
        raise UnicaError(record.about.get("error", "the job was cancelled"))
    return record


def _named(studio: Studio, session: Session) -> dict[str, Any]:
    """What an assistant can name: pictures and models by the names of their files, results by their paths."""
    found: dict[str, Any] = {}
    for record in [*studio.store.shared.records.values(), *session.records.values()]:
        if record.kind in ("picture", "model", "example"):
            found[record.about["file"]] = record.id
        for picture in record.about.get("pictures", []):
            found[str(record.folder / picture["path"])] = {"record": record.id, "file": picture["path"]}
    return found


def _picture(studio: Studio, session: Session, text: Any) -> Any:
    """The picture that an assistant names, or brings."""
    if not isinstance(text, str) or not text:
        raise Refused({"source": "name a picture: list_pictures tells which there are"})
    if text.startswith("data:"):
        try:
            data = base64.b64decode(text.partition(",")[2], validate=True)
        except binascii.Error:
            raise UnicaError("a data: address has its file in base64") from None
        return studio.upload(session, "picture.png", io.BytesIO(data)).id
    found = _named(studio, session)
    if text not in found:
        raise UnicaError(f"there is no picture {text[:80]} here: list_pictures tells which there are")
    return found[text]


def _thumbnail(record: Record, name: str) -> dict[str, str]:
    data = base64.b64encode(record.path(name).read_bytes()).decode()
    return {"type": "image", "data": data, "mimeType": "image/webp"}


def _said(what: Any, more: list[dict[str, str]] | None = None, wrong: bool = False) -> dict[str, Any]:
    text = what if isinstance(what, str) else json.dumps(what)
    return {"result": {"content": [{"type": "text", "text": text}, *(more or [])], "isError": wrong}}
