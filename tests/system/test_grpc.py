"""The port of gRPC on a real server: several workers, reloads and shutdowns under load, ports that cannot be used."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import SERVICE
from tests import bundles
from tests.market import ROOT
from tests.processes import Server, free_port, post, serving
from tests.server.grpc.caller import message, outputs
from tests.server.open_inference.tensors_of import bars, body
from tests.server.questions import candle
from tests.waiting import wait_until

WORKERS = 2
CLIENTS = 6
INFER = message(body(candles=bars(0.9)), raw=True)
# As docs/grpc.md advises.
POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}
RETRIES = ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": POLICY}]}))
# gRPC's library cancels calls that have arrived on a connection but were not begun when it stops.
NOT_BEGUN = {"OK", "UNAVAILABLE", "CANCELLED"}


@contextmanager
def channel(port: int, *options: tuple[str, Any]) -> Iterator[grpc.Channel]:
    """A connection of its own."""
    alone = ("grpc.use_local_subchannel_pool", 1)
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[alone, *options]) as made:
        yield made


def method(of: grpc.Channel, name: str = "ModelInfer") -> Any:  # noqa: ANN401
    return of.unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=getattr(pb, f"{name}Response").FromString,
    )


class Load:
    """Clients that call in a closed loop, each on a connection of its own. `ended`: the calls by status."""

    def __init__(self, port: int, *options: tuple[str, Any]) -> None:
        self._port = port
        self._options = options
        self._stop = threading.Event()
        self.ended: Counter[str] = Counter()
        self.texts: set[str] = set()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def _run(self) -> None:
        with channel(self._port, *self._options) as made:
            infer = method(made)
            while not self._stop.is_set():
                try:
                    answer = infer(INFER, timeout=20)
                    assert outputs(answer)["signal"] == ["short"]
                    self.ended["OK"] += 1
                except grpc.RpcError as error:
                    self.ended[error.code().name] += 1
                    self.texts.add(error.details() or "")

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(30)

    def wait_for(self, more: int) -> None:
        """Wait for so many further answers."""
        before = self.ended["OK"]
        wait_until(lambda: self.ended["OK"] >= before + more)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions")
    bundles.write(folder, "v1")
    bundles.write_order(folder, "v1")
    return folder


def served_by(server: Server, port: int, count: int) -> None:
    """Wait until so many workers listen on the port. Each has several sockets."""

    def listening() -> bool:
        sockets = set()
        for table in ("tcp", "tcp6"):  # gRPC has IPv4 addresses in sockets of IPv6, too
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                if local.endswith(f":{port:04X}") and state == "0A":
                    sockets.add(f"socket:[{rest[5]}]")
        return sum(bool(sockets & opened(worker)) for worker in server.workers) == count

    wait_until(listening)


def opened(process: int) -> set[str]:
    """The open files of a process."""
    found = set()
    for each in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add(str(each.readlink()))
    return found


def test_all_workers_share_the_port_and_answer_as_over_http(versions: Path) -> None:
    port = free_port()
    with serving("--models", str(versions), "--grpc-port", str(port), REVERSAL_WORKERS=str(WORKERS)) as server:
        served_by(server, port, WORKERS)
        expected = post(f"{server.url}/reversal/predict", {"pair": "EUR/USD", "data": [candle(0.9)] * 20})[1]["data"]
        for _ in range(20):  # each connection reaches one of the workers
            with channel(port) as made:
                found = outputs(method(made)(INFER, timeout=20))
            assert found["confidence"] == [expected["confidence"]]
        log = server.stop()
    assert f"grpc_port_opened host=127.0.0.1 port={port}" in log
    assert " ERROR " not in log
    assert server.process.returncode == 0


def test_a_free_port_is_chosen_for_0_and_named(versions: Path) -> None:
    with serving("--models", str(versions), "--grpc-port", "0") as server:
        (line,) = [line for line in server.log.splitlines() if "grpc_port_opened" in line]
        with channel(int(line.rpartition("port=")[2])) as made:
            assert method(made, "ServerReady")(pb.ServerReadyRequest(), timeout=20).ready


@pytest.mark.parametrize("retrying", [True, False])
def test_a_reload_under_load_fails_hardly_a_call_of_a_client_that_retries(versions: Path, *, retrying: bool) -> None:
    """A call whose answer has begun is not repeated by the library: of some hundreds, one was seen to fail, rarely."""
    port = free_port()
    with serving("--models", str(versions), "--grpc-port", str(port), REVERSAL_WORKERS=str(WORKERS)) as server:
        served_by(server, port, WORKERS)
        load = Load(port, *((RETRIES,) if retrying else ()))
        with load.running():
            load.wait_for(100)
            before = {*server.workers}
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not before & {*server.workers} and len(server.workers) == WORKERS, 60)
            load.wait_for(100)
        failed = sum(load.ended.values()) - load.ended["OK"]
        assert failed <= (1 if retrying else CLIENTS * WORKERS), (load.ended, load.texts)
        assert {*load.ended} <= NOT_BEGUN, load.ended
        assert " ERROR " not in server.log


def test_a_shutdown_under_load_answers_what_has_begun(versions: Path) -> None:
    port = free_port()
    with serving("--models", str(versions), "--grpc-port", str(port), REVERSAL_WORKERS=str(WORKERS)) as server:
        served_by(server, port, WORKERS)
        load = Load(port)
        with load.running():
            load.wait_for(100)
            log = server.stop()
    assert server.process.returncode == 0
    assert {*load.ended} <= NOT_BEGUN, load.ended
    # Each client had at most one call on its way. What fails after it finds no server.
    assert load.ended["CANCELLED"] <= CLIENTS
    assert all("connect" in text or text == "CANCELLED" for text in load.texts), load.texts
    assert " ERROR " not in log


def test_a_killed_worker_is_replaced(versions: Path) -> None:
    port = free_port()
    with serving("--models", str(versions), "--grpc-port", str(port)) as server:
        served_by(server, port, 1)
        (before,) = server.workers
        with channel(port, RETRIES) as made:
            assert method(made)(INFER, timeout=20)
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: server.workers not in ([], [before]))
            assert method(made)(INFER, timeout=30, wait_for_ready=True)


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A server that cannot start."""
    command = [sys.executable, "-m", "server", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_in_use_ends_the_start(versions: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as gRPC's sockets of another server
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = ended("--models", str(versions), "--port", "0", "--grpc-port", str(port))
    assert found.returncode == 1
    assert f"{port}: Address already in use" in found.stderr


def test_a_unix_socket_has_no_port_of_grpc(versions: Path, tmp_path: Path) -> None:
    found = ended("--models", str(versions), "--host", f"unix:{tmp_path}/s.sock", "--grpc-port", "0")
    assert found.returncode == 2
    assert "REVERSAL_GRPC_PORT: gRPC needs a port" in found.stderr


def test_an_invalid_port_is_named(versions: Path) -> None:
    found = ended("--models", str(versions), "--grpc-port", "http")
    assert found.returncode == 2
    assert "--grpc-port: 'http' is not valid" in found.stderr
