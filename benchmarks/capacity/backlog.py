"""What stays in the journals below and above the rate of a store.

Replicas append exposures to their journals at a constant rate, and drain them at the same time as a keeper does. The
rates are shares of the best rate that `writers` has measured on the same PostgreSQL before.
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.capacity.writers import together
from benchmarks.figures import medians
from benchmarks.journal import exposure
from core.experiments.records import Record
from core.journals.drainer import Drainer
from core.journals.journal import Journal
from core.store import open_store
from tests.postgres import database, running_postgres

SHARES = (0.5, 2.0)
REPLICAS = 2
SECONDS = 2.0
# The pause between two drains of a keeper. A drain is as short here, so that the last one ends soon.
_PAUSE = 0.1
_PIECE = 32  # exposures in an append
_PATIENCE = 60.0


def replica(url: str, folder: Path, count: int, ready: Barrier) -> tuple[int, int, float]:
    """Append `count` exposures in SECONDS, and drain them; returns those stored, the bytes left and the seconds."""
    records: list[Record] = [exposure(number) for number in range(count)]
    journal, drainer, over = Journal(folder, bound_bytes=1 << 40, memory_records=0), Drainer(folder), Event()
    stored = 0
    with closing(open_store(url)) as store:

        def drain() -> None:
            nonlocal stored
            while not over.wait(_PAUSE):
                stored += drainer.drain(store, _PAUSE).records

        draining = Thread(target=drain)
        ready.wait(_PATIENCE)
        began = time.monotonic()
        draining.start()
        for first in range(0, count, _PIECE):
            time.sleep(max(0.0, began + SECONDS * first / count - time.monotonic()))
            journal.append(records[first : first + _PIECE])
        over.set()
        draining.join()
        seconds, left = time.monotonic() - began, drainer.bytes_left()
    unwritten = journal.close()
    drainer.close()
    if unwritten:
        raise RuntimeError(f"{unwritten} exposures were not written: {journal.error}")
    return stored, left, seconds


def figures(url: str, folder: Path, rate: float) -> dict[str, float]:
    """Offer exposures to one store at a rate, by several replicas."""
    each = round(rate * SECONDS / REPLICAS)
    done = together([(replica, (url, folder / str(number), each)) for number in range(REPLICAS)])
    stored, left, seconds = zip(*done, strict=True)
    return {
        "offered": each * REPLICAS / max(seconds),
        "stored": sum(stored) / max(seconds),
        "journal_mb": sum(left) / max(seconds) / 1e6,
    }


def measure(options: Namespace, rate: float) -> list[dict[str, Any]]:
    """Measure all shares of a rate in turns; returns the medians of the rounds."""
    found: dict[float, list[dict[str, float]]] = defaultdict(list)
    with running_postgres(durable=True) as server:
        for _ in range(options.rounds):
            for share in SHARES:
                with tempfile.TemporaryDirectory(dir=options.folder) as folder, database(server.url) as url:
                    open_store(url).close()
                    found[share].append(figures(url, Path(folder), share * rate))
    return [{"share": f"{share:.0%}"} | medians(rounds) for share, rounds in found.items()]
