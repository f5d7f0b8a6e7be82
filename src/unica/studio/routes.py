"""What the page asks the studio for."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse

from unica.declare import Numbers
from unica.errors import UnicaError
from unica.jobs.options import Refused
from unica.studio import seen
from unica.studio.forms import forms
from unica.studio.looking import Looking
from unica.studio.store import Session
from unica.studio.studio import LARGEST_FILE, Studio
from unica.viewer.page import Answer, refusal

_PAGE = Path(__file__).parent / "page"
_SAFE = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # for files that users brought
_SHOWN = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "image/avif",
    "text/html",
    "image/svg+xml",
    "video/mp4",
    "video/webm",
)
_ALIVE = 15.0  # seconds after which a silent stream says that it is there

mimetypes.add_type("image/webp", ".webp")
mimetypes.add_type("text/javascript", ".js")


def routes(studio: Studio) -> APIRouter:
    """All routes of the page, on one studio."""
    router, looking = APIRouter(), Looking()

    def session_of(request: Request) -> Session:
        return studio.store.session(request.scope["unica_session"])

    async def doing(work: Callable[..., Any], *args: Any) -> Response:
        """The answer of a piece of work in a thread; what is wrong is said in its sentences."""
        try:
            result = await to_thread.run_sync(partial(work, *args))
        except UnicaError as error:
            sentences = error.sentences if isinstance(error, Refused) else {}
            return JSONResponse({"error": str(error), "fields": sentences}, 422)
        except OSError:
            return JSONResponse({"error": "the studio cannot write to its folder: the disk may be full"}, 507)
        return JSONResponse(result if isinstance(result, Mapping) else {"ok": True})

    async def body(request: Request) -> BufferedIOBase:
        """What is sent, on disk; a little more than the most is enough to refuse it."""
        data, size = tempfile.TemporaryFile(), 0  # noqa: SIM115
        async for chunk in request.stream():
            size += len(chunk)
            data.write(chunk)
            if size > LARGEST_FILE:
                break
        data.seek(0)
        return cast(BufferedIOBase, data)

    @router.get("/")
    async def index() -> Response:
        return FileResponse(_PAGE / "index.html", headers={"cache-control": "no-store"})

    @router.get("/page/{name}")
    async def page(name: str) -> Response:
        known = {path.name: path for path in _PAGE.iterdir()}
        if name not in known:
            return JSONResponse({"error": "there is nothing here"}, 404)
        return FileResponse(known[name], headers={"cache-control": "no-cache"})

    @router.get("/studio/forms")
    async def described() -> Response:
        return JSONResponse(forms())

    @router.get("/studio/state")
    async def state(request: Request) -> Response:
        return await doing(studio.state, session_of(request))

    @router.post("/studio/uploads")
    async def upload(request: Request, name: str = "", kind: str = "picture") -> Response:
        data = await body(request)
        kind = kind if kind in ("picture", "painting") else "picture"
        return await doing(lambda: studio.upload(session_of(request), name, data, kind).as_json())

    @router.post("/studio/masks")
    async def mask(request: Request, of: str = "") -> Response:
        data = await body(request)
        return await doing(lambda: studio.mask(session_of(request), of, data).as_json())

    @router.post("/studio/maps")
    async def join(request: Request) -> Response:
        maps = await request.json()
        return await doing(lambda: studio.join(session_of(request), maps).as_json())

    @router.post("/studio/adopt")
    async def adopt(request: Request) -> Response:
        ref = await request.json()
        return await doing(lambda: studio.adopt(session_of(request), ref).as_json())

    @router.post("/studio/jobs")
    async def submit(request: Request) -> Response:
        asked = await request.json()
        if not isinstance(asked, dict):
            return JSONResponse({"error": "a job is an object"}, 422)
        return await doing(lambda: studio.submit(session_of(request), asked).as_json())

    @router.post("/studio/jobs/{name}/cancel")
    async def cancel(request: Request, name: str) -> Response:
        return await doing(studio.cancel, session_of(request), name)

    @router.post("/studio/jobs/{name}/keep")
    async def keep(request: Request, name: str) -> Response:
        return await doing(studio.keep, session_of(request), name)

    @router.post("/studio/records/{name}/remove")
    async def remove(request: Request, name: str) -> Response:
        return await doing(studio.remove, session_of(request), name)

    @router.get("/studio/files/{record}/{name}")
    async def file(request: Request, record: str, name: str, download: bool = False) -> Response:
        try:
            path = studio.store.find(session_of(request), record).path(name)
        except UnicaError as error:
            return JSONResponse({"error": str(error)}, 404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"content-security-policy": _SAFE, "cache-control": "private, max-age=3600"}
        attached = download or kind not in _SHOWN
        return FileResponse(path, media_type=kind, headers=headers, filename=name if attached else None)

    @router.get("/studio/shown/{record}/{name}")
    async def shown(request: Request, record: str, name: str, map: str = "color", channels: str = "") -> Response:
        def made() -> Response:
            try:
                path = studio.store.find(session_of(request), record).path(name)
                some = Numbers().parse("channels", channels) if channels else None
                data = seen.shown(path, map, some)
            except UnicaError as error:
                return JSONResponse({"error": str(error)}, 422)
            return Response(data, media_type="image/webp", headers={"cache-control": "private, max-age=3600"})

        return await to_thread.run_sync(made)

    @router.get("/studio/all/{record}/{name}")
    async def everything(request: Request, record: str, name: str) -> Response:
        try:
            files = studio.files(session_of(request), {"record": record, "file": name})
        except UnicaError as error:
            return JSONResponse({"error": str(error)}, 404)
        data = await to_thread.run_sync(packed, files)
        return StreamingResponse(
            data, media_type="application/zip",
            headers={"content-disposition": f"attachment; filename*=utf-8''{quote(Path(name).stem)}.zip"},
        )  # fmt: skip

    @router.get("/studio/look/{record}/{name}/{below:path}")
    async def look(request: Request, record: str, name: str, below: str) -> Response:
        def answer() -> Answer:
            try:
                return looking.answer(studio.store.find(session_of(request), record).path(name), below)
            except UnicaError as error:
                return refusal(404, str(error))

        found = await to_thread.run_sync(answer)
        return Response(found.body, found.status, {"cache-control": "no-store"}, media_type=found.kind)

    @router.get("/studio/events")
    async def events(request: Request) -> Response:
        return StreamingResponse(
            _events(studio, session_of(request), request), media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )  # fmt: skip

    return router


def packed(files: Sequence[Path]) -> BufferedIOBase:
    """One file with all of these in it."""
    data = tempfile.TemporaryFile()  # noqa: SIM115
    with zipfile.ZipFile(data, "w") as archive:
        for path in files:
            archive.write(path, path.name)
    data.seek(0)
    return cast(BufferedIOBase, data)


async def _events(studio: Studio, session: Session, request: Request) -> AsyncIterator[str]:
    """What happens in a session, as server-sent events. Of previews that wait, only the last one of a job is sent."""
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]]()

    def listener(event: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(waiting.put_nowait, event)

    stop = studio.listen(session, listener)
    try:
        yield "retry: 1000\n\n"
        yield _event({"event": "state", **studio.state(session)})
        while not await request.is_disconnected():
            try:
                batch = [await asyncio.wait_for(waiting.get(), _ALIVE)]
            except asyncio.TimeoutError:
                yield ": still here\n\n"
                continue
            while not waiting.empty():
                batch.append(waiting.get_nowait())
            last = {event["id"]: event for event in batch if event["event"] == "frame"}
            for event in batch:
                if event["event"] != "frame" or last[event["id"]] is event:
                    yield _event(event)
    finally:
        stop()


def _event(event: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(event)}\n\n"
