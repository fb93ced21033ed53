"""How the store grows: bytes of an exposure and of an outcome, and the time of a report, in SQLite and PostgreSQL.

Both get the same rows: SQLite by `benchmarks.stored`, PostgreSQL by COPY from that file. A server then runs on each,
and takes outcomes and answers reports over HTTP, as an operator sees it.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import servers, stored
from benchmarks.capacity import cpu
from benchmarks.figures import medians, shortened
from benchmarks.load import Connection, LoadError, message
from core.experiments.experiment import now_micros
from core.store import open_store
from core.store.interface import Outcome
from tests.postgres import Server, database, running_postgres

OUTCOMES = "/reversal/outcomes"
SQLITE, POSTGRES = "SQLite", "PostgreSQL"
# Outcomes in a request, and how many of these requests are sent.
LISTS = ((1, 200), (100, 50))
# The first lists are not counted: PostgreSQL's statements are prepared after five times.
WARM_UP = 6
TURNS = 20
# The most outcomes that a request may have, and how many make the store grow by a number of pages that can be counted.
LONGEST = 10_000
STORED_OUTCOMES = 20_000
# The small store has this share of the exposures of the large one.
SHARE_OF_SMALL = 8
MIB = 1 << 20
_TABLES = ("exposures", "candles", "users", "experiments")
_BYTES = """
    SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'reversal' AND c.relkind = 'r'"""
_PAGE = 10_000
_PATIENCE = 30.0


def copy(path: Path, url: str) -> None:
    """Copy the rows of a state file into a new PostgreSQL store."""
    open_store(url).close()
    with closing(sqlite3.connect(path)) as source, psycopg.connect(url) as target:
        for table in _TABLES:
            rows = source.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of _TABLES
            names = ", ".join(column for column, *_ in rows.description)
            with target.cursor() as cursor, cursor.copy(f"COPY reversal.{table} ({names}) FROM STDIN".encode()) as into:
                while page := rows.fetchmany(_PAGE):
                    for row in page:
                        into.write_row(row)
    with psycopg.connect(url, autocommit=True) as target:
        target.execute("VACUUM (ANALYZE)")


def file_bytes(path: Path) -> int:
    """Return the bytes of a state file, after its write-ahead log was copied into it."""
    with closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
        # A read of the server can be in the way.
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            time.sleep(0.01)
    return path.stat().st_size


def database_bytes(url: str) -> int:
    """Return the bytes of all tables and indexes of a store."""
    with psycopg.connect(url) as connection:
        ((found,),) = connection.execute(_BYTES).fetchall()
    return int(found)


def lists(ids: Sequence[str], size: int) -> list[bytes]:
    """Return requests that report a win for each prediction, `size` of them in a request."""
    found = [{"prediction_id": each, "outcome": "win", "pnl_pips": 7.5} for each in ids]
    return [
        message(OUTCOMES, json.dumps({"outcomes": found[first : first + size]}).encode())
        for first in range(0, len(found), size)
    ]


def reported(running: servers.Running, requests: Sequence[bytes], outcomes: int) -> dict[str, float]:
    """Send requests one after the other; returns the CPU microseconds of an outcome. Raises LoadError."""
    worker, keeper, recorded = cpu.of_worker(running), cpu.of_keeper(running), 0
    with closing(Connection(running.port)) as connection:
        for request in requests:
            recorded += json.loads(connection.ask(request).partition(b"\r\n\r\n")[2])["data"]["recorded"]
    if recorded != outcomes:
        raise LoadError(f"{outcomes} outcomes were reported, {recorded} recorded")
    used = {"worker_us": cpu.of_worker(running) - worker, "keeper_us": cpu.of_keeper(running) - keeper}
    return {name: 1e6 * value / outcomes for name, value in used.items()}


@dataclass(frozen=True)
class Filled:
    """A server on a store of one kind and size. place: the state file, or the URL. before: the store's bytes."""

    kind: str
    exposures: int
    place: str
    running: servers.Running
    before: int
    ids: Iterator[str]

    def size(self) -> int:
        """Return the bytes of the store now."""
        return file_bytes(Path(self.place)) if self.kind == SQLITE else database_bytes(self.place)

    @property
    def url(self) -> str:
        """The URL of the store."""
        return f"sqlite:///{self.place}" if self.kind == SQLITE else self.place

    def requests(self, size: int, count: int) -> list[bytes]:
        """Return `count` requests with `size` outcomes each, of predictions that have none yet."""
        return lists(list(islice(self.ids, size * count)), size)


