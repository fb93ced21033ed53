"""An SQLite store with any number of exposures, filled by SQL instead of predictions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from core.experiments.experiment import Experiment, now_micros
from core.store import open_store

# The number of an exposure determines all its fields: candles come in turns, on each candle A and B come in turns, and
# for each of these hold, long and short come in turns. So every candle has the same sums, and no counting is needed.
CANDLES = 5000
USERS = 10_000
EXPERIMENT = "stored"
_EACH = CANDLES * 2 * 3
_HOUR_MS = 3_600_000
# 32 hexadecimal digits, spread evenly as those of a hash are.
_PSEUDONYM = "printf('%08x%024x', {user} * 2654435761 % 4294967296, {user})"

_EXPOSURES = f"""
    WITH RECURSIVE places(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n + 1 < :count)
    INSERT INTO exposures
    SELECT printf('%08x-0000-7000-8000-%012x', n >> 16, n), :first + n, '{EXPERIMENT}',
        CASE n / {CANDLES} % 2 WHEN 0 THEN 'A' ELSE 'B' END, CASE n / {CANDLES} % 2 WHEN 0 THEN 'v3.0' ELSE 'v3.1' END,
        NULL, {_PSEUDONYM.format(user=f"(n % {USERS})")}, 'EUR/USD', '1h', 't:' || ({_HOUR_MS} * (n % {CANDLES})),
        CASE n / {2 * CANDLES} % 3 WHEN 0 THEN 'hold' WHEN 1 THEN 'long' ELSE 'short' END,
        0.5, 0.5, 0.5, 400, 0, NULL, '', ''
    FROM places"""  # noqa: S608 - only constants of this file
_CANDLES = f"""
    WITH RECURSIVE places(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n + 1 < {CANDLES})
    INSERT INTO candles (experiment_id, pair, timeframe, candle, first_at, label, move_pips,
        a_predictions, a_holds, a_longs, a_shorts, a_confidence, a_confidence_squares,
        b_predictions, b_holds, b_longs, b_shorts, b_confidence, b_confidence_squares)
    SELECT '{EXPERIMENT}', 'EUR/USD', '1h', 't:' || ({_HOUR_MS} * n), :first + n, n % 3, n % 41 - 20,
        3 * :each, :each, :each, :each, 1.5 * :each, 0.75 * :each,
        3 * :each, :each, :each, :each, 1.5 * :each, 0.75 * :each
    FROM places"""  # noqa: S608 - only constants of this file
_USERS = f"""
    WITH RECURSIVE places(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n + 1 < {USERS})
    INSERT INTO users SELECT '{EXPERIMENT}', {_PSEUDONYM.format(user="n")},
        CASE n / {CANDLES} % 2 WHEN 0 THEN 'A' ELSE 'B' END
    FROM places
    """  # noqa: S608 - only constants of this file


def prediction_id(number: int) -> str:
    """Return the id of an exposure by its number, counted from 0."""
    return f"{number >> 16:08x}-0000-7000-8000-{number:012x}"


def trades(exposures: int) -> Iterator[str]:
    """Yield the ids of those of the first exposures whose signal is long or short."""
    return (prediction_id(number) for number in range(exposures) if number // (2 * CANDLES) % 3)


def fill(path: Path, exposures: int) -> int:
    """Create a store with a draft of EXPERIMENT and at least `exposures` exposures of it; returns their number.

    All candles have equally many, so the number is rounded up to a multiple of CANDLES x 2 x 3. 0 stays 0.
    """
    store = open_store(f"sqlite:///{path}")
    store.create(
        Experiment(
            experiment_id=EXPERIMENT,
            name="many exposures",
            variant_a="v3.0",
            variant_b="v3.1",
            traffic_split=1.0,
            created_at=now_micros(),
        )
    )
    store.close()
    each = -(-exposures // _EACH)
    values = {"count": each * _EACH, "each": each, "first": now_micros() - each * _EACH}
    with closing(sqlite3.connect(path)) as connection:
        # The data need not survive a power cut.
        connection.execute("PRAGMA synchronous = OFF")
        if each:
            for statement in (_EXPOSURES, _CANDLES, _USERS):
                connection.execute(statement, values)
        connection.commit()
    return each * _EACH
