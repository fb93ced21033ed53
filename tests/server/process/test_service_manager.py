"""What the service manager is told: by the class, and by a real server on a real datagram socket."""

from __future__ import annotations

import array
import asyncio
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from server.process.service_manager import ServiceManager, Workers
from tests.processes import Server, get, serving, starting
from tests.waiting import until, wait_until

NONE = Workers(0, None, replaced=True)
SERVING = Workers(2, "v1", replaced=True)
UNABLE = Workers(2, None, replaced=True)
REPLACING = Workers(4, "v1", replaced=False)
READY = "READY=1\nSTATUS=workers: 2; v1 answers"
_CREDENTIALS = struct.Struct("3i")  # process, user, group: unix(7)


class Listener:
    """A service manager's socket. Each message has the id of the process that sent it."""

    def __init__(self, address: str) -> None:
        self.messages: list[str] = []
        self.senders: set[int] = set()
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def read(self) -> list[str]:
        """All messages so far."""
        with suppress(BlockingIOError):
            while True:
                message, others, *_ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
                self.messages.append(message.decode())
                for _, kind, data in others:
                    assert kind == socket.SCM_CREDENTIALS
                    self.senders.add(_CREDENTIALS.unpack(array.array("B", data).tobytes())[0])
        return self.messages

    def count(self, message: str) -> int:
        """How often a line has come so far."""
        return sum(message in each.splitlines() for each in self.read())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    address = f"{tmp_path}/notify" if request.param == "file" else f"@reversal-test-{os.getpid()}-{time.monotonic_ns()}"
    listener = Listener(address)
    yield listener
    listener.close()


async def told(service: ServiceManager, listener: Listener, workers: list[Workers], first: str) -> None:
    """Follow the workers until a message has come."""
    task = asyncio.create_task(service.follow(lambda: workers[0]))
    await until(lambda: first in listener.read())
    task.cancel()


async def test_it_is_ready_once_a_version_answers(listener: Listener) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": listener.address})
    workers = [UNABLE]
    await told(service, listener, workers, "STATUS=workers: 2; no version can answer")
    assert not listener.count("READY=1")
    workers[0] = SERVING
    await told(service, listener, workers, READY)
    workers[0] = NONE
    await told(service, listener, workers, "STATUS=workers: 0; no version can answer")
    assert listener.count("READY=1") == 1


async def test_a_reload_ends_when_the_workers_are_replaced(listener: Listener) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": listener.address})
    service.reloading()
    assert not listener.read()  # it has not started
    workers = [SERVING]
    await told(service, listener, workers, READY)
    before = time.monotonic_ns() // 1000
    service.reloading()
    lines = dict(line.split("=", 1) for line in listener.read()[-1].splitlines())
    assert lines["RELOADING"] == "1"
    assert before <= int(lines["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    workers[0] = REPLACING
    task = asyncio.create_task(service.follow(lambda: workers[0]))
    await asyncio.sleep(0)
    assert listener.count("READY=1") == 1
    workers[0] = SERVING
    await until(lambda: listener.count("READY=1") == 2)
    task.cancel()
    service.stopping()
    service.stopping()
    service.reloading()
    assert listener.count("STOPPING=1") == 1
    assert listener.read()[-1].startswith("STOPPING=1")


@pytest.mark.parametrize("process", ["", str(os.getpid())], ids=["any", "own"])
async def test_signs_of_life_need_a_worker(listener: Listener, process: str) -> None:
    service = ServiceManager(
        {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "40000"} | ({"WATCHDOG_PID": process} if process else {})
    )
    workers = [NONE]
    task = asyncio.create_task(service.follow(lambda: workers[0]))
    await until(lambda: bool(listener.read()))
    assert not listener.count("WATCHDOG=1")
    workers[0] = UNABLE
    await until(lambda: listener.count("WATCHDOG=1") >= 3)
    workers[0] = NONE
    service.stopping()
    count = listener.count("WATCHDOG=1")
    await until(lambda: listener.count("WATCHDOG=1") > count)  # while the journals are drained
    task.cancel()


@pytest.mark.parametrize("environ", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}])
async def test_a_watchdog_of_another_process_or_without_an_interval_gets_no_signs(
    listener: Listener, environ: dict[str, str]
) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "1000"} | environ)
    await told(service, listener, [SERVING], READY)
    assert not listener.count("WATCHDOG=1")


@pytest.mark.parametrize("address", ["", "notify", "/absent/notify", "@" + 200 * "a", "/a\0b", "vsock:2:1"])
async def test_without_a_socket_nothing_happens(address: str) -> None:
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000", "GUNICORN_FD": "x", "HOME": "/"}
    service = ServiceManager(environ)
    assert environ == {"HOME": "/"}
    service.reloading()
    service.stopping()
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await service.follow(lambda: SERVING)


async def test_a_message_that_finds_no_room_is_sent_again(listener: Listener) -> None:
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.setblocking(False)
    filler.connect(f"\0{listener.address[1:]}" if listener.address.startswith("@") else listener.address)
    with suppress(BlockingIOError):
        while True:
            filler.send(b"full")
    filler.close()
    service = ServiceManager({"NOTIFY_SOCKET": listener.address})
    task = asyncio.create_task(service.follow(lambda: SERVING))
    await asyncio.sleep(0)
    await until(lambda: READY in listener.read())
    task.cancel()


def test_a_server_tells_what_it_does_and_its_children_tell_nothing(tmp_path: Path) -> None:
    listener = Listener(f"{tmp_path}/notify")
    with starting(REVERSAL_WORKERS="2", NOTIFY_SOCKET=listener.address, WATCHDOG_USEC="200000") as server:
        wait_until(lambda: listener.count("READY=1") == 1)
        assert get(f"{server.url}/readyz")[0] == 200
        wait_until(lambda: listener.count("WATCHDOG=1") >= 2)
        before = set(server.workers)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: listener.count("RELOADING=1") == 1)
        wait_until(lambda: listener.count("READY=1") == 2)
        wait_until(lambda: not before & set(server.workers))  # their processes end a moment later
        assert_dead_keeper_is_silent(server, listener)
        server.stop()
        assert server.process.returncode == 0
    assert listener.count("STOPPING=1") == 1
    assert listener.senders == {server.process.pid}
    listener.close()


def assert_dead_keeper_is_silent(server: Server, listener: Listener) -> None:
    """Assert that an event loop that stands still gives no sign of life."""
    server.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    count = listener.count("WATCHDOG=1")
    assert get(f"{server.url}/readyz")[0] == 200  # the workers go on
    assert listener.count("WATCHDOG=1") == count
    server.process.send_signal(signal.SIGCONT)
    wait_until(lambda: listener.count("WATCHDOG=1") > count)


def test_a_dead_socket_does_not_harm(tmp_path: Path) -> None:
    with serving(NOTIFY_SOCKET=f"{tmp_path}/absent", WATCHDOG_USEC="100000") as server:
        assert get(f"{server.url}/readyz")[0] == 200
        server.stop()
        assert server.process.returncode == 0
