"""The studio without a browser: what it keeps, whom it lets in, and what programs can ask of it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from unica.cli.app import make_app
from unica.errors import UnicaError
from unica.jobs.task_options import options_of_task
from unica.tasks import tasks

pytest.importorskip("gradio")

import httpx
from gradio_client import Client, handle_file
from studio_tools import studio

from unica.studio.forms import forms, options_of_form
from unica.studio.guard import COOKIE, LARGEST_BODY
from unica.studio.launch import Running, start
from unica.studio.store import Store

STONES = Path(__file__).parents[1] / "examples" / "maps" / "stones"
DOCS = Path(__file__).parents[1] / "docs" / "studio.md"


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    with studio(tmp_path_factory.mktemp("studio"), workers=2) as served:
        yield served


def user(running: Running, **settings: Any) -> httpx.Client:
    """A browser that has opened the page."""
    client = httpx.Client(base_url=running.url, timeout=60, **settings)
    client.get("/")
    return client


def bring(client: httpx.Client, path: Path) -> dict[str, Any]:
    return client.post("/studio/uploads", params={"name": path.name}, content=path.read_bytes()).json()


def ended(client: httpx.Client, job: str, within: float = 60) -> dict[str, Any]:
    """A job, when it is over."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        records = client.get("/studio/state").json()["records"]
        found = next(record for record in records if record["id"] == job)
        if found["state"] not in ("waiting", "running"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"job {job} is not done after {within} s")


# What is kept


def test_what_is_too_old_or_too_much_goes_the_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path, quota=1500, age=1000)
    session = store.session("somebody")
    records = [session.new("picture", {"file": "x"}) for _ in range(4)]
    for number, record in enumerate(records):
        record.made = time.time() - (2000 if number == 0 else 100 - number)
        (record.folder / "x").write_bytes(b"0" * 1000)
    assert store.sweep(busy={records[2].id}) == [records[0].id, records[1].id]
    assert set(session.records) == {records[2].id, records[3].id} and not records[0].folder.exists()


def test_a_session_is_there_again_after_a_restart(tmp_path: Path) -> None:
    before = Store(tmp_path, 10**9, 1e6).session("secret")
    kept, running = before.new("picture", {"file": "x.png"}), before.new("job", {"state": "running"})
    after = Store(tmp_path, 10**9, 1e6).session("secret")
    assert after.find(kept.id).about == {"file": "x.png"} and after.find(running.id).about["state"] == "failed"
    assert not Store(tmp_path, 10**9, 1e6).session("another").records
    assert "secret" not in " ".join(path.name for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "record.json", "link", "", ".", "x/../x", "folder"])
