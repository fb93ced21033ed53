"""docs/capacity.md: what rates take, and what breaks first, computed from docs/capacity-measured.md.

The input is the tables that stand on that page, not the results they came from. So a reader can compute each number
again from the pages alone, and a test does. Assumptions are constants here, and the page has them as a table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from core.journals.drainer import PIECE_BYTES
from core.store.drivers.database import PATIENCE_SECONDS
from server.settings import read
from server.worker.upstream.session import ANSWER_SECONDS

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row]]

RATES = (1_000, 100_000, 1_000_000)
# Each of these is a row of the page's table of assumptions.
CORES = 16
BUSY = 0.6
SPARE = 1
VERSIONS = 4
NETWORK_GBIT = 10
DISK_GIB = 1024
OUTCOMES = 0.5
JOURNALS_MIB = read([], {}).journals_mib

HTTP = "HTTP/1.1"
BODIES = ("features", "120 candles")
NONE, SPLIT = "none", "split"
SQLITE, POSTGRES, COPY = "SQLite", "PostgreSQL", "PostgreSQL, COPY alone"
DAY = 86_400
GIB, MIB = 1 << 30, 1 << 20


def one(rows: Sequence[Row], **wanted: object) -> Row:
    """Return the row with these cells. Raises LookupError unless there is exactly one."""
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    if len(found) != 1:
        raise LookupError(f"expected one row with {wanted}, found {len(found)}")
    return found[0]


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
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"  # noqa: PLR2004 - three digits need no rounding


def share(value: float) -> str:
    """Return a part of a limit: in percent below it, as a multiple beyond it."""
    return f"{figure(100 * value)} %" if value < 1 else f"{figure(value)} x"


@dataclass(frozen=True)
class Body:
    """What one request with a body costs: CPU seconds of worker, keeper and load balancer, and bytes both ways."""

    name: str
    experiment: str
    worker: float
    keeper: float
    balancer: float | None
    traffic: float


class Measured:
    """The figures that the plan needs, in requests, seconds and bytes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def body(self, name: str, experiment: str) -> Body:
        """Return the costs of a body over HTTP/1.1."""
        found = one(self._tables["capacity.serving"], protocol=HTTP, body=name, experiment=experiment)
        balancer = [row["balancer_us"] / 1e6 for row in self._tables["capacity.balancer"] if row["body"] == name]
        return Body(
            name,
            experiment,
            found["worker_us"] / 1e6,
            (found.get("keeper_us") or 0.0) / 1e6,
            balancer[0] if balancer else None,
            found["request_bytes"] + found["answer_bytes"],
        )

    @cached_property
    def memory(self) -> float:
        """The memory in MiB of a machine with CORES workers and VERSIONS versions."""
        rows = self._tables["capacity.memory"]
        of_workers = sorted((row["workers"], row["all_pss"], row["versions"]) for row in rows)
        most, most_mib, versions = of_workers[-1]
        least_mib = one(rows, workers=1, versions=versions)["all_pss"]
        a_worker = (most_mib - least_mib) / (most - 1)
        of_versions = sorted((row["versions"], row["all_pss"]) for row in rows if row["workers"] == 1)
        (few, few_mib), (many, many_mib) = of_versions[0], of_versions[-1]
        a_version = (many_mib - few_mib) / (many - few)
        base = least_mib - a_worker
        return float(base + CORES * (a_worker + (VERSIONS - versions) * a_version))

    def rate(self, store: str) -> float:
        """Return the exposures a second that a store takes, from the number of replicas with which it takes most."""
        return max(float(row["per_second"]) for row in self._tables["capacity.writers"] if row["store"] == store)

    def writers(self, store: str, name: str) -> float:
        """Return a figure of a store with one replica."""
        return float(one(self._tables["capacity.writers"], store=store, replicas=1)[name])

    @cached_property
    def turn(self) -> float:
        """The seconds in which PostgreSQL stores one piece of a backlog."""
        return PIECE_BYTES / self.writers(POSTGRES, "journal_bytes") / self.rate(POSTGRES)

    @cached_property
    def outcome(self) -> float:
        """The seconds of the writer's turn that PostgreSQL takes for an outcome, from the longest list."""
        rows = [row for row in self._tables["capacity.outcomes"] if row["store"] == POSTGRES]
        longest = max(rows, key=lambda row: int(row["outcomes"]))
        return float(longest["turn_us"]) / 1e6

    def size(self, store: str) -> float:
        """Return the bytes of an exposure in a store with its share of outcomes."""
        rows = [row for row in self._tables["capacity.stores"] if row["store"] == store]
        large = max(rows, key=lambda row: int(row["exposures"]))
        return float(large["bytes_an_exposure"] + OUTCOMES * large["bytes_an_outcome"])

    def report(self, store: str) -> float:
        """Return the seconds that a report takes longer with each exposure more."""
        rows = sorted(
            (row["exposures"], row["report_ms"]) for row in self._tables["capacity.stores"] if row["store"] == store
        )
        (few, fast), (many, slow) = rows[0], rows[-1]
        return max(0.0, float((slow - fast) / (many - few))) / 1e3

    def late(self, rate: float) -> float:
        """Return the seconds at a rate after which a report takes longer than a worker waits for it."""
        slope = self.report(POSTGRES)
        return ANSWER_SECONDS / slope / rate if slope else math.inf

    @cached_property
    def writer(self) -> float:
        """The share of PostgreSQL's only writer that one exposure a second takes, with its share of outcomes."""
        return 1 / self.rate(POSTGRES) + OUTCOMES * self.outcome


def machines(rate: float, body: Body) -> int:
    """Return the machines for a rate: enough cores, and a keeper that stores as fast as its workers answer."""
    cores = rate * (body.worker + body.keeper) / BUSY / CORES
    return math.ceil(max(cores, rate * body.keeper / BUSY)) + SPARE


def assumptions() -> list[Row]:
    """Return what the plan assumes."""
    found = {
        "cores of a machine, each with one worker": CORES,
        "share of a part's limit that is used, so that a busy moment does not queue": f"{BUSY:.0%}",
        "machines of a kind to spare, so that one may fail": SPARE,
        "loaded versions": VERSIONS,
        "network of a machine, each way": f"{NETWORK_GBIT} Gbit/s",
        "disk of a store": f"{DISK_GIB:,} GiB",
        "outcomes for each exposure": OUTCOMES,
        "journals of a machine (the default of `REVERSAL_JOURNALS_MIB`)": f"{JOURNALS_MIB:,} MiB",
        "the longest wait for a report (a worker waits so long for the keeper)": f"{ANSWER_SECONDS:g} s",
        "the longest wait for the writer's turn (then the store counts as unavailable)": f"{PATIENCE_SECONDS:g} s",
    }
    return [{"assumption": name, "value": value} for name, value in found.items()]


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
            "the report: it takes longer than a worker waits",
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
        "assumptions": assumptions(),
        "fleet": fleet(measured),
        "parts": parts(measured),
        "store": store(measured),
        "journals": journals(measured),
        "first": first(measured),
        "remedies": remedies(measured),
    }
