"""The end of a server: nobody is cut off who was there before the port closed."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
import urllib.parse
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.market import ROOT
from tests.processes import Server, alive, get, post, serving
from tests.system.load import Answer, Load, question, start_experiment, tell
from tests.system.test_kill import assert_stored
from tests.system.waiting import wait_until

WORKERS = 2
ROUNDS = 20


def failed(load: Load) -> list[Answer]:
    """Requests that were sent and got no answer; who cannot connect any more has sent nothing."""
    return [answer for answer in load.lost if "ClientConnectorError" not in answer.error]


@pytest.mark.parametrize("round_", range(ROUNDS))
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


# A name that is two addresses, and workers that are held up where they have seen that others are there.
HELD_UP = """
import socket, sys, time
from server.accepting import Connections
_getaddrinfo, _anybody = socket.getaddrinfo, Connections.anybody
def getaddrinfo(host, *rest, **options):
    hosts = ("127.0.0.1", "127.0.0.2") if host == "both.test" else (host,)
    return [found for each in hosts for found in _getaddrinfo(each, *rest, **options)]
def anybody(self):
    others = _anybody(self)
    if others:
        print("a worker is held up", file=sys.stderr, flush=True)
        time.sleep(0.5)
    return others
socket.getaddrinfo, Connections.anybody = getaddrinfo, anybody
"""


def test_what_comes_while_a_worker_is_held_up_in_leaving_is_answered(models: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HELD_UP)
    held_up = partial(serving, PYTHONPATH=f"{tmp_path}:{ROOT}", REVERSAL_HOST="both.test")
    with ExitStack() as clients, held_up("--models", str(models), REVERSAL_WORKERS=str(WORKERS)) as server:
        wait_until(lambda: server.log.count("version v1 is active, loaded") == WORKERS)
        time.sleep(0.2)  # until all accept
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "a worker is held up" in server.log)
        asked = []
        for address in ("127.0.0.1", "127.0.0.2") * 4:
            client = http.client.HTTPConnection(address, urllib.parse.urlsplit(server.url).port)
            clients.callback(client.close)
            client.request("POST", "/reversal/predict", json.dumps(question(0, 1)))
            asked.append(client)
            time.sleep(0.01)
        assert all(json.loads(client.getresponse().read())["success"] for client in asked)
        assert server.process.wait(20) == 0


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
    time.sleep(0.2)
    return connection


def test_a_second_signal_waits_for_nobody_and_tells_whom_it_cuts_off(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_REQUEST_TIMEOUT_MS="60000") as server, stalled(server):
        pids = server.pids
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
        assert time.monotonic() < began + 5
        assert "told to stop once more" in server.log
        assert "1 requests are cut off" in server.log
        assert not any(map(alive, pids))


def test_who_stalls_is_cut_off_in_the_end_and_that_is_told(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_REQUEST_TIMEOUT_MS="60000") as server, stalled(server):
        log = server.stop()
        assert "1 requests are cut off" in log
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
