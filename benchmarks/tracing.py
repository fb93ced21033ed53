"""Does tracing cost anything while it is off, and how much while it is on? Medians of rounds, in turns.

The variants: `before`, the server of another checkout (--before, one without tracing); `absent`, off in an environment
without the extra (--absent); `off`; and on, recording no request, one in a hundred, and all. Spans go to a server that
throws them away. One worker, requests of 120 candles, one connection and 16.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks import bodies, options
from benchmarks.figures import medians, watched
from benchmarks.load import closed
from benchmarks.machine import ROOT, save
from benchmarks.servers import Running, apart, free_port, server

RATIOS = {"on, none": "0", "on, 1 %": "0.01", "on, all": "1"}
CONNECTIONS = (1, 16)


class _Discard(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Read a request and throw it away."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def collector() -> Iterator[int]:
    """Run the server that throws spans away, in a process of its own. Yields its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.tracing", "--collect", str(port)], cwd=ROOT)  # noqa: S603
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _servers(chosen: argparse.Namespace, running: ExitStack) -> dict[str, Running]:
    found = {}
    if chosen.before is not None:
        found["before"] = running.enter_context(server(python=chosen.server, tree=chosen.before))
    if chosen.absent is not None:
        found["absent"] = running.enter_context(server(python=chosen.absent, tree=chosen.tree))
    found["off"] = running.enter_context(server(python=chosen.server, tree=chosen.tree))
    for name, ratio in RATIOS.items():
        flags = ("--tracing", "1", "--tracing-ratio", ratio)
        found[name] = running.enter_context(server(*flags, python=chosen.server, tree=chosen.tree))
    return found


def main() -> None:
    """Measure, print and save the figures."""
    parser = options.parser(__doc__, "tracing", rounds=9, seconds=1.0)
    parser.add_argument("--before", type=Path, help="a checkout without tracing")
    parser.add_argument("--absent", type=os.path.abspath, help="the Python of an environment without the extra")
    parser.add_argument("--collect", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.collect is not None:
        ThreadingHTTPServer(("127.0.0.1", chosen.collect), _Discard).serve_forever()
    found: dict[str, dict[str, float]] = {}
    messages = bodies.messages("120 candles")
    with collector() as port, ExitStack() as running:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
        servers = _servers(chosen, running)
        rounds: dict[str, list[dict[str, float]]] = {}
        with apart(*servers.values()):
            for _ in range(chosen.rounds):
                for name, each in servers.items():
                    for connections in CONNECTIONS:
                        figures = watched(each, closed, messages, connections, chosen.seconds)
                        rounds.setdefault(f"{name}, {connections}", []).append(figures)
        for name, each in servers.items():
            for connections in CONNECTIONS:
                key = f"{name}, {connections}"
                found[key] = medians(rounds[key])
                print(key, {figure: found[key][figure] for figure in sorted(found[key])})
            print(f"{name}: MiB of each process {each.rss_mib}")
    save(found, chosen.output)


if __name__ == "__main__":
    main()
