"""docs/capacity.md: what rates take, and what breaks first, computed from docs/capacity-measured.md.

The input is the tables that stand on that page, not the results they came from. So a reader can compute each number
again from the pages alone, and a test does. Assumptions are constants here, and the page has them as a table.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from benchmarks.capacity.assumed import (
    BUSY,
    CORES,
    DISK_GIB,
    JOURNALS_MIB,
    NETWORK_GBIT,
    SPARE,
    assumptions,
)
from benchmarks.capacity.measured import BODIES, COPY, NONE, POSTGRES, SPLIT, SQLITE, Body, Measured, Row, Tables
from core.store.drivers.database import PATIENCE_SECONDS

RATES = (1_000, 100_000, 1_000_000)
DAY = 86_400
GIB, MIB = 1 << 30, 1 << 20


def lasting(seconds: float) -> str:
    """Return a length of time in the unit that fits it."""
    if math.isinf(seconds):
        return "never"
    for unit, length in (("d", DAY), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{figure(seconds / length)} {unit}"
    return f"{figure(seconds)} s"


def figure(value: float) -> str:
    """Return a number with two significant digits, and all digits before the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004 - two digits before the point


def share(value: float) -> str:
    """Return a part of a limit: in percent below it, as a multiple beyond it."""
    return f"{figure(100 * value)} %" if value < 1 else f"{figure(value)} x"


def machines(rate: float, body: Body) -> int:
    """Return the machines for a rate: enough cores, and a keeper that stores as fast as its workers answer."""
    cores = rate * (body.worker + body.keeper) / BUSY / CORES
    return math.ceil(max(cores, rate * body.keeper / BUSY)) + SPARE


def fleet(measured: Measured) -> list[Row]:
    """Return what each rate takes, by body, without an experiment and with all requests in one."""
    rows = []
    for rate in RATES:
        for body in (measured.body(name, experiment) for name in BODIES for experiment in (NONE, SPLIT)):
            count = machines(rate, body)
            gbit = 8 * rate * body.traffic / 1e9
            balancers: Row = {"balancer_cores": "not measured", "balancers": "not measured"}
            if body.balancer is not None:
                cores = rate * body.balancer / BUSY
                needed = math.ceil(max(cores / CORES, gbit / NETWORK_GBIT / BUSY))
                balancers = {"balancer_cores": figure(cores), "balancers": needed + SPARE}
            rows.append(
                {
                    "rate": rate,
                    "body": body.name,
                    "experiment": body.experiment,
                    "worker_cores": figure(rate * body.worker / BUSY),
                    "keeper_cores": figure(rate * body.keeper / BUSY) if body.keeper else "",
                    "machines": count,
                    "memory_gib": figure(count * measured.memory * MIB / GIB),
                    "gbit": figure(gbit),
                }
                | balancers
            )
    return rows


def parts(measured: Measured) -> list[Row]:
    """Return how many requests a second one of each part takes, and how many of it each rate needs."""
    body = measured.body("120 candles", SPLIT)
    limits = {
        "worker, one core": 1 / body.worker,
        f"machine of {CORES} cores": CORES / (body.worker + body.keeper),
        "keeper, one a machine": 1 / body.keeper,
        "SQLite, one machine": measured.rate(SQLITE),
        "PostgreSQL, one writer at a time": 1 / measured.writer,
        "network of a load balancer": NETWORK_GBIT * 1e9 / 8 / body.traffic,
    }
    if body.balancer is not None:
        limits["load balancer, one core"] = 1 / body.balancer
    return [
        {"part": part, "limit": figure(limit)} | {str(rate): share(rate / limit) for rate in RATES}
        for part, limit in sorted(limits.items(), key=lambda item: item[1])
    ]


def store(measured: Measured) -> list[Row]:
    """Return what one PostgreSQL store does at each rate, with all requests in an experiment."""
    rows = []
    for rate in RATES:
        busy = rate * measured.writer
        rows.append(
            {
                "rate": rate,
                "writer": share(busy),
                "experiment_share": f"{figure(100 * min(1.0, BUSY / busy))} %",
                "wal_mb": figure(rate * measured.writers(POSTGRES, "wal_bytes") / 1e6),
                "gib_a_day": figure(rate * DAY * measured.size(POSTGRES) / GIB),
                "disk_full": lasting(DISK_GIB * GIB / rate / measured.size(POSTGRES)),
                "report_late": lasting(measured.late(rate)),
            }
        )
    return rows


