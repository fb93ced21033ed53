"""Servers to measure: started on a state of their own, watched from /proc, ended with everything they started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Connection, LoadError, message
from benchmarks.machine import ROOT

START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Running:
    """A server that answers on a port of 127.0.0.1. `ready_seconds`: from its start to its first 200 of /readyz."""

    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float

    @property
    def pids(self) -> list[int]:
        """Every process of it, parents first."""
        found = [self.process.pid]
        for pid in found:  # grows as it goes
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    @property
    def cpu_seconds(self) -> float:
        """What its present processes have used."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS

    @property
    def rss_mib(self) -> list[float]:
        """Resident memory of each of `pids`; pages that they share count in each."""
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids]
        return [round(int(text.split("VmRSS:")[1].split()[0]) / 1024, 1) for text in texts]


@contextmanager
def apart(*servers: Running) -> Iterator[None]:
    """Keep this process, the client, on the last CPU it has and the servers off it.

    A client that waits for each answer is else drawn to its server's CPU or not, by chance and for long, and then two
    sleeping CPUs need not be woken for each request: that halves what the echo server takes.
    """
    own = os.sched_getaffinity(0)
    *others, last = sorted(own)
    pids = [pid for server in servers for pid in server.pids] if others else []
    try:
        for pid in pids:
            os.sched_setaffinity(pid, others)
        os.sched_setaffinity(0, {last})
        yield
    finally:
        for pid in (0, *pids):
            os.sched_setaffinity(pid, own)


@contextmanager
def started(
    command: Sequence[str], port: int, folder: Path = ROOT, ready: str = "/readyz", **variables: str
) -> Iterator[Running]:
    """Run a command in a folder until the path `ready` answers 200, and end it afterwards. Raises LoadError."""
    # Where compiled code may not be kept, a start is mostly compiling.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environ | variables)  # noqa: S603 - what benchmarks start is theirs
    try:
        _wait(process, port, began, message(ready))
        yield Running(process, port, time.perf_counter() - began)
    finally:
        left = Running(process, port, 0.0).pids[1:]
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], port: int, began: float, ready: bytes) -> None:
    while process.poll() is None and time.perf_counter() - began < START_SECONDS:
        try:
            with closing(Connection(port)) as connection:
                connection.ask(ready)
        except (OSError, LoadError):
            time.sleep(0.005)
        else:
            return
    raise LoadError(f"the server on port {port} did not become ready")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    *flags: str, python: str = sys.executable, workers: int | None = 1, tree: Path = ROOT, state: Path | None = None
) -> Iterator[Running]:
    """Our server: with the Python of an environment, from a checkout, on a state of its own or in a given folder.

    workers: null for the default.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as fresh:
        folder = state or Path(fresh)
        own = ["--port", str(port), "--log-level", "error"]
        own += [] if workers is None else ["--workers", str(workers)]
        own += ["--state-url", f"sqlite:///{folder.absolute()}/state.db", "--journals", str(folder.absolute() / "j")]
        audit = str(folder.absolute() / "audit.jsonl")
        with started([python, "-m", "server", *own, *flags], port, tree, REVERSAL_AUDIT=audit) as running:
            yield running


@contextmanager
def echo(python: str = sys.executable) -> Iterator[Running]:
    """The echo server: what aiohttp alone costs."""
    port = free_port()
    with started([python, "-m", "benchmarks.echo", "--port", str(port)], port) as running:
        yield running


def manage(port: int, path: str, body: object = None) -> None:
    """A management call, which must succeed. Raises LoadError."""
    with closing(Connection(port)) as connection:
        connection.ask(message(path, json.dumps({} if body is None else body).encode()))


@contextmanager
def experiment(port: int, name: str = "speed", **fields: object) -> Iterator[None]:
    """While an experiment is active: all users are assigned to A, v3.0, so that the work is the same as without."""
    about = {"experiment_id": name, "name": name, "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 1.0}
    manage(port, "/reversal/experiments", about | fields)
    manage(port, f"/reversal/experiments/{name}/activate")
    try:
        yield
    finally:
        manage(port, f"/reversal/experiments/{name}/stop")
