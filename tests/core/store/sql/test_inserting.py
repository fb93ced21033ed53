"""The fast ways of storing exposures give what the plain one gives: a row at a time, with all of its columns."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from core.experiments.records import Exposure
from core.store.drivers import sqlite
from core.store.interface import Store
from core.store.sql.recording import EXPOSURE_COLUMNS
from tests.core.store.samples import AT, drain, exposure, query

# What makes a row or a sum differ. Most rows need only some of the columns.
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"variant": "B", "signal": "hold", "stage2_prob": None},
    {"user": None, "signal": "short"},
    {"slow": True, "user": "other"},
    {"warnings": ("NO_TIMESTAMPS", "SPACING")},
    {"fallback_reason": "gone", "warnings": ("SPACING",)},
    {"window": "w:1"},
    {"block": "1h:1", "candle": "w:2"},
    {"fallback_reason": "gone\0away", "slow": True, "version": "v2"},
)
SUMS = ("candles", "users", "blocks", "totals", "minutes", "warned")


def exposures(experiment_id: str) -> list[Exposure]:
    """Four of each kind and many plain ones, over several minutes. Their confidences have exact sums."""
    kinds = [*KINDS * 4, *[{}] * 20]
    return [
        msgspec.structs.replace(
            exposure(number % 3, confidence=number % 8 / 8, at=AT + number * 7_000_000, **kind),
            experiment_id=experiment_id,
            prediction_id=f"{experiment_id}-{number:03}",
        )
        for number, kind in enumerate(kinds)
    ]


def plain_row(of: Exposure) -> tuple[object, ...]:
    reason = None if of.fallback_reason is None else of.fallback_reason.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return (
        of.prediction_id, of.at, of.experiment_id, of.variant, of.version, reason, of.user, of.pair, of.timeframe,
        of.candle, of.signal, of.confidence, of.stage1_prob, of.stage2_prob, of.latency_us, of.slow,
        " ".join(of.warnings) or None, of.window, of.block,
    )  # fmt: skip


def rows(url: str, experiment_id: str) -> list[tuple[object, ...]]:
    columns = ", ".join(EXPOSURE_COLUMNS)
    where = f"WHERE experiment_id = '{experiment_id}' ORDER BY prediction_id"
    return query(url, f"SELECT {columns} FROM exposures {where}")  # noqa: S608 - constants


def sums(url: str, experiment_id: str) -> dict[str, list[tuple[object, ...]]]:
    """The rows of the other tables, without the experiment's id, which is their first column."""
    where = f"WHERE experiment_id = '{experiment_id}'"
    found = {table: query(url, f"SELECT * FROM {table} {where}") for table in SUMS}  # noqa: S608 - constants
    return {table: sorted((row[1:] for row in of_table), key=repr) for table, of_table in found.items()}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of rows in a statement; the largest divides none of the numbers here."""
    monkeypatch.setattr(sqlite, "_TOGETHER", (7, 2, 1))


def test_exposures_that_are_stored_together_have_the_same_rows_and_sums_as_one_by_one(url: str, store: Store) -> None:
    drain(store, exposures("together"))
    for one in exposures("alone"):
        drain(store, [one])
    assert rows(url, "together") == list(map(plain_row, exposures("together")))
    assert rows(url, "alone") == list(map(plain_row, exposures("alone")))
    assert sums(url, "together") == sums(url, "alone")
    assert all(sums(url, "together").values())  # no table is left out


@pytest.mark.parametrize("stored", [0, 5, 12, 55], ids=["first", "odd", "several", "last"])
def test_a_drain_of_exposures_of_which_some_are_stored_stores_the_others(url: str, store: Store, stored: int) -> None:
    every = exposures("again")
    drain(store, [every[stored], *every[:stored:4]])
    drain(store, every)
    drain(store, exposures("once"))
    assert rows(url, "again") == list(map(plain_row, every))
    assert sums(url, "again") == sums(url, "once")


def test_exposures_come_in_any_numbers(url: str, store: Store) -> None:
    """Also in none, in one, and in exactly as many as one statement or two of them insert."""
    every = iter(exposures("numbers"))
    for number in (0, 1, 7, 14, 0, 6, 8):
        drain(store, list(itertools.islice(every, number)))
    assert rows(url, "numbers") == list(map(plain_row, exposures("numbers")[:36]))