def journals(measured: Measured) -> list[Row]:
    """Return how the journals of all machines grow at each rate, and how long a keeper with a backlog waits."""
    rows = []
    for rate in RATES:
        count, busy = machines(rate, measured.body("120 candles", SPLIT)), rate * measured.writer
        left = rate * max(0.0, 1 - 1 / busy) * measured.writers(POSTGRES, "journal_bytes")
        rows.append(
            {
                "rate": rate,
                "journal_mb": figure(left / 1e6) if left else "they do not grow",
                "journals_full": lasting(count * JOURNALS_MIB * MIB / left) if left else "never",
                "backlog": lasting(count * measured.turn),
            }
        )
    return rows


class Break(NamedTuple):
    """Something that breaks. after: seconds at a rate. limit: the requests a second up to which it holds."""

    after: float
    limit: float
    what: str
    then: str


def breaks(measured: Measured, rate: float) -> list[Break]:
    """Return what breaks at a rate, the earliest first; of what breaks at once, that with the lowest limit."""
    body = measured.body("120 candles", SPLIT)
    machine = CORES / (body.worker + body.keeper)
    in_time = PATIENCE_SECONDS / measured.turn - SPARE
    at_once = [
        Break(0.0, machine, "one machine, and SQLite with it", "more machines on one PostgreSQL"),
        Break(
            0.0,
            1 / measured.writer,
            "PostgreSQL's only writer: journals grow",
            "only a part of the users in the experiment: no `user_id` for the others",
        ),
        Break(
            0.0,
            NETWORK_GBIT * 1e9 / 8 / body.traffic,
            "the network of one load balancer",
            "several behind one name; features or binary tensors, which are smaller",
        ),
        Break(
            0.0,
            in_time * BUSY * min(machine, 1 / body.keeper),
            "after an outage: keepers wait too long for their turn, and management fails",
            "fewer and larger machines; a longer patience; a log in place of the turn",
        ),
    ]
    if body.balancer is not None:
        limit = CORES / body.balancer
        at_once.append(Break(0.0, limit, "the cores of one load balancer", "several behind one name"))
    later = [
        Break(
            measured.late(rate),
            0.0,
            "the report takes longer than a worker waits for it",
            "sums by user, kept while storing; a read replica moves the work, but does not shorten it",
        ),
        Break(
            DISK_GIB * GIB / rate / measured.size(POSTGRES),
            0.0,
            "the disk of the store",
            "partitions by time (ids begin with it), the oldest dropped; shorter experiments",
        ),
    ]
    return sorted([each for each in at_once if rate > each.limit] + later)


def first(measured: Measured) -> list[Row]:
    """Return what breaks at each rate, the earliest first, and what to do about it."""
    return [
        {
            "rate": rate,
            "order": number,
            "breaks": each.what,
            "limit": figure(each.limit) if each.limit else "",
            "after": lasting(each.after) if each.after else "at once",
            "then": each.then,
        }
        for rate in RATES
        for number, each in enumerate(breaks(measured, rate), 1)
    ]


def summary(measured: Measured) -> list[Row]:
    """Return for each rate what it takes with 120 candles and all requests in an experiment, and what breaks first."""
    taken = {row["rate"]: row for row in fleet(measured) if (row["body"], row["experiment"]) == ("120 candles", SPLIT)}
    of_store = {row["rate"]: row for row in store(measured)}
    found = []
    for rate in RATES:
        earliest = breaks(measured, rate)[0]
        after = f"after {lasting(earliest.after)}" if earliest.after else "at once"
        found.append(
            {name: taken[rate][name] for name in ("rate", "worker_cores", "machines", "memory_gib", "balancers")}
            | {"gib_a_day": of_store[rate]["gib_a_day"], "breaks": f"{after}: {earliest.what}"}
        )
    return found


def remedies(measured: Measured) -> list[Row]:
    """Return how many exposures a second each way takes, from one PostgreSQL writer on."""
    writer = measured.rate(POSTGRES)
    ways = {
        "one writer at a time, as it is: rows by COPY, repeated ids left out, sums added up": writer,
        "the same, with rows made ready before the turn: the database's CPU time alone": (
            1e6 / measured.writers(POSTGRES, "database_us")
        ),
        "COPY alone by one loader behind a log such as Kafka, and sums computed from the rows later": (
            measured.writers(COPY, "per_second")
        ),
        "COPY alone by several loaders, the best measured number": measured.rate(COPY),
    }
    return [{"way": way, "limit": figure(limit), "gain": f"{figure(limit / writer)} x"} for way, limit in ways.items()]


def tables(shown: Tables) -> dict[str, list[Row]]:
    """Return the tables of the plan by their name on the page."""
    measured = Measured(shown)
    return {
        "summary": summary(measured),
        "assumptions": assumptions(),
        "fleet": fleet(measured),
        "parts": parts(measured),
        "store": store(measured),
        "journals": journals(measured),
        "first": first(measured),
        "remedies": remedies(measured),
    }
