"""The real thing: `python -m server` on a real socket, with a state of its own."""

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
from collections.abc import Iterator
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


def call(url: str, body: bytes | None = None, method: str | None = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer, whatever the status."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, data=body, method=method, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def get(url: str) -> tuple[int, dict[str, Any]]:
    return call(url)


def post(url: str, body: object = None) -> tuple[int, dict[str, Any]]:
    return call(url, body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(), "POST")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_seconds(pid: int) -> float:
    """What a process has used of the CPUs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A running server. `process` is the keeper; its child, gunicorn's arbiter, has the workers."""

    url: str
    process: subprocess.Popen[bytes]
    # A file, as nobody reads while it runs: a pipe that is full would stop the server.
    log_file: IO[bytes]

    @property
    def manager(self) -> int:
        """Gunicorn's arbiter."""
        (manager,) = children(self.process.pid)
        return manager

    @property
    def workers(self) -> list[int]:
        return [worker for manager in children(self.process.pid) for worker in children(manager)]

    @property
    def pids(self) -> list[int]:
        """Every process of it."""
        return [self.process.pid, *children(self.process.pid), *self.workers]

    @property
    def log(self) -> str:
        """What it has said until now."""
        self.log_file.seek(0)
        return self.log_file.read().decode()

    def stop(self) -> str:
        """End it as an operator does; returns its log."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return self.log

    def kill(self) -> None:
        """Kill every process of it at once, as a machine that is switched off."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving(*arguments: str, state: Path | None = None, port: int | None = None, **environ: str) -> Iterator[Server]:
    """Start a server and wait until it answers; `state` is a folder that may outlive it."""
    with starting(*arguments, state=state, port=port, **environ) as server:
        wait_until_alive(server)
        yield server


@contextmanager
def starting(*arguments: str, state: Path | None = None, port: int | None = None, **environ: str) -> Iterator[Server]:
    """Start a server, which may not get as far as to answer."""
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
            [sys.executable, "-m", "server", "--port", str(port), *arguments],
            cwd=ROOT,
            env=os.environ | defaults | environ,
            stdout=log,
            stderr=log,
        )
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            yield server
        finally:
            if process.poll() is None:
                server.kill()


def wait_until_alive(server: Server) -> None:
    def answers() -> bool:
        assert server.process.poll() is None, server.log
        with suppress(OSError):
            get(f"{server.url}/livez")
            return True
        return False

    wait_until(answers)