def filled(stack: ExitStack, options: Namespace, postgres: Server, wanted: int) -> list[Filled]:
    """Fill a store of each kind with exposures, and start a server on it. They end with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
    path = folder / "state.db"
    exposures = stored.fill(path, wanted)
    url = stack.enter_context(database(postgres.url))
    copy(path, url)
    found = []
    for kind, place, flags in ((SQLITE, str(path), ()), (POSTGRES, url, ("--state-url", url))):
        before = file_bytes(path) if kind == SQLITE else database_bytes(url)
        state = folder if kind == SQLITE else None
        each = servers.server(*flags, python=options.server, tree=options.tree, state=state)
        running = stack.enter_context(each)
        servers.manage(running.port, f"/reversal/experiments/{stored.EXPERIMENT}/activate")
        found.append(Filled(kind, exposures, place, running, before, stored.trades(exposures)))
    return found


def outcomes(store: Filled, postgres: Server) -> Iterator[dict[str, Any]]:
    """Report outcomes to a server; yields a row for each length of the list."""
    for size, count in LISTS:
        requests = store.requests(size, count)
        reported(store.running, store.requests(size, WARM_UP), size * WARM_UP)
        database_cpu, began = cpu.of_tree(postgres.pid), time.perf_counter()
        found = reported(store.running, requests, size * count)
        seconds = time.perf_counter() - began
        if store.kind == POSTGRES:
            found["database_us"] = 1e6 * (cpu.of_tree(postgres.pid) - database_cpu) / (size * count)
        found["turn_us"] = turn(store, size)
        yield {
            "store": store.kind,
            "outcomes": size,
            "per_second": size * count / seconds,
            "per_core": 1e6 / found["keeper_us"],
        } | found


def turn(store: Filled, size: int) -> float:
    """Return the microseconds for which an outcome in a list occupies the store's only writer."""
    times = []
    with closing(open_store(store.url)) as opened:
        for _ in range(WARM_UP + TURNS):
            reported_now = [Outcome(each, "win", 7.5, None) for each in islice(store.ids, size)]
            began = time.perf_counter()
            answers = opened.record_outcomes(reported_now, now_micros())
            times.append(time.perf_counter() - began)
            if answers != ["recorded"] * size:
                raise LoadError(f"{size} outcomes were stored, the store answers {set(answers)}")
    return 1e6 * statistics.median(times[WARM_UP:]) / size


def measure(options: Namespace) -> dict[str, list[dict[str, Any]]]:
    """Measure all stores in turns; returns the rows of `stores` and of `outcomes`."""
    found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    rates: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(durable=True))
        stores = filled(stack, options, postgres, options.exposures // SHARE_OF_SMALL)
        # Before there are large stores, whose servers compute reports by themselves.
        for _ in range(options.rounds):
            for store in stores:
                for row in outcomes(store, postgres):
                    rates[row.pop("store"), row.pop("outcomes")].append(row)
        stores += filled(stack, options, postgres, options.exposures)
        sizes = [grown(store) for store in stores]
        for _ in range(options.rounds):
            for store in stores:
                found[store.kind, store.exposures].append(answered(store.running))
    of_stores = [
        {"store": store.kind, "exposures": store.exposures} | size | medians(found[store.kind, store.exposures])
        for store, size in zip(stores, sizes, strict=True)
    ]
    of_outcomes = [{"store": kind, "outcomes": size} | medians(each) for (kind, size), each in rates.items()]
    return {"stores": of_stores, "outcomes": of_outcomes}


def grown(store: Filled) -> dict[str, float]:
    """Return the size of a store, and by how much it grows with each of STORED_OUTCOMES."""
    before = store.size()
    reported(store.running, store.requests(LONGEST, STORED_OUTCOMES // LONGEST), STORED_OUTCOMES)
    return {
        "mib": shortened(store.before / MIB),
        "bytes_an_exposure": round(store.before / store.exposures),
        "bytes_an_outcome": round((store.size() - before) / STORED_OUTCOMES),
    }


def answered(running: servers.Running) -> dict[str, float]:
    """Return the milliseconds of the report, with its verdict, and of the metrics."""
    path = f"/reversal/experiments/{stored.EXPERIMENT}"
    found = {}
    with closing(Connection(running.port)) as connection:
        for name in ("report", "metrics"):
            began = time.perf_counter()
            connection.ask(message(f"{path}/{name}"))
            found[f"{name}_ms"] = 1e3 * (time.perf_counter() - began)
    return found