def test_only_files_of_a_record_are_opened(name: str, tmp_path: Path) -> None:
    record = Store(tmp_path, 10**9, 1e6).session("somebody").new("picture", {})
    (record.folder / "x").write_bytes(b"1")
    (record.folder / "folder").mkdir()
    (record.folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(UnicaError, match="no such file"):
        record.open(name)
    assert record.path("x").read_bytes() == b"1"


# Forms


def test_forms_have_every_setting_of_every_task() -> None:
    made = {form["name"]: form for form in forms()["tasks"]}
    for task in tasks().values():
        if task.group is not None:
            names = {field["name"] for field in made[task.name]["fields"]}
            left_out = {option.name for option in options_of_task(task)} - names
            of_output = {"output", "overwrite", "sheet", "provenance", "keep_paths", "json", "quiet", "workers", "ray"}
            of_output |= {"resume", "tile_size"}
            assert left_out <= {"path", "with_", "show", "show_mask", *of_output}
    json.dumps(forms())


# Jobs


def test_a_result_has_the_bytes_of_the_command_line(running: Running, photo: Path, tmp_path: Path) -> None:
    client = user(running)
    source = bring(client, photo)
    values = {"count": 2, "seed": 4, "diversity": 0.6}
    job = client.post("/studio/jobs", json={"task": "sample", "source": source["id"], "values": values}).json()
    pictures = ended(client, job["id"])["pictures"]
    line = ["sample", str(photo), "-n", "2", "--seed", "4", "--diversity", "0.6", "-o", str(tmp_path / "out")]
    CliRunner().invoke(make_app(), line, catch_exceptions=False)
    for picture in pictures:
        there = client.get(f"/studio/files/{job['id']}/{picture['path']}").content
        assert there == (tmp_path / "out" / picture["path"]).read_bytes()
    space: dict[str, Any] = {}
    exec(pictures[0]["python"].replace("photo.png", str(photo)).replace("photo-4.png", str(tmp_path / "py.png")), space)
    assert (tmp_path / "py.png").is_file()


def test_what_is_wrong_is_said_by_its_setting(running: Running, photo: Path) -> None:
    client = user(running)
    source = bring(client, photo)["id"]

    def refused(**asked: Any) -> dict[str, str]:
        answer = client.post("/studio/jobs", json={"task": "sample", "source": source, **asked})
        assert answer.status_code == 422
        return answer.json()["fields"]

    assert "width first" in refused(values={"size": "20"})["size"]
    assert "from 0 to 1" in refused(values={"diversity": 3})["diversity"]
    assert "not a setting" in refused(values={"output": "/tmp/x"})["output"]
    assert "sindiffusion" in refused(values={"steps": 5})["steps"]
    assert "trained model" in refused(values={"engine": "sinddm"})["engine"]
    assert "choose a picture" in refused(source=None)["source"]
    assert set(refused(values={"size": "x", "seed": -1})) == {"size", "seed"}
    assert "test-clip" in refused(task="text", values={"prompts": "a", "clip": "/etc"})["clip"]
    assert "must be given" in refused(task="objects")["size_factor"]


def test_the_queue_keeps_its_order_and_has_an_end(running: Running, photo: Path, monkeypatch) -> None:
    monkeypatch.setattr("unica.studio.pool.LONGEST_QUEUE", 4)
    clients = [user(running) for _ in range(8)]
    order, lock = [], threading.Lock()
    told = running.studio.pool._listener

    def listener(job: str, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            with lock:
                order.append(job)
        told(job, event)

    monkeypatch.setattr(running.studio.pool, "_listener", listener)
    jobs, refused = [], 0
    for client in clients:
        asked = {"task": "sample", "source": bring(client, photo)["id"], "values": {"count": 6}}
        answer = client.post("/studio/jobs", json=asked)
        refused += answer.status_code == 422
        jobs += [(client, answer.json()["id"])] if answer.is_success else []
    assert refused == 2 and all(ended(client, job)["state"] == "done" for client, job in jobs)
    assert order == [job for _, job in jobs]


def test_a_worker_that_dies_fails_its_job_alone(running: Running, photo: Path) -> None:
    client = user(running)
    asked = {"task": "sample", "source": bring(client, photo)["id"], "values": {"count": 500}}
    job = client.post("/studio/jobs", json=asked).json()["id"]
    while not (worker := next((w for w in running.studio.pool._workers if w.job == job), None)):
        time.sleep(0.02)
    worker.process.kill()
    assert "ended" in ended(client, job)["error"]
    asked["values"] = {"count": 1}
    assert ended(client, client.post("/studio/jobs", json=asked).json()["id"])["state"] == "done"


def test_where_no_worker_can_start_a_job_fails(photo: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    served = start(port=0, folder=tmp_path / "studio", workers=1)
    try:
        client = user(served)
        asked = {"task": "sample", "source": bring(client, photo)["id"]}
        answer = client.post("/studio/jobs", json=asked)
        assert "no process" in (ended(client, answer.json()["id"])["error"] if answer.is_success else answer.text)
    finally:
        served.close()


# Maps


def test_maps_are_joined_drawn_and_given_back(running: Running, tmp_path: Path, monkeypatch) -> None:
    client = user(running)
    brought = [bring(client, STONES / f"stones_{name}.png") for name in ("color", "normal", "height", "roughness")]
    maps = {one["map"]["name"]: {"record": one["id"]} for one in brought}
    assert len(maps) == 4 and {one["map"]["of"] for one in brought} == {"stones"}
    joined = client.post("/studio/maps", json=maps).json()
    assert [one["name"] for one in joined["maps"]] == list(maps)
    kept = {record["id"] for record in client.get("/studio/state").json()["records"] if record["kind"] == "picture"}
    assert kept == {joined["id"]}  # those of which it was made went
    asked = {"task": "sample", "source": joined["id"], "values": {"count": 1, "seed": 3, "size": "96x64"}}
    job = ended(client, client.post("/studio/jobs", json=asked).json()["id"])
    (picture,) = job["pictures"]
    line = ["sample", str(STONES), "-n", "1", "--seed", "3", "--size", "96x64", "-o", str(tmp_path)]
    CliRunner().invoke(make_app(), line, catch_exceptions=False)
    packed = client.get(f"/studio/all/{job['id']}/{picture['path']}")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert set(archive.namelist()) == {path.name for path in tmp_path.iterdir()}
        for name in archive.namelist():
            assert pixels(archive.read(name)) == pixels((tmp_path / name).read_bytes())
    assert str(running.studio.store.folder) not in json.dumps(job)
    space: dict[str, Any] = {}
    monkeypatch.chdir(STONES)
    exec(picture["python"], space)
    height = np.asarray(Image.open(tmp_path / "stones_color-3_height.png"))
    assert np.array_equal(space["maps"]["height"][..., 0], height)
    again = client.post("/studio/adopt", json={"record": job["id"], "file": picture["path"]}).json()
    assert [one["name"] for one in again["maps"]] == list(maps)
    fewer = {name: {"record": joined["id"], "file": f"stones_{name}.png"} for name in ("height", "color")}
    assert client.post("/studio/maps", json=fewer).json()["file"] == "stones_height.png"
    assert client.get(f"/studio/files/{joined['id']}/stones_normal.png").status_code == 200  # it was drawn from


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).tobytes()


def test_channels_are_shown_as_asked(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "scan.npy"
    np.save(path, np.stack([np.full((40, 40), 9.0), *np.random.default_rng(0).random((2, 40, 40))], -1))
    np.save(path, np.load(path).astype(np.float32))
    client = user(running)
    (told,) = bring(client, path)["maps"]
    record = client.get("/studio/state").json()["records"][-1]["id"]
    assert told["channels"] == 3

    def shown(channels: str) -> Any:
        return client.get(f"/studio/shown/{record}/scan.npy", params={"channels": channels})

    flat, noise = (np.asarray(Image.open(io.BytesIO(shown(one).content))) for one in ("1", "2"))
    assert np.ptp(flat) < 4 < np.ptp(noise)
    for wrong in ("4", "1,2", "x", "0"):
        assert shown(wrong).status_code == 422 and shown(wrong).json()["error"]


def test_maps_that_do_not_fit_are_refused_and_stay(running: Running, photo: Path) -> None:
    client = user(running)
    color, other = bring(client, STONES / "stones_color.png"), bring(client, photo)
    for maps, sentence in [
        ({"color": {"record": color["id"]}, "height": {"record": other["id"]}}, "same size"),
        ({"color": {"record": color["id"]}, "normal": {"record": color["id"]}}, "no normal map"),
        ({"color": {"record": color["id"]}, "height": {"record": "x"}}, "not there"),
        ({}, "by their names"),
        ([], "by their names"),
    ]:
        answer = client.post("/studio/maps", json=maps)
        assert answer.status_code == 422 and sentence in answer.json()["error"]
        assert str(running.studio.store.folder) not in answer.text
    records = {record["id"] for record in client.get("/studio/state").json()["records"]}
    assert {color["id"], other["id"]} <= records
    asked = {"task": "sample", "source": color["id"], "values": {"with_": ["normal=/etc/passwd"]}}
    assert "not a setting" in client.post("/studio/jobs", json=asked).json()["error"]


# Programs


def test_programs_draw_several_maps(running: Running, tmp_path: Path) -> None:
    client = Client(running.url, verbose=False, download_files=tmp_path)
    first, height = (handle_file(STONES / f"stones_{name}.png") for name in ("color", "height"))
    files, said = client.predict(first, size="64x64", count=1, maps={"height": height}, api_name="/sample")
    assert [Path(file).name for file in files] == ["stones_color-0.png", "stones_color-0_height.png"]
    assert [one["name"] for one in said["pictures"][0]["maps"]] == ["color", "height"]


def test_programs_call_a_task_by_its_name(running: Running, photo: Path, tmp_path: Path) -> None:
    client = Client(running.url, verbose=False, download_files=tmp_path)
    files, said = client.predict(handle_file(photo), count=2, seed=7, api_name="/sample")
    assert [Path(file).name for file in files] == ["photo-7.png", "photo-8.png"]
    assert [picture["seed"] for picture in said["pictures"]] == [7, 8] and said["state"] == "done"
    line = ["sample", str(photo), "-n", "2", "--seed", "7", "-o", str(tmp_path / "out")]
    CliRunner().invoke(make_app(), line, catch_exceptions=False)
    assert Path(files[0]).read_bytes() == (tmp_path / "out" / "photo-7.png").read_bytes()
    files, _ = client.predict(handle_file(photo), box=[[4, 20, 12, 8]], api_name="/inpaint")
    assert len(files) == 1
    with pytest.raises(Exception, match="no pixel is marked"):
        client.predict(handle_file(photo), api_name="/inpaint")
    with pytest.raises(Exception, match="width first"):
        client.predict(handle_file(photo), size="20", api_name="/sample")


def test_every_task_is_an_endpoint_with_its_parameters(running: Running) -> None:
    known: Any = Client(running.url, verbose=False).view_api(return_format="dict", print_info=False)
    described = known["named_endpoints"]
    for task in tasks().values():
        if task.group is not None:
            names = {parameter["parameter_name"] for parameter in described[f"/{task.name}"]["parameters"]}
            assert names == {"source", "maps", *(option.name for option in options_of_form(task))}


async def _assist(url: str, photo: Path) -> None:
    """What an assistant does, with the protocol's own library."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(f"{url}mcp") as (reads, writes, _), ClientSession(reads, writes) as client:
        await client.initialize()
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        drawing = {task.name for task in tasks().values() if task.group is not None}
        assert set(tools) == {"list_pictures", *drawing}
        assert tools["sample"].inputSchema["properties"]["diversity"]["maximum"] == 1
        brought = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
        drawn: Any = await client.call_tool("sample", {"source": brought, "count": 1, "seed": 2})
        text, thumbnail = drawn.content
        file = json.loads(text.text)["files"][0]
        assert Path(file["path"]).is_file() and file["seed"] == 2 and thumbnail.mimeType == "image/webp"
        again: Any = await client.call_tool("mirror", {"source": file["path"]})
        assert not again.isError
        for source in ("/etc/passwd", str(photo), "http://example.com/x.png", "data:image/png;base64,bm8=", None):
            refused: Any = await client.call_tool("sample", {"source": source})
            assert refused.isError and "root:" not in refused.content[0].text
        wrong: Any = await client.call_tool("sample", {"source": brought, "size": "20"})
        assert "width first" in wrong.content[0].text


def test_assistants_draw(tmp_path: Path, photo: Path) -> None:
    with studio(tmp_path / "studio", workers=1, mcp=True) as served:
        asyncio.run(_assist(served.url, photo))
    with studio(tmp_path / "studio", workers=1) as served:
        assert httpx.post(f"{served.url}mcp", json={"id": 1, "method": "ping"}).status_code in (404, 405)


# Who is let in


PROBES: list[tuple[str, dict[str, Any], set[int]]] = [
    ("a path above the page's folder", {"url": "/page/../../../../etc/passwd"}, {404}),
    ("the same, with its dots encoded", {"url": "/page/%2e%2e%2f%2e%2e%2fetc%2fpasswd"}, {404}),
    ("a file of Gradio's cache by an absolute path", {"url": "/gradio_api/file=/etc/passwd"}, {403, 404}),
    ("the same, with dots in it", {"url": "/gradio_api/file=../../../../etc/passwd"}, {403, 404}),
    ("a file of another machine by Gradio", {"url": "/gradio_api/file=http://example.com/x.png"}, {403, 404}),
    ("Gradio as a proxy", {"url": "/gradio_api/proxy=http://example.com/"}, {404}),
    ("Gradio's own page and tools", {"url": "/gradio_api/vibe-code"}, {404}),
    ("Gradio's monitoring", {"url": "/monitoring"}, {404}),
    ("the list of the server's routes", {"url": "/openapi.json"}, {404}),
    ("a name of this machine that a stranger made up", {"url": "/", "headers": {"host": "evil.example:80"}}, {403}),
    (
        "a post from a page of another site",
        {"method": "POST", "url": "/studio/jobs", "json": {}, "headers": {"origin": "https://evil.example"}},
        {403},
    ),
    (
        "a post that a browser calls cross-site",
        {"method": "POST", "url": "/studio/adopt", "json": {}, "headers": {"sec-fetch-site": "cross-site"}},
        {403},
    ),
    (
        "an address to fetch a picture from",
        {"method": "POST", "url": "/gradio_api/call/sample", "json": {"data": [{"url": "http://169.254.169.254/x"}]}},
        {403},
    ),
    (
        "a file: address",
        {"method": "POST", "url": "/gradio_api/call/sample", "json": {"data": [{"path": "file:///etc/passwd"}]}},
        {403},
    ),
    (
        "a body that is too long",
        {"method": "POST", "url": "/studio/jobs", "content": b"[" + b" " * LARGEST_BODY + b"]"},
        {413},
    ),
    ("a body that is no JSON", {"method": "POST", "url": "/studio/jobs", "content": b"{"}, {400}),
    (
        "a body that is nested a million times",
        {"method": "POST", "url": "/studio/jobs", "content": b"[" * 10**6},
        {400},
    ),
    ("an upload that is no picture", {"method": "POST", "url": "/studio/uploads?name=x.png", "content": b"no"}, {422}),
    (
        "an upload whose name is a path",
        {"method": "POST", "url": "/studio/uploads?name=../../x.png", "content": b"no"},
        {422},
    ),
]


@pytest.mark.parametrize(("what", "asked", "expected"), PROBES, ids=[what for what, _, _ in PROBES])
def test_probes_are_refused(what: str, asked: dict[str, Any], expected: set[int], running: Running) -> None:
    answer = user(running).request(**{"method": "GET", **asked})
    assert answer.status_code in expected and b"root:" not in answer.content
    assert answer.headers["x-frame-options"] == "DENY" and "frame-ancestors 'none'" in str(answer.headers)
    assert what in DOCS.read_text(), "docs/studio.md has a table of the probes"


def test_what_one_user_has_another_does_not_reach(running: Running, photo: Path) -> None:
    mine, other = user(running), user(running)
    source = bring(mine, photo)
    job = mine.post("/studio/jobs", json={"task": "sample", "source": source["id"], "values": {"count": 1}}).json()
    picture = ended(mine, job["id"])["pictures"][0]["path"]
    assert mine.get(f"/studio/files/{job['id']}/{picture}").is_success
    assert other.get(f"/studio/files/{job['id']}/{picture}").status_code == 404
    assert other.get(f"/studio/files/{source['id']}/photo.png").status_code == 404
    assert source["id"] not in other.get("/studio/state").text
    for path in (f"jobs/{job['id']}/cancel", f"jobs/{job['id']}/keep", f"records/{source['id']}/remove"):
        assert other.post(f"/studio/{path}", json={}).status_code == 422
    for asked in ({"source": source["id"]}, {"source": {"record": job["id"], "file": picture}}):
        assert other.post("/studio/jobs", json={"task": "sample", **asked}).status_code == 422
    assert other.post("/studio/adopt", json={"record": job["id"], "file": picture}).status_code == 422
    for file in ("record.json", "../record.json", "%2e%2e/x", "..%2f..%2fshared"):
        assert mine.get(f"/studio/files/{source['id']}/{file}").status_code == 404
    cookie = next(header for name, header in httpx.get(running.url).headers.multi_items() if name == "set-cookie")
    assert cookie.startswith(COOKIE) and "HttpOnly" in cookie and "SameSite=Strict" in cookie


def test_programs_read_only_what_they_uploaded(running: Running, photo: Path) -> None:
    client = user(running)
    uploaded = client.post("/gradio_api/upload", files={"files": ("photo.png", photo.read_bytes())}).json()[0]
    link = running.studio.store.uploads / "link.png"
    link.symlink_to(photo)

    def told(path: str) -> str:
        """What the stream of events says of a job with this file as its source."""
        data = [
            {"path": path, "meta": {"_type": "gradio.FileData"}},
            *[None] * (len(options_of_form(tasks()["sample"])) + 1),
        ]
        event = client.post("/gradio_api/call/sample", json={"data": data}).json()["event_id"]
        return client.get(f"/gradio_api/call/sample/{event}").text

    assert "photo-0.png" in told(uploaded)
    for path in ("/etc/passwd", str(photo), str(link), f"{uploaded}/../../../record.json"):
        text = told(path)
        assert "event: error" in text and "root:" not in text and "not uploaded" in text


def test_beyond_this_machine_a_secret_is_asked_for(photo: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    served = start(host="0.0.0.0", port=0, folder=tmp_path / "a", workers=1)
    try:
        port = served.url.split(":")[2].split("/")[0]
        here = f"http://127.0.0.1:{port}/"
        assert httpx.get(here).status_code == 401 and httpx.get(f"{here}?token=x").status_code == 401
        client = httpx.Client(base_url=here)
        assert client.get("/", params={"token": served.access.token}).is_success
        assert client.get("/studio/state").is_success  # by its cookie
        bearer = {"authorization": f"Bearer {served.access.token}"}
        assert httpx.get(here, headers=bearer).is_success and f"token={served.access.token}" in served.url
        assert httpx.get(f"{here}gradio_api/info").status_code == 401
        program = Client(here, headers=bearer, verbose=False, download_files=tmp_path)
        files, _ = program.predict(handle_file(photo), count=1, api_name="/sample")
        assert Path(files[0]).is_file()
    finally:
        served.close()
    with pytest.raises(UnicaError, match="too short"):
        file.write_text("short")
        start(auth=f"me:{file}", folder=tmp_path / "b")
    with pytest.raises(UnicaError, match="USER:FILE"):
        start(auth="me", folder=tmp_path / "b")
    file.write_text("correct horse\n")
    served = start(auth=f"me:{file}", port=0, folder=tmp_path / "b", workers=1)
    try:
        assert httpx.get(served.url).headers["www-authenticate"].startswith("Basic")
        assert httpx.get(served.url, auth=("me", "correct horse")).is_success
        assert httpx.get(served.url, auth=("you", "correct horse")).status_code == 401
    finally:
        served.close()


def test_a_port_that_is_taken_and_a_picture_that_is_none_are_sentences(running: Running, tmp_path: Path) -> None:
    port = int(running.url.split(":")[2].strip("/"))
    with pytest.raises(UnicaError, match="another with --port"):
        start(port=port, folder=tmp_path)
    (tmp_path / "x.png").write_text("no")
    for path in (tmp_path / "x.png", tmp_path / "none.png"):
        with pytest.raises(UnicaError, match=r"not an image|cannot be read"):
            start(path, port=0, folder=tmp_path / "c")


def test_uploads_are_bounded(running: Running, photo: Path, monkeypatch) -> None:
    monkeypatch.setattr("unica.studio.studio.LARGEST_FILE", 100)
    session = running.studio.store.session("somebody")
    with pytest.raises(UnicaError, match="too large for the studio"):
        running.studio.upload(session, "x.png", io.BytesIO(photo.read_bytes()))
    assert not session.records and not list(session.folder.iterdir())


def test_the_command_serves_until_it_is_interrupted(photo: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "unica", "studio", str(photo), "--port", "0", "--folder", str(tmp_path / "kept")]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().split()[4]
    client = httpx.Client(base_url=url)
    client.get("/")
    names = [record["file"] for record in client.get("/studio/state").json()["records"]]
    assert "photo.png" in names
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert all(json.loads(path.read_text()) for path in (tmp_path / "kept").rglob("record.json"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.png"], "cannot be read"),
        (["--clip", "none"], "not a folder"),
        (["--auth", "me"], "USER:FILE"),
        (["--port", "99999"], "from 0 to 65535"),
    ],
)
def test_a_wrong_start_is_a_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "unica", "studio", "--folder", str(tmp_path), *words]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and sentence in ended.stderr and ended.stderr.count("\n") == 1
