"""The end of a server: nobody is cut off who was there before the port closed."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
import urllib.parse
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.market import ROOT
from tests.processes import Server, alive, get, post, serving
from tests.sockets import accepting, is_read
from tests.system.checks import assert_stored
from tests.system.load import Answer, Load, question, start_experiment, tell
from tests.waiting import wait_until

WORKERS = 2
# Each kind of client a few times; the moments are never the same.
ROUNDS = [*range(6), *(pytest.param(round_, marks=pytest.mark.long) for round_ in range(6, 20))]


def failed(load: Load) -> list[Answer]:
    """Requests that were sent and got no answer; who cannot connect any more has sent nothing."""
    return [answer for answer in load.lost if "ClientConnectorError" not in answer.error]


@pytest.mark.parametrize("round_", ROUNDS)
def test_no_request_is_lost_that_was_sent_before_the_port_closed(models: Path, tmp_path: Path, round_: int) -> None:
    with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS=str(WORKERS)) as server:
        start_experiment(server.url, "drain")
        load = Load(server.url, clients=12, per_connection=1 if round_ % 2 else 25)
        with load.running():
            load.wait_for(300)
            log = server.stop()
        assert server.process.returncode == 0
    assert not load.refused
    assert not failed(load)
    assert " ERROR " not in log
    tell(f"{len(load.answers)} requests, {len(load.lost)} came when the port was closed")
    assert_stored(f"sqlite:///{tmp_path}/state.db", "drain", load.answered_ids)


# A name that is two addresses.
TWO_ADDRESSES = """
import os, socket, time
_getaddrinfo = socket.getaddrinfo
def getaddrinfo(host, *rest, **options):
    hosts = ("127.0.0.1", "127.0.0.2") if host == "both.test" else (host,)
    return [found for each in hosts for found in _getaddrinfo(each, *rest, **options)]
socket.getaddrinfo = getaddrinfo
"""
# A worker that has seen that it is not the last one, or that is only starting.
HELD_UP = {
    "leaving": """
from server.process.connection_balancing import Connections
_anybody = Connections.anybody
def anybody(self):
    others = _anybody(self)
    if others:
        time.sleep(1)
    return others
Connections.anybody = anybody
""",
    "starting": """
from aiohttp.worker import GunicornWebWorker
_run = GunicornWebWorker._run
async def run(self):
    if self.age == 2:
        time.sleep(2)
    await _run(self)
GunicornWebWorker._run = run
""",
}


@pytest.mark.parametrize(("moment", "serving_workers"), [("leaving", 2), ("starting", 1)])
def test_who_comes_while_a_worker_is_held_up_is_answered_or_refused(
    models: Path, tmp_path: Path, moment: str, serving_workers: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(TWO_ADDRESSES + HELD_UP[moment])
    arguments = ["--models", str(models), "--host", "both.test", "--workers", str(WORKERS)]
    with ExitStack() as clients, serving(*arguments, PYTHONPATH=f"{tmp_path}:{ROOT}") as server:
        wait_until(lambda: server.log.count("worker_ready active=v1") == serving_workers)
        port = urllib.parse.urlsplit(server.url).port or 0
        wait_until(lambda: sum(accepting(port, worker) for worker in server.workers) == serving_workers)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: len(server.workers) < WORKERS)  # the other one has left
        asked = []
        for address in ("127.0.0.1", "127.0.0.2") * 4:
            client = http.client.HTTPConnection(address, port)
            clients.callback(client.close)
            with suppress(ConnectionRefusedError):
                client.request("POST", "/reversal/predict", json.dumps(question(0, 1)))
                asked.append(client)
        assert all(json.loads(client.getresponse().read())["success"] for client in asked)
        assert server.process.wait(20) == 0
        assert " ERROR " not in server.log


def test_it_says_that_it_stops_and_answers_until_the_grace_period_is_over(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS), REVERSAL_GRACE_SECONDS="2") as server:
        assert get(f"{server.url}/readyz")[0] == 200
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: get(f"{server.url}/readyz")[0] == 503, 1)
        assert get(f"{server.url}/readyz")[1]["reason"] == "the server is stopping"
        assert get(f"{server.url}/livez")[0] == get(f"{server.url}/health")[0] == 200
        for _ in range(20):
            assert post(f"{server.url}/reversal/predict", question(0, 1))[0] == 200
        server.process.wait(20)
        assert time.monotonic() > began + 2


def stalled(server: Server) -> socket.socket:
    """A connection with half a request on it."""
    connection = socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(server.url).port or 0))
    connection.sendall(b"POST /reversal/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    wait_until(lambda: is_read(connection))
    return connection


def stopping(server: Server) -> bool:
    """Whether it was told to stop, as its clients see it."""
    try:
        return get(f"{server.url}/readyz")[0] == 503
    except OSError:
        return True


def test_a_second_signal_waits_for_nobody_and_tells_whom_it_cuts_off(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_REQUEST_TIMEOUT_MS="60000") as server, stalled(server):
        pids = server.pids
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: stopping(server))
        assert server.process.poll() is None
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
        assert time.monotonic() < began + 5
        assert "shutdown_forced" in server.log
        assert "requests_aborted count=1" in server.log
        assert not any(map(alive, pids))


def test_a_stop_does_not_wait_until_a_reload_is_over(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_REQUEST_TIMEOUT_MS="60000") as server:
        old = set(server.workers)
        with stalled(server):
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not old.issuperset(server.workers))
            wait_until(lambda: server.log.count("worker_ready active=v1") == 2)  # the new one has joined
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: stopping(server))
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            server.process.wait(20)
            assert time.monotonic() < began + 5
        assert server.process.returncode == 0
        assert "shutdown_forced" in server.log


SOONER = "from server.process import workers\nworkers.SHUTDOWN_SECONDS = 2.0\n"


@pytest.mark.parametrize(
    ("seconds", "code"), [(2, SOONER), pytest.param(10, "", marks=pytest.mark.long)], ids=["2 s", "10 s"]
)
def test_who_stalls_is_cut_off_in_the_end_and_that_is_told(
    models: Path, tmp_path: Path, seconds: int, code: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(code)
    arguments = ["--models", str(models), "--request-timeout-ms", "60000"]
    with serving(*arguments, PYTHONPATH=f"{tmp_path}:{ROOT}") as server, stalled(server):
        log = server.stop()
        assert f"requests_aborted count=1 seconds={seconds}." in log
        assert server.process.returncode == 0


def test_an_idle_connection_hears_with_its_next_answer_that_it_is_the_last(models: Path) -> None:
    with serving("--models", str(models)) as server:
        port = urllib.parse.urlsplit(server.url).port
        kept = http.client.HTTPConnection("127.0.0.1", port)
        body = json.dumps(question(0, 1))
        kept.request("POST", "/reversal/predict", body)
        assert kept.getresponse().read()
        server.process.send_signal(signal.SIGTERM)

        def closed() -> bool:
            try:
                socket.create_connection(("127.0.0.1", port or 0)).close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(closed, 5)
        kept.request("POST", "/reversal/predict", body)
        answer = kept.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        server.process.wait(10)
