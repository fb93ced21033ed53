"""An SQLite store that holds as many exposures as one likes, filled by SQL and not by predictions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.experiments.experiment import Experiment, now_micros
from core.store import open_store

# An exposure's place decides all of it: EXPERIMENT's candles come in turns, each to A and then to B, and each of these
# is hold, long and short in turns. So every candle has the same sums, and they can be written without being counted.
CANDLES = 5000
USERS = 10_000
EXPERIMENT = "stored"
_EACH = CANDLES * 2 * 3
_HOUR_MS = 3_600_000

_EXPOSURES = f"""
    WITH RECURSIVE places(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n + 1 < :count)
    INSERT INTO exposures
    SELECT printf('%08x-0000-7000-8000-%012x', n >> 16, n), :first + n, '{EXPERIMENT}',
        CASE n / {CANDLES} % 2 WHEN 0 THEN 'A' ELSE 'B' END, CASE n / {CANDLES} % 2 WHEN 0 THEN 'v3.0' ELSE 'v3.1' END,
        NULL, printf('%032x', n % {USERS}), 'EUR/USD', '1h', 't:' || ({_HOUR_MS} * (n % {CANDLES})),
        CASE n / {2 * CANDLES} % 3 WHEN 0 THEN 'hold' WHEN 1 THEN 'long' ELSE 'short' END,
        0.5, 0.5, 0.5, 400, 0, NULL
    FROM places"""  # noqa: S608 - numbers and a name of ours
_CANDLES = f"""
    WITH RECURSIVE places(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n + 1 < {CANDLES})
    INSERT INTO candles (experiment_id, pair, timeframe, candle, first_at, label, move_pips,
        a_predictions, a_holds, a_longs, a_shorts, a_confidence, a_confidence_squares,
        b_predictions, b_holds, b_longs, b_shorts, b_confidence, b_confidence_squares)
    SELECT '{EXPERIMENT}', 'EUR/USD', '1h', 't:' || ({_HOUR_MS} * n), :first + n, n % 3, n % 41 - 20,
        3 * :each, :each, :each, :each, 1.5 * :each, 0.75 * :each,
        3 * :each, :each, :each, :each, 1.5 * :each, 0.75 * :each
    FROM places"""  # noqa: S608 - numbers and a name of ours
_USERS = f"""
    WITH RECURSIVE places(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM places WHERE n + 1 < {USERS})
    INSERT INTO users SELECT '{EXPERIMENT}', printf('%032x', n), CASE n / {CANDLES} % 2 WHEN 0 THEN 'A' ELSE 'B' END
    FROM places
    """  # noqa: S608 - numbers and a name of ours


def fill(path: Path, exposures: int) -> int:
    """Make a store with a draft of EXPERIMENT and about so many exposures of it; returns how many.

    All candles have equally many, so it is the multiple of CANDLES x 2 x 3 that is next above; or none at all.
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
        # Nobody needs what a power cut would leave of this.
        connection.execute("PRAGMA synchronous = OFF")
        if each:
            for statement in (_EXPOSURES, _CANDLES, _USERS):
                connection.execute(statement, values)
        connection.commit()
    return each * _EACH
