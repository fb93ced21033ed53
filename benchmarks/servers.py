"""Servers to measure: each is started with its own state, observed through /proc, and ended with all its processes."""

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


@dataclass(frozen=True)
class Running:
    """A server on a port of 127.0.0.1. `ready_seconds`: from its start to the first 200 of /readyz."""

    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float

    @property
    def pids(self) -> list[int]:
        """Its processes, parents first."""
        found = [self.process.pid]
        for pid in found:  # the list grows during the loop
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    @property
    def cpu_seconds(self) -> float:
        """The CPU seconds that its present processes have used."""
        return sum(map(cpu_seconds, self.pids))

    @property
    def rss_mib(self) -> list[float]:
        """Resident memory in MiB of each of `pids`. Shared pages count in each of them."""
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids]
        return [round(int(text.split("VmRSS:")[1].split()[0]) / 1024, 1) for text in texts]


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process: utime + stime of its /proc/PID/stat, to the nanosecond.

    /proc counts in hundredths of a second, which are a tenth of what a keeper uses in a measurement. The kernel's CPU
    clock of a process has the same sum; its number is made from the PID (clock_getcpuclockid(3)).
    """
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def apart(*servers: Running) -> Iterator[None]:
    """Run this process, the client, on its last CPU and the servers on the other ones.

    Otherwise the scheduler may put a client that waits for each answer on its server's CPU, by chance and for a long
    time. No sleeping CPU has to be woken for a request then, which halves the time of the echo server.
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
    """Start a command in a folder, wait until the path `ready` answers 200, and end it after the block.

    Raises LoadError if it does not become ready.
    """
    # With this variable Python cannot keep compiled code, and would mostly compile during startup.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environ | variables)  # noqa: S603 - benchmarks start only their own commands
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
    reason = "ended" if process.poll() is not None else f"was not ready within {START_SECONDS:g} s"
    raise LoadError(f"the server on port {port} {reason}")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    *flags: str, python: str = sys.executable, workers: int | None = 1, tree: Path = ROOT, state: Path | None = None
) -> Iterator[Running]:
    """Run this server from a checkout (`tree`), with the state in a temporary folder or in `state`.

    python: the Python of the environment to use. workers: None for the default number.
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
    """Run the echo server, which has the cost of aiohttp alone."""
    port = free_port()
    with started([python, "-m", "benchmarks.echo", "--port", str(port)], port) as running:
        yield running


def ask(port: int, path: str) -> None:
    """Make a call that only reads. Raises LoadError if it fails."""
    with closing(Connection(port)) as connection:
        connection.ask(message(path))


def manage(port: int, path: str, body: object = None) -> None:
    """Make a management call. Raises LoadError if it fails."""
    with closing(Connection(port)) as connection:
        connection.ask(message(path, json.dumps({} if body is None else body).encode()))


@contextmanager
def experiment(port: int, name: str = "speed", **fields: object) -> Iterator[None]:
    """Keep an experiment active during the block.

    All users are assigned to A, which is v3.0, so that the work is the same as without an experiment.
    """
    about = {"experiment_id": name, "name": name, "variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 1.0}
    manage(port, "/reversal/experiments", about | fields)
    manage(port, f"/reversal/experiments/{name}/activate")
    try:
        yield
    finally:
        manage(port, f"/reversal/experiments/{name}/stop")
