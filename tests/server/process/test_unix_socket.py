"""A server that listens on a Unix socket, in real processes."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from server.process import unix_socket
from server.process.unix_socket import SocketFile, listen
from tests import bundles
from tests.processes import Server, alive, starting
from tests.server.auth.certificates import write
from tests.server.questions import asks
from tests.system.checks import events
from tests.waiting import wait_until

BACKLOG = 8


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    bundles.write(folder, "v1")
    bundles.write(folder, "v2")
    bundles.write_order(folder, "v1", "v2")
    return folder


@pytest.fixture
def path() -> Iterator[Path]:
    """Where the socket is: the paths of pytest's folders can be too long for one."""
    with tempfile.TemporaryDirectory(prefix="reversal-") as folder:
        yield Path(folder, "reversal.sock")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, tls: ssl.SSLContext | None = None) -> None:
        super().__init__("localhost", timeout=30)
        self._path, self._tls = str(path), tls

    def connect(self) -> None:
        plain = self.sock = socket.socket(socket.AF_UNIX)
        plain.settimeout(self.timeout)
        plain.connect(self._path)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(plain, server_hostname="localhost")


def ask(connection: http.client.HTTPConnection, call: str, body: object = None, **headers: str) -> tuple[int, Any]:
    method, target = call.split()
    data = b"" if body is None else orjson.dumps(body)
    connection.request(method, target, data, {"Content-Type": "application/json"} | headers)
    answer = connection.getresponse()
    return answer.status, orjson.loads(answer.read())


def asked(path: Path, call: str, body: object = None, **headers: str) -> tuple[int, Any]:
    with closing(UnixConnection(path)) as connection:
        return ask(connection, call, body, **headers)


def is_alive(path: Path, tls: ssl.SSLContext | None = None) -> bool:
    with suppress(OSError), closing(UnixConnection(path, tls)) as connection:
        return ask(connection, "GET /livez")[0] == 200
    return False


@contextmanager
def serving_on(path: Path, models: Path, *arguments: str, state: Path | None = None) -> Iterator[Server]:
    with starting("--models", str(models), "--host", f"unix:{path}", *arguments, state=state) as server:
        wait_until(lambda: server.process.poll() is not None or is_alive(path))
        assert server.process.poll() is None, server.log
        yield server


def test_a_unix_socket_serves_survives_kill_and_reload_and_is_removed_at_the_end(
    path: Path, models: Path, tmp_path: Path
) -> None:
    with serving_on(path, models, "--workers", "2", state=tmp_path) as server:
        wait_until(lambda: len(events(server.log, "worker_ready")) == 2)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert asked(path, "POST /reversal/predict", asks(0.9))[0] == 200
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(path))
            stranger.sendall(b"no HTTP\r\n\r\n")
            assert b" 400 " in stranger.recv(1024)
        assert asked(path, "GET /livez", Host="evil.example")[0] == 403  # as on loopback without tokens
        with ExitStack() as opened:
            for _ in range(12):
                ask(opened.enter_context(closing(UnixConnection(path))), "GET /livez")
            counts = [_connections(worker) for worker in server.workers]
            assert max(counts) - min(counts) <= 1
        (killed, _) = server.workers
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not alive(killed) and len(server.workers) == 2)
        before = server.workers
        assert asked(path, "POST /reversal/models/v2/switch", **{"X-Forwarded-For": "203.0.113.7"})[0] == 200
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not any(map(alive, before)) and len(server.workers) == 2)
        assert asked(path, "GET /health")[1]["model_version"] == "v2"
        log = server.stop()
        assert server.process.returncode == 0
        assert not path.exists()
    assert [f"path={path}" in line for line in events(log, "socket_opened")] == [True]
    assert not events(log, "port_opened")
    assert ["address=unix " in line for line in events(log, "request_unreadable")] == [True]
    (entry,) = (tmp_path / "audit.jsonl").read_bytes().splitlines()
    assert orjson.loads(entry)["address"] == "unix"


def _connections(worker: int) -> int:
    """The number of a process's connections on Unix sockets."""
    names = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if line.endswith(".sock")}
    links = [link.readlink().name for link in Path(f"/proc/{worker}/fd").iterdir()]
    return sum(link.startswith("socket:") and link[8:-1] in names for link in links)


