"""Sockets that a service manager opened: all workers listen on them, and they outlive the server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import bundles, namespaces
from tests.application import state_arguments
from tests.listen_fds import passing
from tests.market import ROOT
from tests.processes import Server, alive, children, get, starting
from tests.sockets import accepting
from tests.system.checks import events
from tests.system.load import Load
from tests.waiting import wait_until

TOKEN = "a-token-that-is-long-enough"  # noqa: S105


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    bundles.write(folder, "v1")
    bundles.write_order(folder, "v1")
    return folder


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def ports(opened: ExitStack) -> list[socket.socket]:
    """Two listening ports."""
    return [opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048)) for _ in range(2)]


@pytest.fixture
def unix(opened: ExitStack) -> socket.socket:
    """A listening Unix socket, in a folder whose path is short enough."""
    folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="reversal-"))
    listening = opened.enter_context(socket.socket(socket.AF_UNIX))
    listening.bind(f"{folder}/socket")
    listening.listen()
    return listening


def url(port: socket.socket) -> str:
    return f"http://127.0.0.1:{port.getsockname()[1]}"


@contextmanager
def activated(
    sockets: Sequence[socket.socket], models: Path, *within: str, state: Path | None = None, **environ: str
) -> Iterator[Server]:
    """A server that is passed sockets, of which the first is a port."""
    descriptors = [each.fileno() for each in sockets]
    command = (*within, *passing(descriptors, names=":".join("ab"[: len(sockets)])))
    arguments = ("--models", str(models))
    with starting(*arguments, within=command, state=state, port=None, pass_fds=descriptors, **environ) as server:
        server.url = url(sockets[0])

        def answers() -> bool:
            assert server.process.poll() is None, server.log
            with suppress(OSError):
                return get(f"{server.url}/readyz")[0] == 200
            return False

        wait_until(answers)
        yield server


def refusal(descriptors: Sequence[int], models: Path, tmp_path: Path, **of_passing: str) -> str:
    """What a server says that ends at once, because it cannot use what it is passed."""
    command = [sys.executable, "-m", "server", "--port", "0", "--models", str(models), *state_arguments(tmp_path)]
    done = subprocess.run(
        [*passing(descriptors, **of_passing), *command],
        cwd=ROOT, pass_fds=descriptors, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def asked(listening: socket.socket, call: str, own: str = "", **headers: str) -> tuple[int, Any]:
    """The answer to a call on a Unix socket or a port. `own`: the path of the client's end."""
    method, path = call.split()
    with closing(http.client.HTTPConnection("localhost", timeout=30)) as connection:
        connection.sock = socket.socket(listening.family)
        connection.sock.settimeout(30)
        if own:
            connection.sock.bind(own)
        connection.sock.connect(listening.getsockname())
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_all_workers_listen_on_all_sockets_also_after_a_reload(
    models: Path, ports: list[socket.socket], unix: socket.socket
) -> None:
    sockets = [*ports, unix]
    # No machine has the address of the settings (RFC 1112), so it is not used.
    with activated(sockets, models, REVERSAL_WORKERS="2", REVERSAL_HOST="240.0.0.1", REVERSAL_INSECURE="1") as server:
        (line,) = events(server.log, "sockets_inherited")
        assert "count=3" in line
        numbers = [each.getsockname()[1] for each in ports]
        wait_until(lambda: len(server.workers) == 2)
        before = set(server.workers)
        wait_until(lambda: all(accepting(port, worker) for port in numbers for worker in server.workers))
        assert [asked(each, "GET /livez")[0] for each in sockets] == [200, 200, 200]
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(server.workers) and len(server.workers) == 2)
        wait_until(lambda: all(accepting(port, worker) for port in numbers for worker in server.workers))
        assert [asked(each, "GET /livez")[0] for each in sockets] == [200, 200, 200]
        log = server.stop()
        assert server.process.returncode == 0
    assert "Traceback" not in log
    assert f"path={unix.getsockname()}" in events(log, "socket_opened")[0]
    assert Path(unix.getsockname()).is_socket()  # the service manager removes it


def test_a_restart_refuses_no_connection(models: Path, ports: list[socket.socket], tmp_path: Path) -> None:
    load = Load(url(ports[0]), per_connection=1)
    with (
        ExitStack() as second,  # it ends after the load
        activated(ports[:1], models, state=tmp_path, REVERSAL_WORKERS="2") as first,
        load.running(),
    ):
        load.wait_for(100)
        first.stop()
        assert first.process.returncode == 0
        between = time.monotonic()
        wait_until(lambda: waits(ports[0]))
        second.enter_context(activated(ports[:1], models, state=tmp_path, REVERSAL_WORKERS="2"))
        load.wait_for(100)
    assert not load.refused
    assert not load.lost
    # Requests were sent before there was a server to answer them.
    assert any(answer.sent < between < answer.came for answer in load.answers)


def waits(port: socket.socket) -> bool:
    """Whether a connection waits in the queue of a listening port."""
    number = f"{port.getsockname()[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(f[1].endswith(f":{number}") and f[3] == "0A" and f[4] != "00000000:00000000" for f in lines)


