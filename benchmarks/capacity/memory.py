"""Memory of a server by its workers and loaded versions, with shared pages counted once.

RSS counts a page in each process that has it, PSS divides it between them, so that the PSS of all processes adds up to
the memory that the server takes. Each version has been asked before, so that what it allocates at its first request
counts.
"""

from __future__ import annotations

import re
import statistics
import tempfile
from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import bodies, servers
from benchmarks.growth import copies
from benchmarks.load import Connection, closed, message
from benchmarks.servers import Running

# Versions and workers.
SIZES = ((1, 1), (2, 1), (4, 1), (8, 1), (2, 2), (2, 4))
CONNECTIONS = 32
_KIB = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)
KINDS = ("Rss", "Pss", "Private_Clean", "Private_Dirty", "Shared_Clean", "Shared_Dirty")


def pages(pid: int) -> dict[str, float]:
    """Return the memory of a process in MiB, by KINDS."""
    found = dict(_KIB.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()))
    return {kind: int(found[kind]) / 1024 for kind in KINDS}


def used(running: Running) -> dict[str, float]:
    """Return the memory of a server in MiB: the mean of its workers, and all its processes together."""
    each = [pages(pid) for pid in running.pids]
    workers = each[2:]
    mean = {kind: statistics.mean(worker[kind] for worker in workers) for kind in KINDS}
    found = {
        "worker_rss": mean["Rss"],
        "worker_pss": mean["Pss"],
        "worker_private": mean["Private_Clean"] + mean["Private_Dirty"],
        "worker_shared": mean["Shared_Clean"] + mean["Shared_Dirty"],
        "keeper_pss": each[0]["Pss"],
        "all_rss": sum(process["Rss"] for process in each),
        "all_pss": sum(process["Pss"] for process in each),
    }
    return {name: round(value, 1) for name, value in found.items()}


def measure(options: Namespace) -> list[dict[str, Any]]:
    """Measure a server of each of SIZES."""
    return [
        {"versions": versions, "workers": workers} | _one(options, versions, workers) for versions, workers in SIZES
    ]


def _one(options: Namespace, versions: int, workers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        names = [path.name for path in sorted(copies(Path(folder, "models"), versions).iterdir())]
        flags = ("--models", str(Path(folder, "models")))
        with servers.server(*flags, python=options.server, tree=options.tree, workers=workers) as running:
            asked = [
                message(bodies.PREDICT, bodies.encoded(body | {"version": name}))
                for body in bodies.requests("120 candles")
                for name in names
            ]
            with closing(Connection(running.port)) as connection:
                for each in asked[: len(names)]:
                    connection.ask(each)
            closed(running.port, asked, CONNECTIONS, options.seconds)
            return used(running)
