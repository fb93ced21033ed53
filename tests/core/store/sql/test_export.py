from __future__ import annotations

import subprocess
import sys
from itertools import islice

import pytest

from core.errors import StoreUnavailable
from core.features.candle_keys import candle_key_of_time
from core.features.labels import SHORT
from core.store.interface import EXPORT_COLUMNS, Label, Store
from core.store.sql import reading
from tests.core.store.samples import AT, candle, drain, experiment, exposure, label, outcome
from tests.market import ROOT


def test_a_row_has_readable_values_and_its_outcome_and_label(store: Store) -> None:
    one = exposure(1, at=AT + 7, user=None, stage2_prob=None)
    store.create(experiment())
    drain(store, [one])
    store.record_outcomes([outcome(one, "loss", -1.5, AT + 3_600_000_000)], AT)
    label(store, Label(candle(1), SHORT, -31.0))
    (row,) = store.export("exp")
    assert row == {
        "prediction_id": one.prediction_id,
        "at": "2025-10-09T08:53:20.000007Z",
        "experiment_id": "exp",
        "variant": "A",
        "model_version": "v1",
        "fallback_reason": None,
        "user": None,
        "pair": "EUR/USD",
        "timeframe": "1h",
        "candle": candle(1),
        "candle_time": "2025-10-09T09:53:20.000000Z",
        "signal": "long",
        "confidence": 0.75,
        "stage1_prob": 0.82,
        "stage2_prob": None,
        "latency_us": 412,
        "outcome": "loss",
        "pnl_pips": -1.5,
        "closed_at": "2025-10-09T09:53:20.000000Z",
        "label": "short",
        "b_signal": None,
        "b_confidence": None,
        "warnings": None,
    }
    assert tuple(row) == EXPORT_COLUMNS


def test_unknown_values_are_null(store: Store) -> None:
    drain(store, [exposure(1, candle="w:00ff", user="pseudonym")])
    (row,) = store.export("exp")
    assert (row["candle"], row["candle_time"], row["user"]) == ("w:00ff", None, "pseudonym")
    assert row["outcome"] is row["pnl_pips"] is row["closed_at"] is row["label"] is None


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (-62_135_596_800_000, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999000Z"),
        (-(10**14), None),
        (10**18, None),
    ],
)
def test_an_instant_outside_the_years_1_to_9999_is_null(store: Store, milliseconds: int, shown: str | None) -> None:
    one = exposure(candle=candle_key_of_time(milliseconds))
    drain(store, [one])
    store.record_outcomes([outcome(one, closed_at=min(milliseconds, 10**15) * 1000)], AT)
    (row,) = store.export("exp")
    assert (row["candle_time"], row["closed_at"]) == (shown, shown)


def test_rows_come_in_order_of_time_and_each_once_across_pages(store: Store) -> None:
    made = [exposure(n % 40, at=AT + n % 11) for n in range(4321)]
    for start in range(0, len(made), 1000):
        drain(store, made[start : start + 1000])
    rows = [(row["at"], row["prediction_id"]) for row in store.export("exp")]
    assert rows == sorted(rows)
    assert {prediction_id for _, prediction_id in rows} == {each.prediction_id for each in made}
    assert len(rows) == len(made)


def test_an_unfinished_export_blocks_no_other_call(store: Store) -> None:
    drain(store, [exposure(n) for n in range(3000)])
    rows = store.export("exp")
    assert len(list(islice(rows, 10))) == 10
    drain(store, [exposure(9000)])
    assert len(list(rows)) == 2991


def test_an_export_raises_if_the_store_is_closed_meanwhile(store: Store) -> None:
    drain(store, [exposure(n) for n in range(3000)])
    rows = store.export("exp")
    next(rows)
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        list(rows)


# Prints by how many kilobytes the process grew while it read all rows after the first 10,000.
EXPORT_ALL = """
import resource, sys
from itertools import islice
from core.store import open_store
store = open_store(sys.argv[1])
rows = store.export("exp")
print(sum(1 for _ in islice(rows, 10_000)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(1 for _ in rows))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
store.close()
"""


def test_memory_does_not_grow_with_the_rows(url: str, store: Store) -> None:
    for start in range(0, 100_000, 20_000):
        drain(store, [exposure(n % 500, at=AT + n) for n in range(start, start + 20_000)])
    command = [sys.executable, "-c", EXPORT_ALL, url]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    first, rest, kilobytes = map(int, run.stdout.split())
    assert (first, rest) == (10_000, 90_000)
    assert kilobytes < 16_000  # all rows as dictionaries take well over 100 MB


def test_a_page_uses_the_index_even_without_statistics_of_the_planner(url: str, store: Store) -> None:
    drain(store, [exposure(n) for n in range(10_000)])
    explain = "EXPLAIN QUERY PLAN" if url.startswith("sqlite") else "EXPLAIN"
    with getattr(store, "_database").reading() as connection:  # noqa: B009 - not a part of the interface
        plan = str(connection.rows(f"{explain} {reading.EXPORT_PAGE}", ["exp", AT, "", 2000]))
    assert "exposures_by_time" in plan
    for word in ("Sort", "TEMP B-TREE", "Materialize", "Bitmap", "Hash"):
        assert word not in plan
