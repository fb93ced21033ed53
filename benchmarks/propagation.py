"""How long after a switch on one replica another replica still answers with the old version.

Two servers with one worker and separate journals each share one PostgreSQL: the one of --postgres, or one started from
the binaries of the development requirements. The time runs from the return of the switch on the first server to the
first answer of the second server with the new version. The second server gets requests back to back over one
connection.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks import bodies, servers
from benchmarks.load import Connection, message
from benchmarks.machine import BUILD, machine, save
from tests.postgres import any_postgres, database

VERSIONS = ("v3.0", "v3.1")
WARM_UP = 4


def propagated(one: Connection, other: Connection, question: bytes, version: str) -> float:
    """Switch one replica, and return the milliseconds until the other one answers with the new version."""
    one.ask(message(f"/reversal/models/{version}/switch", b"{}"))
    returned = time.perf_counter()
    while json.loads(other.ask(question).partition(b"\r\n\r\n")[2])["data"]["model_version"] != version:
        pass
    return 1000 * (time.perf_counter() - returned)


def main() -> None:
    """Switch back and forth, and print the distribution of the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--postgres",
        default=os.environ.get("TEST_POSTGRES_URL"),
        help="URL of a PostgreSQL in which a database is created",
    )
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--output", type=Path, default=BUILD / "propagation.json")
    options = parser.parse_args()
    about = machine()
    question = message(bodies.PREDICT, bodies.encoded(bodies.requests("120 candles")[0]))
    with ExitStack() as running:
        url = options.postgres or running.enter_context(any_postgres())
        store = running.enter_context(database(url))
        replicas = [running.enter_context(servers.server("--state-url", store)) for _ in range(2)]
        one, other = (running.enter_context(closing(Connection(replica.port))) for replica in replicas)
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
    save(result, options.output)


if __name__ == "__main__":
    main()
