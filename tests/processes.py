"""Starts real servers: `python -m server` on a real socket, each with its own state."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.market import ROOT
from tests.waiting import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def call(
    url: str, body: bytes | None = None, method: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of an answer, also of an error."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=body, method=method, headers=sent)  # noqa: S310 - the test's own server
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def get(url: str) -> tuple[int, dict[str, Any]]:
    return call(url)


def post(url: str, body: object = None, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return call(url, text, "POST", headers)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs. A zombie, which has ended without being waited for, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process, and let it continue after the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A running server. `process` is the keeper; its child, gunicorn's manager, is the parent of the workers."""

    url: str
    process: subprocess.Popen[bytes]
    # A file, because a pipe that is not read fills up and then blocks the server.
    log_file: IO[bytes]

    @property
    def manager(self) -> int:
        """The process id of gunicorn's manager."""
        (manager,) = children(self.process.pid)
        return manager

    @property
    def workers(self) -> list[int]:
        return [worker for manager in children(self.process.pid) for worker in children(manager)]

    @property
    def pids(self) -> list[int]:
        """All processes of the server."""
        return [self.process.pid, *children(self.process.pid), *self.workers]

    @property
    def log(self) -> str:
        """The log so far. The server shares the file's position, so a seek would let it write over its first lines."""
        descriptor = self.log_file.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

    def stop(self) -> str:
        """Stop the server with SIGTERM; returns its log."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return self.log

    def kill(self) -> None:
        """Kill all processes of the server, as if the machine were switched off."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(
    *arguments: str, state: Path | None = None, port: int | None = None, within: Sequence[str] = (), **environ: str
) -> Iterator[Server]:
    """Start a server and wait until it answers. `state`: a folder that is kept after the server has ended."""
    with starting(*arguments, state=state, port=port, within=within, pass_fds=(), **environ) as server:
        wait_until_alive(server)
        yield server


@contextmanager
def starting(
    *arguments: str,
    state: Path | None = None,
    port: int | None = None,
    within: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    **environ: str,
) -> Iterator[Server]:
    """Start a server without waiting until it answers. `within`: a command that runs the server's, such as unshare.

    `pass_fds`: descriptors that this command inherits.
    """
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="reversal-state-") as fresh, tempfile.TemporaryFile() as log:
        folder = state or Path(fresh)
        defaults = {
            "REVERSAL_STATE_URL": f"sqlite:///{folder}/state.db",
            "REVERSAL_JOURNALS": str(folder / "journals"),
            "REVERSAL_AUDIT": str(folder / "audit.jsonl"),
            "REVERSAL_WORKERS": "1",
            "REVERSAL_GRACE_SECONDS": "0",
        }
        process = subprocess.Popen(
            [*within, sys.executable, "-m", "server", "--port", str(port), *arguments],
            cwd=ROOT,
            env=os.environ | defaults | environ,
            stdout=log,
            stderr=log,
            pass_fds=pass_fds,
        )
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            yield server
        finally:
            if process.poll() is None:
                server.kill()


def wait_until_alive(server: Server) -> None:
    """Wait until the server answers. Fails if it ends, or if a sitecustomize.py that patches it raised an error."""

    def answers() -> bool:
        assert server.process.poll() is None, server.log
        with suppress(OSError):
            get(f"{server.url}/livez")
            return True
        return False

    wait_until(answers)
    assert "Error in sitecustomize" not in server.log, server.log