def test_a_killed_server_leaves_a_file_that_the_next_one_replaces_and_a_live_one_is_refused(
    path: Path, models: Path
) -> None:
    with serving_on(path, models) as killed:
        killed.kill()
        assert path.is_socket()
    with serving_on(path, models) as server:
        with starting("--models", str(models), "--host", f"unix:{path}") as second:
            assert second.process.wait(30) == 1
            assert f"cannot listen on unix:{path}: another process listens there" in second.log
        assert is_alive(path)
        os.kill(server.process.pid, signal.SIGKILL)  # only the keeper: the workers end, and the file with them
        wait_until(lambda: not path.exists())


def test_the_clients_of_a_unix_socket_are_one_address_unless_they_are_proxies(path: Path, models: Path) -> None:
    token = ("--admin-token", "a-token-that-is-long-enough")
    headers = {"Authorization": "Bearer guess", "X-Forwarded-For": "203.0.113.7"}
    for trusted, address in (("", "unix"), ("unix", "203.0.113.7")):
        with serving_on(path, models, "--trusted-proxies", trusted, *token) as server:
            with closing(UnixConnection(path)) as connection:
                found = [ask(connection, "GET /reversal/models", **headers)[0] for _ in range(11)]
            assert found == [401] * 10 + [429]
            (line,) = events(server.log, "address_rate_limited")
            assert f"address={address} " in line
            path.unlink()  # by an operator: the shutdown is as usual
            server.stop()
            assert server.process.returncode == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reaches_a_unix_socket_also_with_tls(path: Path, models: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    certificate, key = write(tmp_path, authority, "localhost")
    tls = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with starting("--models", str(models), "--host", f"unix:{path}", *tls) as server:
        context = ssl.create_default_context(cafile=str(trusted))
        wait_until(lambda: server.process.poll() is not None or is_alive(path, context))
        command = ["curl", "-sS", "--cacert", str(trusted), "--unix-socket", str(path), "https://localhost/readyz"]
        assert orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout) == {"status": "ready"}


def test_a_file_that_is_no_socket_is_kept_and_refused(path: Path, models: Path) -> None:
    path.write_text("notes")
    with starting("--models", str(models), "--host", f"unix:{path}") as server:
        assert server.process.wait(30) == 1
        assert f"cannot listen on unix:{path}: the path exists and is not a socket" in server.log
    assert path.read_text() == "notes"


def test_only_a_socket_on_which_no_process_listens_is_replaced(path: Path) -> None:
    with listen(path, BACKLOG):
        with pytest.raises(OSError, match="another process") as refused:
            listen(path, BACKLOG)
        assert refused.value.errno == errno.EADDRINUSE
    listen(path, BACKLOG).close()
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="not a socket"):
        listen(path, BACKLOG)
    path.rmdir()
    path.symlink_to(path.with_name("another"))
    with pytest.raises(OSError, match="not a socket"):
        listen(path, BACKLOG)
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(OSError, match="another process"):
            listen(path, BACKLOG)
    with pytest.raises(FileNotFoundError):
        listen(path.with_name("nowhere") / "x.sock", BACKLOG)


def test_a_live_socket_with_a_full_queue_is_not_replaced(path: Path) -> None:
    with listen(path, 0), ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(str(path))
        with pytest.raises(OSError, match="another process"):
            listen(path, BACKLOG)


def test_a_server_removes_its_own_file_only(path: Path) -> None:
    with listen(path, BACKLOG) as first:
        old = SocketFile.of(first)
    with listen(path, BACKLOG) as second:
        old.remove()
        assert path.is_socket()
        SocketFile.of(second).remove()
        assert not path.exists()
        old.remove()  # a file that is gone is no error


def test_the_folder_is_locked_while_the_file_of_a_killed_server_is_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(path, BACKLOG).close()  # as a killed server leaves it
    replace, free = unix_socket._make_room, []  # noqa: SLF001 - the moment in which another server could start

    def watched(path: Path) -> None:
        with opened_folder(path.parent) as folder:
            free.append(unix_socket._lock(folder))  # noqa: SLF001
        replace(path)

    monkeypatch.setattr(unix_socket, "_make_room", watched)
    listen(path, BACKLOG).close()
    assert free == [False]
    with opened_folder(path.parent) as folder:
        assert unix_socket._lock(folder)  # noqa: SLF001
        monkeypatch.setattr(unix_socket, "_LOCK_SECONDS", 0.0)
        listen(path, BACKLOG).close()  # the lock of another program is not waited for without end


@contextmanager
def opened_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)
