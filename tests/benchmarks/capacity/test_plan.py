"""docs/capacity.md follows from docs/capacity-measured.md, and from nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks import report
from benchmarks.capacity import plan
from benchmarks.capacity.measured import BODIES, Measured, one

PAGE, MEASURED = report.CAPACITY.read_text(), report.MEASURED.read_text()
TABLES = ("summary", "assumptions", "fleet", "parts", "store", "journals", "first", "remedies")


def measured() -> dict[str, list[dict[str, Any]]]:
    """Figures with which everything can be computed by heart."""
    serving = [
        {"protocol": "HTTP/1.1", "body": body, "experiment": experiment, "request_bytes": 900, "answer_bytes": 100}
        | {"worker_us": 120.0}
        | ({"keeper_us": 40.0} if experiment == "split" else {})
        for body in BODIES
        for experiment in ("none", "split")
    ]
    return {
        "capacity.serving": serving,
        "capacity.balancer": [{"body": body, "balancer_us": 60.0} for body in BODIES],
        "capacity.memory": [
            {"versions": 1, "workers": 1, "all_pss": 100.0},
            {"versions": 2, "workers": 1, "all_pss": 102.0},
            {"versions": 8, "workers": 1, "all_pss": 114.0},
            {"versions": 2, "workers": 4, "all_pss": 162.0},
        ],
        "capacity.stores": [
            {"store": store, "exposures": count, "bytes_an_exposure": 300, "bytes_an_outcome": 200, "report_ms": ms}
            for store in ("SQLite", "PostgreSQL")
            for count, ms in ((100_000, 100.0), (1_100_000, 1_300.0))
        ],
        "capacity.outcomes": [
            {"store": "PostgreSQL", "outcomes": 1, "turn_us": 1_000.0},
            {"store": "PostgreSQL", "outcomes": 100, "turn_us": 40.0},
        ],
        "capacity.writers": [
            {"store": "SQLite", "replicas": 1, "per_second": 50_000.0},
            {"store": "PostgreSQL", "replicas": 1, "per_second": 20_000.0, "journal_bytes": 250.0, "wal_bytes": 500.0}
            | {"database_us": 20.0},
            {"store": "PostgreSQL", "replicas": 8, "per_second": 25_000.0},
            {"store": "PostgreSQL, COPY alone", "replicas": 1, "per_second": 100_000.0},
            {"store": "PostgreSQL, COPY alone", "replicas": 2, "per_second": 150_000.0},
        ],
    }


def test_the_page_is_what_the_measured_tables_give() -> None:
    assert report.planned(PAGE, MEASURED) == PAGE


def test_all_tables_of_the_page_are_computed_from_measured_ones() -> None:
    assert {name.partition(".")[0] for _, name, *_ in report.MARKED.findall(MEASURED)} == {"capacity"}
    assert [name for _, name, *_ in report.MARKED.findall(PAGE)] == [f"plan.{name}" for name in TABLES]
    assert plan.tables(report.shown(MEASURED)).keys() == set(TABLES)


def test_no_figure_of_the_page_is_typed_by_hand() -> None:
    prose = re.sub(r"```.*?```", "", report.MARKED.sub("", PAGE), flags=re.DOTALL).replace("120 candles", "")
    assert re.findall(r"\d[\d,.]*", prose) == []


@pytest.mark.parametrize(
    ("table", "column", "changed"),
    [
        ("capacity.serving", "worker_us", {"summary", "fleet", "parts", "journals", "first"}),
        ("capacity.serving", "keeper_us", {"summary", "fleet", "parts", "journals", "first"}),
        ("capacity.serving", "request_bytes", {"summary", "fleet", "parts", "first"}),
        ("capacity.balancer", "balancer_us", {"summary", "fleet", "parts", "first"}),
        ("capacity.memory", "all_pss", {"summary", "fleet"}),
        ("capacity.stores", "bytes_an_exposure", {"summary", "store", "first"}),
        ("capacity.stores", "bytes_an_outcome", {"summary", "store", "first"}),
        ("capacity.stores", "report_ms", {"summary", "store", "first"}),
        ("capacity.outcomes", "turn_us", {"parts", "store", "journals", "first"}),
        ("capacity.writers", "per_second", {"parts", "store", "journals", "first", "remedies"}),
        ("capacity.writers", "journal_bytes", {"journals", "first"}),
        ("capacity.writers", "wal_bytes", {"store"}),
        ("capacity.writers", "database_us", {"remedies"}),
    ],
)
def test_another_measured_figure_gives_another_plan(table: str, column: str, changed: set[str]) -> None:
    before = plan.tables(measured())
    other = measured()
    other[table] = [row | ({column: 20 * row[column]} if column in row else {}) for row in other[table]]
    after = plan.tables(other)
    assert {name for name in TABLES if before[name] != after[name]} == changed


def test_a_fleet_has_the_cores_and_the_memory_that_its_rate_takes() -> None:
    rows = {(row["rate"], row["experiment"]): row for row in plan.fleet(Measured(measured()))}
    # 100,000 x 120 us = 12 cores, of which 60 % are used: 20 cores, 2 machines of 16, and one to spare.
    alone = rows[100_000, "none"]
    assert (alone["worker_cores"], alone["keeper_cores"], alone["machines"]) == ("20", "", 3)
    # One worker more takes (162 - 102) / 3 MiB, one version more (114 - 100) / 7 MiB in each worker.
    assert Measured(measured()).memory == pytest.approx(102 - 20 + 16 * (20 + 2 * 2))
    assert alone["memory_gib"] == plan.figure(3 * 466 / 1024)
    # 100,000 x 60 us = 6 cores, of which 60 % are used. 1,000 bytes each: 0.8 Gbit/s.
    assert (alone["balancer_cores"], alone["balancers"], alone["gbit"]) == ("10", 2, "0.8")
    # A keeper stores at most 60 % of 25,000 a second, so the keepers decide the number of machines.
    split = rows[100_000, "split"]
    assert (split["keeper_cores"], split["machines"]) == ("6.7", 7 + 1)


def test_the_store_is_used_by_exposures_and_outcomes() -> None:
    small, large, _ = plan.store(Measured(measured()))
    # 1,000 / 25,000 for the rows, and half an outcome of 40 us for each.
    assert small["writer"] == "6 %"
    assert large["writer"] == "6 x"
    assert large["experiment_share"] == "10 %"
    # 300 bytes, and half of 200 for the outcome.
    assert small["gib_a_day"] == plan.figure(1_000 * 86_400 * 400 / 2**30)
    assert small["disk_full"] == plan.lasting(2**40 / 400_000)
    # Each million exposures adds 1.2 s to a report; a worker waits for 120 s.
    assert small["report_late"] == plan.lasting(100_000_000 / 1_000)


def test_journals_grow_by_what_the_writer_does_not_take() -> None:
    small, large, _ = plan.journals(Measured(measured()))
    assert (small["journal_mb"], small["journals_full"]) == ("they do not grow", "never")
    assert large["journal_mb"] == plan.figure(100_000 * 5 / 6 * 250 / 1e6)
    assert large["journals_full"] == plan.lasting(8 * 2**30 / (100_000 * 5 / 6 * 250))


def test_what_breaks_at_once_comes_first_and_the_lowest_limit_before_the_others() -> None:
    rows = plan.first(Measured(measured()))
    small = [row for row in rows if row["rate"] == 1_000]
    assert ["report" in small[0]["breaks"], "disk" in small[1]["breaks"]] == [True, True]
    large = [row for row in rows if row["rate"] == 100_000]
    assert [row["breaks"].split()[0] for row in large][:2] == ["PostgreSQL's", "one"]
    assert [row["after"] for row in large].count("at once") == len(large) - 2


def test_a_lost_or_doubled_row_is_an_error() -> None:
    rows = measured()["capacity.writers"]
    with pytest.raises(LookupError, match="found 0"):
        one(rows, store="Oracle")
    with pytest.raises(LookupError, match="found 2"):
        one(rows, store="PostgreSQL")


def test_without_haproxy_the_load_balancer_is_not_measured() -> None:
    rows = plan.fleet(Measured(measured() | {"capacity.balancer": []}))
    assert {row["balancers"] for row in rows} == {"not measured"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.25 s"),
        (59, "59 s"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (86_400 * 250, "250 d"),
        (float("inf"), "never"),
    ],
)
def test_a_length_of_time_has_the_unit_that_fits_it(seconds: float, text: str) -> None:
    assert plan.lasting(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012"), (9.96, "10"), (10.4, "10"), (99.7, "100"), (1234567.8, "1,234,568")]
)
def test_a_number_has_two_digits_or_all_before_the_point(value: float, text: str) -> None:
    assert plan.figure(value) == text
