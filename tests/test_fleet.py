"""Many jobs on many processes: what holds wherever they run."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import fleet_jobs
import pytest

from unica.errors import UnicaError
from unica.fleet import Job, run, stream
from unica.fleet.lines import LineProcess
from unica.fleet.processes import threads_each

WHERE = [Job(f"job {i}", "fleet_jobs:where", {"i": i}) for i in range(6)]


def job(function: str, **description: object) -> Job:
    return Job(f"the one that {function}", f"fleet_jobs:{function}", description)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_in_the_order_of_jobs_and_each_is_told(workers: int) -> None:
    told = []
    results = run(WHERE, workers, done=told.append)
    assert [result["i"] for result in results] == list(range(6))
    assert {done.number: done.result for done in told} == dict(enumerate(results))
    assert all(done.job is WHERE[done.number] for done in told)
    processes = {result["pid"] for result in results}
    assert processes == {os.getpid()} if workers == 1 else len(processes) <= 2 and os.getpid() not in processes


def test_processes_keep_what_they_loaded() -> None:
    results = run(WHERE, 2)
    assert len({result["loaded"] for result in results}) == len({result["pid"] for result in results})


def test_threads_of_all_workers_are_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr("unica.fleet.processes.allowed_cores", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_each(n) for n in (1, 2, 3, 8, 100)] == [8, 4, 2, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [threads_each(n) for n in (1, 2, 3)] == [3, 3, 2]
    monkeypatch.setattr("unica.fleet.processes.allowed_cores", lambda: 2)
    assert [threads_each(n) for n in (1, 2, 3)] == [2, 1, 1]
    assert {result["threads"] for result in run(WHERE, 2)} == {"1"}


def test_jobs_are_taken_when_a_worker_is_free() -> None:
    taken = 0

    def jobs() -> Iterator[Job]:
        nonlocal taken
        while True:
            taken += 1
            yield WHERE[0]

    with closing(stream(jobs(), 2)) as arriving:
        for arrived, _ in enumerate(arriving, 1):
            assert taken <= arrived + 1  # the other worker has one, too
            if arrived > 50:
                break


@pytest.mark.parametrize("exits", [False, True], ids=["by an error", "with its process"])
def test_a_job_that_dies_is_tried_again_in_a_new_process(tmp_path: Path, exits: bool) -> None:
    survivor, *others = run([job("dies", folder=str(tmp_path), times=2, exits=exits), *WHERE], 2)
    died = [int(path.name.split("-")[1]) for path in tmp_path.iterdir()]
    assert len({*died, survivor}) == 3 and [other["i"] for other in others] == list(range(6))


@pytest.mark.parametrize(("exits", "why"), [(False, "ValueError: the sky fell"), (True, "exit code 3")])
def test_after_three_deaths_a_job_has_failed_and_the_others_are_finished(tmp_path: Path, exits: bool, why: str) -> None:
    told = []
    with pytest.raises(UnicaError, match=rf"^the one that dies failed three times: .*{why}$") as raised:
        run([job("dies", folder=str(tmp_path), times=9, exits=exits), *WHERE], 2, done=told.append)
    assert len(list(tmp_path.iterdir())) == 3 and sorted(done.number for done in told) == list(range(1, 7))
    assert exits or "fleet_jobs.py" in str(raised.value.__cause__)  # where in the code it was


def test_where_every_job_fails_it_is_soon_given_up(tmp_path: Path) -> None:
    jobs = [job("dies", folder=str(tmp_path), times=10**6) for _ in range(50)]
    with pytest.raises(UnicaError, match=r"failed three times.*; .*failed three times.*; .*failed three times"):
        run(jobs, 2)
    assert len(list(tmp_path.iterdir())) <= 3 * 3 + 3  # a fourth job runs beside the third


def test_a_result_that_is_no_json_is_a_death() -> None:
    with pytest.raises(UnicaError, match="failed three times: TypeError"):
        run([Job("a set", "builtins:set", {})], 2)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_user_can_mend_ends_everything(workers: int) -> None:
    began = time.monotonic()
    jobs = [job("refused"), job("sleeps", seconds=60)] if workers == 1 else [job("sleeps", seconds=60), job("refused")]
    with pytest.raises(UnicaError, match=r"^the picture is upside down: turn it$"):
        run(jobs, workers)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("workers", [0, 1025, True])
def test_bad_numbers_of_workers_are_refused(workers: int) -> None:
    with pytest.raises(UnicaError, match="workers must be a whole number from 1 to 1024"):
        stream(WHERE, workers)


def test_what_was_being_said_when_a_process_was_killed_is_no_line() -> None:
    process = LineProcess("fleet_jobs", {"UNICA_TEST_HALF": "1"})
    assert list(process.lines()) == [{"whole": 1}] and process.returncode == -signal.SIGKILL


# Ending


def _begun(folder: Path) -> list[int]:
    """The processes of two jobs that are writing."""
    while len(found := [path for path in folder.iterdir() if path.suffix[1:].isdigit()]) < 2:
        time.sleep(0.02)
    return [int(path.suffix[1:]) for path in found]


def _gone(processes: list[int], within: float) -> bool:
    """Whether all processes end in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not any(_alive(pid) for pid in processes):
            return True
        time.sleep(0.02)
    return False


