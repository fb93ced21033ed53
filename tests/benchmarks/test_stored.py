from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import stored
from core.store import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_the_sums_of_candles_equal_those_of_the_exposures(path: Path) -> None:
    count = stored.fill(path, 50_000)
    assert count == 60_000
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT candle, variant, signal, count(*), sum(confidence) FROM exposures GROUP BY candle, variant, signal"
        ).fetchall()
        sums = connection.execute(
            "SELECT candle, a_holds, a_longs, a_shorts, a_confidence, b_holds, b_longs, b_shorts, b_confidence,"
            " a_predictions, b_predictions FROM candles"
        ).fetchall()
    counted = Counter({(candle, variant, signal): number for candle, variant, signal, number, _ in rows})
    confidence: Counter[tuple[str, str]] = Counter()
    for candle, variant, _, _, total in rows:
        confidence[candle, variant] += total
    assert len(sums) == stored.CANDLES
    for candle, *found in sums:
        for variant, (holds, longs, shorts, total) in (("A", found[:4]), ("B", found[4:8])):
            signals = {"hold": holds, "long": longs, "short": shorts}
            assert signals == {signal: counted[candle, variant, signal] for signal in signals}
            assert total == confidence[candle, variant]
        assert found[8] == sum(found[:3])
        assert found[9] == sum(found[4:7])


def test_the_users_equal_those_of_the_exposures(path: Path) -> None:
    stored.fill(path, 50_000)
    with closing(sqlite3.connect(path)) as connection:
        exposed = connection.execute("SELECT DISTINCT experiment_id, pseudonym, variant FROM exposures").fetchall()
        users = connection.execute("SELECT experiment_id, pseudonym, variant FROM users").fetchall()
    assert sorted(exposed) == sorted(users)


@pytest.mark.parametrize(("wanted", "filled"), [(0, 0), (1, 30_000), (30_001, 60_000)])
def test_the_store_has_at_least_the_wanted_number_and_can_be_opened(path: Path, wanted: int, filled: int) -> None:
    assert stored.fill(path, wanted) == filled
    store = open_store(f"sqlite:///{path}")
    assert sum(tally.predictions for tally in store.tally(stored.EXPERIMENT).values()) == filled
    assert store.in_both(stored.EXPERIMENT) == 0
    store.close()