def test_the_address_of_a_client_depends_on_its_connection(
    models: Path, ports: list[socket.socket], unix: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"REVERSAL_ADMIN_TOKEN": TOKEN, "REVERSAL_TRUSTED_PROXIES": "unix"}
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "203.0.113.7"}
    with activated([ports[0], unix], models, state=tmp_path, **environ):
        for listening, own in ((ports[0], ""), (unix, ""), (unix, "10.0.0.1")):  # a path, relative to the folder
            assert asked(listening, "POST /reversal/models/v1/switch", own, **headers)[0] == 200
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["address"] for line in lines] == ["127.0.0.1", "203.0.113.7", "203.0.113.7"]


def test_a_socket_without_a_file_is_named_as_systemd_names_it(
    models: Path, ports: list[socket.socket], opened: ExitStack
) -> None:
    name = f"reversal-test-{os.getpid()}"
    unnamed = opened.enter_context(socket.socket(socket.AF_UNIX))
    unnamed.bind(f"\0{name}")
    unnamed.listen()
    with activated([ports[0], unnamed], models) as server:
        assert asked(unnamed, "GET /livez")[0] == 200
        assert f"path=@{name}" in events(server.log, "socket_opened")[0]


def test_process_1_of_a_container_passes_them_to_the_server(models: Path, ports: list[socket.socket]) -> None:
    container = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    namespaces.needs(*container, "true")
    with activated(ports[:1], models, *container) as server:
        assert events(server.log, "sockets_inherited")
        (init,) = children(server.process.pid)
        os.kill(init, signal.SIGTERM)
        wait_until(lambda: not alive(init))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "is not a stream socket; use ListenStream="),
        (lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), "is not a stream socket; use ListenStream="),
        (partial(socket.socket, socket.AF_UNIX), "does not listen; set Accept=no"),
        (lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), "is neither a port nor a Unix socket"),
        (partial(open, os.devnull, "rb"), "is not a socket (Socket operation on non-socket)"),
    ],
    ids=["datagrams", "packets", "not listening", "netlink", "file"],
)
def test_what_is_no_listening_socket_is_refused_with_its_name(
    make: Any,  # noqa: ANN401 - sockets and files
    reason: str,
    models: Path,
    ports: list[socket.socket],
    tmp_path: Path,
) -> None:
    with make() as wrong:
        error = refusal([ports[0].fileno(), wrong.fileno()], models, tmp_path, names="a:b")
    assert error.startswith(f"LISTEN_FDS: descriptor 4 (b) {reason}")


@pytest.mark.parametrize(
    ("count", "error"),
    [
        ("2", "LISTEN_FDS: descriptor 4 is not a socket ("),
        ("-1", "LISTEN_FDS: '-1' is not a number of sockets"),
        ("one", "LISTEN_FDS: 'one' is not a number of sockets"),
    ],
)
def test_a_wrong_count_is_refused(
    count: str, error: str, models: Path, ports: list[socket.socket], tmp_path: Path
) -> None:
    assert refusal([ports[0].fileno()], models, tmp_path, count=count).startswith(error)


def test_sockets_for_the_script_that_starts_the_server_are_refused(
    models: Path, ports: list[socket.socket], tmp_path: Path
) -> None:
    error = refusal([ports[0].fileno()], models, tmp_path, process="1")
    assert error.startswith("LISTEN_PID: the sockets were passed to process 1, and this is process ")
    assert error.endswith("write `exec` before the command")


def test_left_over_variables_are_ignored_and_removed(models: Path) -> None:
    with starting("--models", str(models), LISTEN_FDS="one", LISTEN_PID="1") as server:
        wait_until(lambda: bool(events(server.log, "worker_ready")) or server.process.poll() is not None)
        assert get(f"{server.url}/livez")[0] == 200
        assert not events(server.log, "sockets_inherited")


def test_a_port_that_other_machines_reach_needs_tokens(models: Path, opened: ExitStack, tmp_path: Path) -> None:
    reachable = opened.enter_context(socket.create_server(("0.0.0.0", 0)))  # noqa: S104 - refused by the server
    error = refusal([reachable.fileno()], models, tmp_path)
    assert error.startswith("LISTEN_FDS: a socket that the service manager opened is reachable from other machines")


def test_the_port_of_grpc_needs_tokens_also_beside_sockets_of_this_machine(
    models: Path, unix: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVERSAL_GRPC_PORT", "0")
    monkeypatch.setenv("REVERSAL_HOST", "0.0.0.0")  # noqa: S104 - refused by the server
    assert refusal([unix.fileno()], models, tmp_path).startswith("REVERSAL_HOST: '0.0.0.0' is reachable from other")


def test_the_port_of_grpc_is_on_the_address_of_the_settings(models: Path, ports: list[socket.socket]) -> None:
    with activated(ports[:1], models, REVERSAL_GRPC_PORT="0", REVERSAL_HOST="127.0.0.2") as server:
        assert "host=127.0.0.2" in events(server.log, "grpc_port_opened")[0]
        assert (
            'effect="REVERSAL_HOST and REVERSAL_PORT are not used for HTTP"'
            in events(server.log, "sockets_inherited")[0]
        )