def _alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to look at its exit code does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_parent_ends_workers_and_leaves_whole_files_only(tmp_path: Path, number: int) -> None:
    parent = subprocess.Popen([sys.executable, fleet_jobs.__file__, tmp_path], stderr=subprocess.DEVNULL)
    workers = _begun(tmp_path)
    parent.send_signal(number)
    assert parent.wait(5) != 0
    assert _gone(workers, 5) and all(path.suffix[1:].isdigit() for path in tmp_path.iterdir())


def test_closing_ends_workers_and_leaves_whole_files_only(tmp_path: Path) -> None:
    jobs = [WHERE[0], *(job("writes", path=str(tmp_path / f"{i}.bin")) for i in range(2))]
    arriving = stream(jobs, 3)
    next(arriving)
    workers = _begun(tmp_path)
    began = time.monotonic()
    arriving.close()
    assert time.monotonic() - began < 1.5 and _gone(workers, 0.5)
    assert all(path.suffix[1:].isdigit() for path in tmp_path.iterdir())


# Ray


def test_without_ray_a_sentence_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnicaError, match=r"pip install 'unica\[fleet\]'"):
        run(WHERE, 2, "here")


@pytest.mark.parametrize("address", ["", "there", "host", "host:", "ray://host:1", "host:port", "a b:1"])
def test_bad_addresses_are_refused(address: str) -> None:
    with pytest.raises(UnicaError, match="ray must be here, auto or HOST:PORT"):
        stream(WHERE, 2, address)


def test_where_no_cluster_answers_it_is_said_soon() -> None:
    pytest.importorskip("ray")
    web = http.server.HTTPServer(("127.0.0.1", 0), _Silent)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    began = time.monotonic()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        cases = [(closed.getsockname()[1], "connection refused"), (web.server_port, "something else answers there")]
        for port, why in cases:
            with pytest.raises(UnicaError, match=rf"^there is no Ray cluster at 127.0.0.1:{port}: {why}$"):
                run(WHERE, 2, f"127.0.0.1:{port}")
    web.shutdown()
    assert time.monotonic() - began < 10


class _Silent(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


_ON_RAY = """
import fleet_jobs, signal, sys, tempfile
from unica.errors import UnicaError
from unica.fleet import Job, run
from test_fleet import WHERE, job
ended = lambda number, frame: None
signal.signal(signal.SIGTERM, ended)
folder = tempfile.mkdtemp()
results = run([job("dies", folder=folder, times=1, exits=True), *WHERE], 2, "here")
assert [result["i"] for result in results[1:]] == list(range(6))
assert {result["threads"] for result in results[1:]} == {"1"}
assert len({result["loaded"] for result in results[1:]}) <= 3
assert signal.getsignal(signal.SIGTERM) is ended
"""


def test_ray_does_the_same_and_is_quiet(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", _ON_RAY], capture_output=True, text=True, env=environment, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


_ON_TWO_MACHINES = """
from unica.fleet.cluster import _import
ray = _import()
from ray.cluster_utils import Cluster
from unica.errors import UnicaError
from unica.fleet import run, stream
from test_fleet import WHERE, job
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
other = cluster.add_node(num_cpus=1)
arrived = []
for done in stream([job("sleeps", seconds=0.5 + i / 100) for i in range(8)], None, cluster.address):
    arrived.append(done.number)
    if len(arrived) == 2:
        cluster.remove_node(other, allow_graceful=False)
assert sorted(arrived) == list(range(8))
try:
    run([job("refused"), job("sleeps", seconds=60)], 2, cluster.address)
except UnicaError as error:
    assert str(error) == "the picture is upside down: turn it"
cluster.shutdown()
"""


@pytest.mark.slow
def test_a_machine_that_leaves_a_cluster_takes_nothing_with_it() -> None:
    pytest.importorskip("ray")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", _ON_TWO_MACHINES]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
