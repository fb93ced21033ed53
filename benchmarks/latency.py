"""How long a client on the same machine waits for an answer, and what the server weighs.

One connection, one request after the other, a prepared request and a bare socket, so that the client adds little.
The server runs in its own process with the environment given by --server.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "predict.json"
WARM_UP = 500
START_SECONDS = 30.0


def requests() -> dict[str, tuple[str, bytes]]:
    """Path and body by name: real candles, and a matrix of the same size as theirs."""
    candles = json.loads(EXAMPLE.read_text())
    window = [[0.01 * (row + column) for column in range(12)] for row in range(20)]
    features = {"pair": "EUR/USD", "version": "v3.0", "features": window}
    return {
        "120 candles, v3.1": ("/reversal/predict", json.dumps(candles).encode()),
        "features, v3.0": ("/reversal/predict", json.dumps(features).encode()),
        "health": ("/health", b""),
    }


def call(connection: socket.socket, message: bytes) -> bytes:
    """Send a request and read its whole answer."""
    connection.sendall(message)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += receive(connection)
    head, body = answer.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"unexpected answer: {answer.decode()}")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += receive(connection)
    return body


def receive(connection: socket.socket) -> bytes:
    """Read what has arrived; a closed connection ends the run."""
    data = connection.recv(65536)
    if not data:
        raise SystemExit("the server closed the connection")
    return data


def message(path: str, body: bytes) -> bytes:
    """A request as bytes."""
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def measure(port: int, data: bytes, seconds: float) -> dict[str, float]:
    """Latency in milliseconds as a client sees it, over `seconds` of requests."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(WARM_UP):
            call(connection, data)
        times = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            call(connection, data)
            times.append(1000 * (time.perf_counter() - start))
    percentiles = statistics.quantiles(times, n=100)
    p50, p95, p99 = (round(percentiles[i - 1], 3) for i in (50, 95, 99))
    return {"requests": len(times), "p50": p50, "p95": p95, "p99": p99}


def start(python: str, port: int, state: str) -> tuple[subprocess.Popen[bytes], float]:
    """Start the server with its state in a folder; returns it and the seconds until /readyz answered 200."""
    began = time.perf_counter()
    flags = ["--state-url", f"sqlite:///{state}/state.db", "--journals", f"{state}/journals", "--log-level", "warning"]
    process = subprocess.Popen([python, "-m", "server", "--port", str(port), *flags], cwd=ROOT)  # noqa: S603
    while time.perf_counter() - began < START_SECONDS:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                call(connection, message("/readyz", b""))
        except OSError:
            time.sleep(0.01)
        else:
            return process, time.perf_counter() - began
    process.kill()
    raise SystemExit("the server did not become ready")


def resident_mib(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """Resident memory of each process of the server; pages that they share count in each."""
    (manager,) = _children(process.pid)
    pids = {"keeper": process.pid, "manager": manager}
    pids |= {f"worker {i}": pid for i, pid in enumerate(_children(manager))}
    found = {}
    for name, pid in pids.items():
        status = Path(f"/proc/{pid}/status").read_text()
        found[name] = round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)
    return found


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    cpu = Path("/proc/cpuinfo").read_text().split("model name")[1].split(":")[1].split("\n")[0].strip()
    packages = {name: version(name) for name in ("aiohttp", "numpy", "onnxruntime", "uvloop")}
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    } | packages


def tell(result: dict[str, Any], output: Path) -> None:
    """Print a result, and keep it."""
    text = json.dumps(result, indent=2)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(f"{text}\n")
    print(text)


def main() -> None:
    """Measure in turns and print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=sys.executable, help="the Python that runs the server")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of requests, for each kind and round")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "latency.json")
    options = parser.parse_args()
    about = machine()
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in requests()}
    with tempfile.TemporaryDirectory() as state:
        process, ready = start(options.server, options.port, state)
        try:
            for _ in range(options.rounds):  # in turns, so that a noisy moment hits every kind
                for name, (path, body) in requests().items():
                    rounds[name].append(measure(options.port, message(path, body), options.seconds))
            memory = resident_mib(process)
        finally:
            process.terminate()
            process.wait()
    result = {
        "machine": about,
        "ready_seconds": round(ready, 2),
        "resident_mib": memory,
        "milliseconds": {
            name: {key: statistics.median(each[key] for each in found) for key in ("p50", "p95", "p99")}
            for name, found in rounds.items()
        },
    }
    tell(result, options.output)


if __name__ == "__main__":
    main()
