"""Graceful shutdown: requests and connections that came before the port closed are answered."""

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
from tests.system.load import Answer, Load, print_figures, question, start_experiment
from tests.waiting import wait_until

WORKERS = 2
# Each kind of client several times, because the timing differs in each round.
ROUNDS = [*range(6), *(pytest.param(round_, marks=pytest.mark.long) for round_ in range(6, 20))]


def failed(load: Load) -> list[Answer]:
    """Requests that were sent and got no answer. A client that could not connect has sent nothing."""
    return [answer for answer in load.lost if "ClientConnectorError" not in answer.error]


@pytest.mark.parametrize("round_", ROUNDS)
def test_a_request_sent_before_the_port_closes_is_answered(models: Path, tmp_path: Path, round_: int) -> None:
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
    print_figures(f"{len(load.answers)} requests, {len(load.lost)} of them after the port was closed")
    assert_stored(f"sqlite:///{tmp_path}/state.db", "drain", load.answered_ids)


# A host name with two addresses.
TWO_ADDRESSES = """
import os, socket, time
_getaddrinfo = socket.getaddrinfo
def getaddrinfo(host, *rest, **options):
    hosts = ("127.0.0.1", "127.0.0.2") if host == "both.test" else (host,)
    return [found for each in hosts for found in _getaddrinfo(each, *rest, **options)]
socket.getaddrinfo = getaddrinfo
"""
# Delays a worker at one of two moments: when it has seen that another worker still accepts connections, or at startup.
DELAYS = {
    "leaving": """
from server.process.connection_balancing import Connections
_any_accepting = Connections.any_accepting
def any_accepting(self):
    accepting = _any_accepting(self)
    if accepting:
        time.sleep(1)
    return accepting
Connections.any_accepting = any_accepting
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
def test_a_client_that_connects_while_a_worker_is_delayed_is_answered_or_refused(
    models: Path, tmp_path: Path, moment: str, serving_workers: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(TWO_ADDRESSES + DELAYS[moment])
    arguments = ["--models", str(models), "--host", "both.test", "--workers", str(WORKERS)]
    with ExitStack() as clients, serving(*arguments, PYTHONPATH=f"{tmp_path}:{ROOT}") as server:
        wait_until(lambda: server.log.count("worker_ready active=v1") == serving_workers)
        port = urllib.parse.urlsplit(server.url).port or 0
        wait_until(lambda: sum(accepting(port, worker) for worker in server.workers) == serving_workers)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: len(server.workers) < WORKERS)  # one worker has ended
        connected = []
        for address in ("127.0.0.1", "127.0.0.2") * 4:
            client = http.client.HTTPConnection(address, port)
            clients.callback(client.close)
            with suppress(ConnectionRefusedError):
                client.request("POST", "/reversal/predict", json.dumps(question(0, 1)))
                connected.append(client)
        assert all(json.loads(client.getresponse().read())["success"] for client in connected)
        assert server.process.wait(20) == 0
        assert " ERROR " not in server.log


def test_in_the_grace_period_readyz_answers_503_and_predictions_are_answered(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS=str(WORKERS), REVERSAL_GRACE_SECONDS="2") as server:
        assert get(f"{server.url}/readyz")[0] == 200
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: get(f"{server.url}/readyz")[0] == 503, 1)
        assert "stopping" in get(f"{server.url}/readyz")[1]["reason"]
        assert get(f"{server.url}/livez")[0] == get(f"{server.url}/health")[0] == 200
        for _ in range(20):
            assert post(f"{server.url}/reversal/predict", question(0, 1))[0] == 200
        server.process.wait(20)
        assert time.monotonic() > began + 2


def stalled(server: Server) -> socket.socket:
    """A connection on which the server has read an incomplete request."""
    connection = socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(server.url).port or 0))
    connection.sendall(b"POST /reversal/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    wait_until(lambda: is_read(connection))
    return connection


def stopping(server: Server) -> bool:
    """Whether the server is shutting down, as its clients see it."""
    try:
        return get(f"{server.url}/readyz")[0] == 503
    except OSError:
        return True


def test_a_second_sigterm_aborts_requests_and_logs_their_number(models: Path) -> None:
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


def test_a_shutdown_does_not_wait_for_a_reload(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_REQUEST_TIMEOUT_MS="60000") as server:
        old = set(server.workers)
        with stalled(server):
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not old.issuperset(server.workers))
            wait_until(lambda: server.log.count("worker_ready active=v1") == 2)  # the new worker is ready
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: stopping(server))
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            server.process.wait(20)
            assert time.monotonic() < began + 5
        assert server.process.returncode == 0
        assert "shutdown_forced" in server.log


SHORT_TIMEOUT = "from server.process import workers\nworkers.SHUTDOWN_SECONDS = 2.0\n"


@pytest.mark.parametrize(
    ("seconds", "code"), [(2, SHORT_TIMEOUT), pytest.param(10, "", marks=pytest.mark.long)], ids=["2 s", "10 s"]
)
def test_a_stalled_request_is_aborted_after_the_timeout_and_logged(
    models: Path, tmp_path: Path, seconds: int, code: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(code)
    arguments = ["--models", str(models), "--request-timeout-ms", "60000"]
    with serving(*arguments, PYTHONPATH=f"{tmp_path}:{ROOT}") as server, stalled(server):
        log = server.stop()
        assert f"requests_aborted count=1 seconds={seconds}." in log
        assert server.process.returncode == 0


def test_the_next_answer_on_an_idle_connection_closes_it(models: Path) -> None:
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
