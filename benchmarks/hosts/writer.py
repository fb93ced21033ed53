"""Begins to write rows into the store, and never ends: what a keeper does when its host is cut off within a drain."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

from core.store.drivers.postgres import PostgresDatabase


def rows() -> Iterator[tuple[str, int, str]]:
    """Yield a row, then wait for a signal."""
    yield "never committed", 0, "{}"
    print("writing", flush=True)
    signal.pause()


def main() -> None:
    """Take the writer's lock, and begin a COPY."""
    with PostgresDatabase(sys.argv[1]).writing() as connection:
        connection.insert("replicas", ("replica_id", "seen_at", "body"), rows())


if __name__ == "__main__":
    main()
