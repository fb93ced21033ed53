"""A running server answers clients that shut down their sending side behind the request, as `nc -N` does."""

from __future__ import annotations

import re
import socket
import struct
import time
import urllib.request
from pathlib import Path

import pytest

from server.http.connections.connection import RESET_CHECK_SECONDS
from tests.market import ROOT
from tests.processes import Server, serving, stopped
from tests.sockets import is_gone, is_read
from tests.system.load import message, question
from tests.waiting import wait_until

BODY = re.sub(r"'", '"', str(question(0, 41))).encode()
PREDICT = "/reversal/predict"
TIMES = 20
PATHS = {
    "health": message("/health", method="GET"),
    "models": message("/reversal/models", method="GET"),
    "a prediction": message(PREDICT, BODY),
    "a prediction on the usual path": message(PREDICT, BODY, Content_Type="application/json; charset=utf-8"),
    "a batch": message("/reversal/predict/batch", b'{"items": [' + BODY + b"]}"),
    "a comparison": message("/reversal/compare", BODY),
    "a call of the keeper": message("/reversal/experiments", method="GET"),
    "a change": message("/reversal/models/v1/switch"),
}


def answers(server: Server, sent: bytes) -> bytes:
    """All bytes until the server ends the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(1 << 16):
            received += piece
    return received


@pytest.mark.parametrize("fast_path", ["1", "0"], ids=["fast path", "plain"])
def test_every_client_that_ends_its_side_gets_its_answers(models: Path, fast_path: str) -> None:
    with serving("--models", str(models), REVERSAL_FAST_PATH=fast_path) as server:
        for name, sent in PATHS.items():
            found = [re.findall(rb"HTTP/1.1 (\d+)", answers(server, sent)) for _ in range(TIMES)]
            assert found == [[b"200"]] * TIMES, name
        together = b"".join(PATHS.values())
        assert answers(server, together).count(b"HTTP/1.1 ") == len(PATHS)
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(PATHS["a batch"][:-1])
            connection.shutdown(socket.SHUT_WR)
            own = connection.getsockname()[1]
            wait_until(lambda: is_gone(port, own))
        log = server.stop()
    assert "Traceback" not in log


def test_a_reset_behind_the_end_of_the_clients_side_abandons_its_batch() -> None:
    candles = (ROOT / "docs" / "examples" / "predict.json").read_bytes()
    # The longest batch, so that it is not answered before the worker stands still.
    sent = message("/reversal/predict/batch", b'{"items": [' + b",".join([candles] * 1024) + b"]}")
    with serving("--workers", "1") as server:
        host, port = server.url.removeprefix("http://").split(":")

        def abandoned() -> bool:
            with urllib.request.urlopen(f"{server.url}/metrics") as response:  # noqa: S310 - our own
                return b"\nreversal_predictions_abandoned_total 1.0" in response.read()

        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            wait_until(lambda: is_read(connection))
            with stopped(*server.workers):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
                connection.close()
                time.sleep(2 * RESET_CHECK_SECONDS)
        wait_until(abandoned, 10)
