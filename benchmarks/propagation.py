"""How long after a switch on one replica another one still answers with the old version.

Two servers of one worker each, with journals of their own, on one PostgreSQL: the one that --postgres names, else one
started from the binaries of the development requirements. Measured from the return of the call on the first to the
first answer of the second with the new version, which is asked all the time over one connection.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks.latency import EXAMPLE, ROOT, START_SECONDS, call, machine, message, tell
from tests.postgres import any_postgres, database

VERSIONS = ("v3.0", "v3.1")
WARM_UP = 4


@contextmanager
def replica(port: int, store: str, folder: Path) -> Iterator[socket.socket]:
    """A running server, and a connection to it."""
    command = [sys.executable, "-m", "server", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen([*command, "--state-url", store, "--journals", str(folder)], cwd=ROOT)  # noqa: S603
    try:
        with closing(connected(port)) as connection:
            yield connection
    finally:
        process.terminate()
        process.wait()


def connected(port: int) -> socket.socket:
    """A connection, once the server is there."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > end:
                raise SystemExit("the server did not become ready") from None
            time.sleep(0.01)
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


def switch(connection: socket.socket, version: str) -> None:
    """Switch, and read the answer."""
    path = f"/reversal/models/{version}/switch"
    call(connection, f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())


def propagated(one: socket.socket, other: socket.socket, question: bytes, version: str) -> float:
    """Milliseconds until the other replica has answered with a version, after the switch on the one returned."""
    switch(one, version)
    returned = time.perf_counter()
    while json.loads(call(other, question))["data"]["model_version"] != version:
        pass
    return 1000 * (time.perf_counter() - returned)


def main() -> None:
    """Switch to and fro and print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--postgres", default=os.environ.get("TEST_POSTGRES_URL"), help="a server to make a database in"
    )
    parser.add_argument("--port", type=int, default=8765, help="of the first server; the second has the next one")
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "propagation.json")
    options = parser.parse_args()
    about = machine()
    question = message("/reversal/predict", EXAMPLE.read_bytes())
    with ExitStack() as running:
        server = options.postgres or running.enter_context(any_postgres())
        store = running.enter_context(database(server))
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="propagation-")))
        one = running.enter_context(replica(options.port, store, folder / "one"))
        other = running.enter_context(replica(options.port + 1, store, folder / "other"))
        times = [propagated(one, other, question, VERSIONS[i % 2]) for i in range(options.changes + WARM_UP)][WARM_UP:]
    result = {
        "machine": about,
        "changes": len(times),
        "milliseconds": {
            "median": round(statistics.median(times), 1),
            "p99": round(statistics.quantiles(times, n=100)[98], 1),
            "most": round(max(times), 1),
        },
    }
    tell(result, options.output)


if __name__ == "__main__":
    main()
