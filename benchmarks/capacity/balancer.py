"""CPU time of a load balancer for one request: HAProxy with one thread in front of a server, over HTTP/1.1.

Its configuration is the smallest that does what that of deploy/compose does for a request: connections to the server
are kept, and the client's address is added.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from benchmarks import bodies, servers
from benchmarks.figures import medians
from benchmarks.load import LoadError, closed

KINDS = ("features", "120 candles")
CONNECTIONS = 32
CONFIGURATION = """
global
    nbthread 1
defaults
    mode http
    option forwardfor
    http-reuse safe
    timeout connect 2s
    timeout server 70s
    timeout client 70s
listen replicas
    bind 127.0.0.1:{port}
    balance leastconn
    server one 127.0.0.1:{server}
"""


def measure(options: Namespace) -> list[dict[str, Any]]:
    """Return a row for each body; none where HAProxy is not installed."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        print("haproxy is not installed (Debian's package haproxy): the load balancer is not measured", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder, servers.server(python=options.server, tree=options.tree) as behind:
        port, path = servers.free_port(), Path(folder, "haproxy.cfg")
        path.write_text(CONFIGURATION.format(port=port, server=behind.port))
        with servers.started([program, "-db", "-f", str(path)], port) as running:
            found = {kind: [figures(running, kind, options.seconds) for _ in range(options.rounds)] for kind in KINDS}
    return [{"body": kind} | medians(rounds) for kind, rounds in found.items()]


def figures(running: servers.Running, kind: str, seconds: float) -> dict[str, float]:
    """Return the requests a second of one core, and the microseconds for each. Raises LoadError."""
    before = servers.cpu_seconds(running.process.pid)
    result = closed(running.port, bodies.messages(kind), CONNECTIONS, seconds, warm_up=0.0)
    if result.errors:
        raise LoadError(f"{result.errors} answers through the load balancer are errors")
    used = (servers.cpu_seconds(running.process.pid) - before) / len(result.times)
    return {"per_core": 1 / used, "balancer_us": 1e6 * used}
