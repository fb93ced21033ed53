"""What reads the log stalls, or is gone: the server goes on, and the log says how many lines are missing."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.market import ROOT
from tests.processes import Server, alive, free_port, get, post, wait_until_alive
from tests.waiting import wait_until

PREDICT = (ROOT / "docs" / "examples" / "predict.json").read_bytes()
# With the access log, these requests make more lines than a pipe of 64 KiB and the queue of 1 MiB hold.
MANY = 4_000


@contextmanager
def logging_to(descriptor: int | None, folder: Path, **environ: str) -> Iterator[Server]:
    """A server whose standard error is a descriptor of the test, or closed."""
    given = {
        "REVERSAL_STATE_URL": f"sqlite:///{folder}/state.db",
        "REVERSAL_JOURNALS": str(folder / "journals"),
        "REVERSAL_AUDIT": str(folder / "audit.jsonl"),
        "REVERSAL_WORKERS": "1",
        "REVERSAL_GRACE_SECONDS": "0",
        "REVERSAL_PORT": str(free_port()),
        "REVERSAL_ACCESS_LOG": "1",
    }
    command = [sys.executable, "-m", "server"]
    if descriptor is None:
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | given | environ, stderr=descriptor)
    server = Server(f"http://127.0.0.1:{given['REVERSAL_PORT']}", process, (folder / "unused").open("w+b"))
    try:
        wait_until_alive(server)
        wait_until(lambda: get(f"{server.url}/readyz")[0] == 200)
        yield server
    finally:
        server.log_file.close()
        if process.poll() is None:
            server.kill()


def predict(server: Server, count: int) -> None:
    """Each prediction must be answered."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    for _ in range(count):
        connection.request("POST", "/reversal/predict", PREDICT, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def lost(server: Server) -> int:
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:  # noqa: S310 - the test's own server
        lines = answer.read().decode().splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith("reversal_log_lines_dropped_total ")]
    return int(float(value))


def full_pipe() -> tuple[int, int]:
    """A pipe that takes no byte more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"\n" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
            return reading, writing


class Reader:
    """Reads a pipe in a thread, until every process that writes to it has ended."""

    def __init__(self, descriptor: int) -> None:
        self.found = bytearray()
        self._descriptor = descriptor
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while piece := os.read(self._descriptor, 1 << 16):
            self.found += piece
        os.close(self._descriptor)

    def lines(self) -> list[dict[str, Any]]:
        """All lines, each of which must be whole."""
        self._thread.join(10)
        return [json.loads(line) for line in self.found.splitlines() if line]


def stop(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0


def test_nothing_waits_for_a_log_that_nothing_reads(tmp_path: Path) -> None:
    reading, writing = full_pipe()
    with logging_to(writing, tmp_path, REVERSAL_LOG_FORMAT="json") as server:
        assert os.get_blocking(writing)  # other programs can share it
        predict(server, MANY)
        assert post(f"{server.url}/reversal/predict", b"{")[0] == 400
        assert post(f"{server.url}/reversal/models/v3.0/switch")[0] == 200
        assert get(f"{server.url}/reversal/experiments")[0] == 200
        wait_until(lambda: lost(server) > 0)
        worker = server.workers[0]
        os.kill(worker, signal.SIGKILL)  # the manager logs that, and must replace it
        wait_until(lambda: server.workers not in ([], [worker]))
        predict(server, 1)
        os.close(writing)
        reader = Reader(reading)
        pids = server.pids
        stop(server)
        assert not [pid for pid in pids if alive(pid)]
    lines = reader.lines()
    named = {line["event"] for line in lines if "event" in line}
    assert {"server_starting", "port_opened", "request_answered", "server_stopped"} <= named


def test_a_log_that_flows_again_says_how_many_lines_are_missing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with logging_to(writing, tmp_path, REVERSAL_LOG_FORMAT="json") as server:
        os.close(writing)
        predict(server, MANY)
        wait_until(lambda: lost(server) > 0)
        reader = Reader(reading)
        wait_until(lambda: b"log_lines_dropped" in reader.found)
        stop(server)
    lines = reader.lines()
    missing = sum(line["fields"]["count"] for line in lines if line.get("event") == "log_lines_dropped")
    answered = [
        line for line in lines if line.get("event") == "request_answered" and line["fields"]["method"] == "POST"
    ]
    assert missing > 0
    assert len(answered) + missing >= MANY


@pytest.mark.parametrize("kind", ["closed pipe", "full disk", "closed"])
def test_a_log_that_cannot_be_written_stops_nothing(kind: str, tmp_path: Path) -> None:
    writing: int | None = None
    if kind == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
    elif kind == "full disk":
        writing = os.open("/dev/full", os.O_WRONLY)
    with logging_to(writing, tmp_path) as server:
        if writing is not None:
            os.close(writing)
        predict(server, 20)
        assert post(f"{server.url}/reversal/predict", b"{")[0] == 400
        assert post(f"{server.url}/reversal/models/v3.0/switch")[0] == 200
        if kind != "closed":
            wait_until(lambda: lost(server) >= 20)
        stop(server)
