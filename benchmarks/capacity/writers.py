"""Exposures a second that a store takes from several replicas that all have a backlog.

Each replica is a process with journals of its own and the keeper's drainer: it reads pieces of its journals and stores
each in one transaction. All begin at the same moment. SQLite has one writer; PostgreSQL is a real server on this disk,
with fsync and otherwise its defaults. "COPY alone" is what the database could take: rows as text that are ready before
the start, in transactions as long as those of a replica, without the search for repeated ids, the sums and the lock.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from benchmarks.capacity import cpu
from benchmarks.figures import medians
from benchmarks.journal import exposure
from core.experiments.records import Record
from core.journals import journal_files
from core.journals.drainer import PIECE_BYTES, Drainer
from core.journals.journal import Journal
from core.store import open_store
from core.store.interface import Store
from tests.postgres import Server, database, running_postgres

REPLICAS = (1, 2, 4, 8)
COPIERS = (1, 2)
STORES = SQLITE, POSTGRES, COPY = "SQLite", "PostgreSQL", "PostgreSQL, COPY alone"
_ONCE = 32  # exposures in an append
_PATIENCE = 120.0
T = TypeVar("T")
# CPU seconds, the seconds of the longest transaction, and when the process began and ended.
Done = tuple[float, float, float, float]
_PAGES = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


class _Timed:
    """A store that notes its longest transaction, the wait for other writers included."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.longest = 0.0

    def drain(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - those of Store.drain
        """See Store."""
        began = time.perf_counter()
        self._store.drain(*arguments, **named)
        self.longest = max(self.longest, time.perf_counter() - began)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any call of the store
        return getattr(self._store, name)


def backlog(folder: Path, first: int, count: int) -> int:
    """Fill a new folder of journals; returns its bytes."""
    journal = Journal(folder, bound_bytes=1 << 40, memory_records=0)
    records: list[Record] = [exposure(number) for number in range(first, first + count)]
    for start in range(0, count, _ONCE):
        journal.append(records[start : start + _ONCE])
    if journal.unrecorded or journal.close():
        raise RuntimeError(f"some records were not written: {journal.error}")
    return sum(journal_files.sizes(folder).values())


def replica(url: str, folder: Path, count: int, ready: Barrier) -> Done:
    """Drain a folder into a store. Raises RuntimeError if it does not find `count` records."""
    drainer = Drainer(folder)
    with closing(open_store(url)) as store:
        store.state()
        timed = _Timed(store)
        ready.wait(_PATIENCE)
        used, began = time.process_time(), time.monotonic()
        found = drainer.drain(timed)
        done = time.process_time() - used, timed.longest, began, time.monotonic()
    drainer.close()
    if found != (count, 0, 0):
        raise RuntimeError(f"{count} records were written, but the drain found {found}")
    return done


def copier(url: str, blocks: list[bytes], ready: Barrier) -> Done:
    """Copy blocks of rows into the table `copied`, each in one transaction."""
    longest = 0.0
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        ready.wait(_PATIENCE)
        used, began = time.process_time(), time.monotonic()
        for block in blocks:
            since = time.monotonic()
            with cursor.copy("COPY copied FROM STDIN") as copy:
                copy.write(block)
            longest = max(longest, time.monotonic() - since)
        return time.process_time() - used, longest, began, time.monotonic()


def together(calls: Sequence[tuple[Callable[..., T], tuple[Any, ...]]]) -> list[T]:
    """Run calls in processes of their own, which begin together; the barrier is added to their arguments."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(len(calls)) as pool:
        ready = manager.Barrier(len(calls))
        running = [pool.apply_async(function, (*arguments, ready)) for function, arguments in calls]
        return [each.get(_PATIENCE) for each in running]


def figures(done: list[Done], count: int) -> dict[str, float]:
    """Return what processes did together with so many exposures."""
    used, longest, began, ended = zip(*done, strict=True)
    return {
        "per_second": count / (max(ended) - min(began)),
        "replica_us": 1e6 * sum(used) / count,
        "longest_ms": 1e3 * max(longest),
    }


@contextmanager
def watched(server: Server, count: int) -> Iterator[dict[str, float]]:
    """Yield a dictionary that gets the CPU time and the write-ahead log of a database for one exposure."""
    found: dict[str, float] = {}
    ((before,),) = server.run(_PAGES)
    used = cpu.of_tree(server.pid)
    yield found
    found["database_us"] = 1e6 * (cpu.of_tree(server.pid) - used) / count
    ((after,),) = server.run(_PAGES)
    found["wal_bytes"] = float(after - before) / count


def drained(url: str, folder: Path, replicas: int, exposures: int) -> dict[str, float]:
    """Drain the backlog of several replicas into one store."""
    each = exposures // replicas
    size = sum(backlog(folder / str(n), n * each, each) for n in range(replicas))
    done = together([(replica, (url, folder / str(n), each)) for n in range(replicas)])
    return figures(done, each * replicas) | {"journal_bytes": size / (each * replicas)}


def copied(url: str, processes: int, piece: int) -> dict[str, float]:
    """Copy the rows that a store has into a table like that of the exposures."""
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor() as cursor, cursor.copy("COPY reversal.exposures TO STDOUT") as copy:
            rows = [bytes(row) for row in copy]
        connection.execute("CREATE TABLE copied (LIKE reversal.exposures INCLUDING ALL)")
        connection.execute("CHECKPOINT")
    blocks = [b"".join(rows[first : first + piece]) for first in range(0, len(rows), piece)]
    return figures(together([(copier, (url, blocks[n::processes])) for n in range(processes)]), len(rows))


def best(rows: list[dict[str, Any]]) -> float:
    """Return the exposures a second that PostgreSQL takes from the best number of replicas."""
    return max(float(row["per_second"]) for row in rows if row["store"] == POSTGRES)


def measure(options: Namespace) -> list[dict[str, Any]]:
    """Measure all numbers of replicas in turns; returns the medians of the rounds."""
    found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with running_postgres(durable=True) as server:
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                url = f"sqlite:///{folder}/state.db"
                open_store(url).close()
                found[SQLITE, 1].append(drained(url, Path(folder), 1, options.backlog))
            for replicas in REPLICAS:
                with tempfile.TemporaryDirectory(dir=options.folder) as folder, database(server.url) as url:
                    open_store(url).close()
                    count = options.backlog // replicas * replicas
                    with watched(server, count) as of_database:
                        row = drained(url, Path(folder), replicas, options.backlog)
                    found[POSTGRES, replicas].append(row | of_database)
                    if replicas in COPIERS:
                        piece = round(PIECE_BYTES / row["journal_bytes"])
                        with watched(server, count) as of_database:
                            row = copied(url, replicas, piece)
                        found[COPY, replicas].append(row | of_database)
    return [
        {"store": store, "replicas": replicas} | medians(each)
        for (store, replicas), each in sorted(found.items(), key=lambda item: (STORES.index(item[0][0]), item[0][1]))
    ]
