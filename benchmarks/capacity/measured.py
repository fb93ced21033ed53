"""The figures that the plan needs, read from the tables of docs/capacity-measured.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.capacity.assumed import CORES, OUTCOMES, VERSIONS
from core.journals.drainer import PIECE_BYTES
from server.worker.upstream.session import ANSWER_SECONDS

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row]]

HTTP = "HTTP/1.1"
BODIES = ("features", "120 candles")
NONE, SPLIT = "none", "split"
SQLITE, POSTGRES, COPY = "SQLite", "PostgreSQL", "PostgreSQL, COPY alone"


def one(rows: Sequence[Row], **wanted: object) -> Row:
    """Return the row with these cells. Raises LookupError unless there is exactly one."""
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    if len(found) != 1:
        raise LookupError(f"expected one row with {wanted}, found {len(found)}")
    return found[0]


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
